/** What an author's code may do, and how it is told what it may not. */

import { describe, expect, test } from 'vitest'
import { defineActor } from 'weir/actor'
import type { AnyActor } from 'weir/actor'
import { tryActor } from 'weir/testing'
import { decodePlain, encodePlain } from '../../../actors/own/plain.ts'

const reading = (ts: number, value = 1, device = 'd-1') => ({ device, metric: 'm', ts, value })
const actor = (own: Partial<AnyActor>): AnyActor => ({ name: 'probe', key: 'device', initial: () => ({ n: 0 }), view: { columns: { n: 'BIGINT', what: 'VARCHAR' } }, ...own })
const failing = (own: Partial<AnyActor>) => expect(() => tryActor(actor(own)).give([reading(1), reading(2)]))

describe('a step of an own actor', () => {
  test('is refused where it is no pure function: its two answers are compared to the letter', () => {
    let hidden = 0
    failing({ reading: (_, __, out) => out.row({ n: ++hidden }) }).toThrow(/must give the same each time that it runs: a row of d-1 was first \[1,"\{\\"n\\":1\}"\], then \[1,"\{\\"n\\":3\}"\]/)
    failing({ reading: (state) => (state.n = ++hidden) }).toThrow(/the state of d-1 was first/)
    const once = () => ++hidden % 2 === 0
    failing({ reading: (_, { ts }, out) => {
      if (ts === 2 && once()) out.alert({ name: 'a', severity: 'info', message: 'x' })
    } }).toThrow(/an alert of d-1 was first/)
  })

  test('reads no clock, draws nothing and waits for nothing', () => {
    failing({ reading: (state) => (state.n = Date.now()) }).toThrow(/reading of d-1, d-1 m at 1970-01-01T00:00:00.001Z: Cannot use Date.now/)
    failing({ reading: (state) => (state.n = new Date().getTime()) }).toThrow(/Cannot use a Date of now/)
    failing({ reading: (state) => (state.n = Math.random()) }).toThrow(/Cannot use Math.random/)
    failing({ reading: async () => {} }).toThrow(/Cannot wait as a step must answer at once/)
    expect(Date.now()).toBeGreaterThan(0)
    tryActor(actor({ reading: (state, { ts }) => (state.n = new Date(ts).getUTCHours()) })).give([reading(3_600_000)])
  })

  test('keeps plain data alone, and is told where it is not', () => {
    for (const [value, kind] of [[new Map(), 'of the class Map'], [undefined, 'undefined'], [() => 1, 'a function'], [new Date(0), 'of the class Date']] as const) {
      failing({ reading: (state) => void (state.deep = [{ at: value }]) }).toThrow(`the state of d-1: Cannot keep it as deep[0].at must be plain data: current value is ${kind}`)
    }
    failing({ reading: (state) => void (state.n = 'x'.repeat(70_000)) }).toThrow(/must have at most 65536 characters as JSON/)
    const odd = { a: [NaN, Infinity, -Infinity, -0, 1e-300], b: { c: null, d: 'x', e: true } }
    expect(decodePlain(encodePlain(odd))).toEqual({ ...odd, a: [NaN, Infinity, -Infinity, 0, 1e-300] })
  })

  test('writes rows of its columns alone, within bounds, and only while it runs', () => {
    failing({ reading: (_, __, out) => out.row({ m: 1 }) }).toThrow(/each of its values must be of a column of the view: current one is m/)
    failing({ reading: (_, __, out) => out.row({ n: '1' as never }) }).toThrow(/n must be a BIGINT: current value is 1/)
    failing({ reading: (_, __, out) => out.row({ n: 0.5 }) }).toThrow(/n must be a whole number/)
    failing({ reading: (_, __, out) => { for (let i = 0; i < 2_000; i++) out.row({}) } }).toThrow(/at most 1000 rows and alerts/)
    let kept: { row(values: object): void } | null = null
    failing({ reading: (_, { ts }, out) => (ts === 1 ? void (kept = out) : kept!.row({})) }).toThrow(/the call that out was given to must not have ended/)
  })

  test('is of one key: those of two tenants never meet, and a key function may name several, one or none', () => {
    const trial = tryActor(actor({ key: ({ device }) => (device === 'all' ? ['a', 'b'] : device === 'none' ? null : device), reading: (state, { value }, out, key) => out.row({ n: (state.n += value), what: key }) }))
    trial.give([reading(1, 1, 'a'), reading(2, 10, 'all'), reading(3, 100, 'none'), { ...reading(4, 5, 'a'), tenant: 'other' }])
    expect(trial.rows().map(({ n, what }) => `${what} ${n}`)).toEqual(['a 1', 'a 11', 'b 10', 'a 5'])
    expect(trial.keys()).toEqual(['a', 'b'])
    expect([trial.state('a'), trial.state('a', { tenant: 'other' })]).toEqual([{ n: 11 }, { n: 5 }])
  })

  test('hears what it reads alone', () => {
    const trial = tryActor(actor({ reads: { devices: ['field-*'], metrics: ['m'] }, reading: (_, { device }, out) => out.row({ what: device }) }))
    trial.give([reading(1, 1, 'field-1'), reading(1, 1, 'barn'), { ...reading(1, 1, 'field-2'), metric: 'other' }])
    expect(trial.rows()).toEqual([{ key: 'field-1', at: 1, what: 'field-1' }])
  })

  test('comes at each tick that passed, the newest 50 of an outage, for each key that has a state', () => {
    const hour = 3_600_000
    const trial = tryActor(actor({ everyMs: hour, reading: () => {}, tick: (state, { time }, out) => out.row({ n: ++state.n }, time) }))
    trial.give([reading(hour / 2, 1, 'a')]).passTime(3 * hour)
    expect(trial.rows('a').map(({ at, n }) => [at / hour, n])).toEqual([[1, 1], [2, 2], [3, 3]])
    trial.passTime(3 * hour + 1).crash().passTime(1_000 * hour)
    expect(trial.rows('a')).toHaveLength(53)
    expect(trial.rows('a').at(-1)).toMatchObject({ at: 1_000 * hour, n: 53 })
  })

  test('raises one alert a name at a time; what a person resolved stays so until the actor has resolved it once', () => {
    const alert = (severity: 'info' | 'critical') => ({ name: 'x', severity, message: severity })
    const trial = tryActor(actor({ reading: (_, { value }, out) => (value === 0 ? out.resolve('x', 'fine') : out.alert(alert(value > 1 ? 'critical' : 'info'))) }))
    const events = () => trial.alerts().map(({ event, message }) => `${event} ${message}`)
    trial.give([reading(1, 1), reading(2, 1), reading(3, 2), reading(4, 1)])
    expect(events()).toEqual(['opened info', 'escalated critical'])
    const { id } = trial.alerts()[0]
    trial.answer(id, 'ack', 'ann').answer(id, 'resolve', 'ann').give([reading(5, 2)]).snapshot().crash()
    expect(events().slice(2)).toEqual(['acknowledged critical (acknowledged by ann)', 'resolved critical (resolved by ann)'])
    trial.give([reading(6, 0), reading(7, 1)]).crash()
    expect(events().slice(4)).toEqual(['reopened info'])
    expect(new Set(trial.alerts().map((a) => a.id)).size).toBe(1)
  })

  test('has its alerts put aside until a time of its log, through crashes, and while they pass and come back; what grows worse is put aside no more', () => {
    const alert = (severity: 'info' | 'critical') => ({ name: 'x', severity, message: severity })
    const trial = tryActor(actor({ reading: (_, { value }, out) => (value === 0 ? out.resolve('x', 'fine') : out.alert(alert(value > 1 ? 'critical' : 'info'))) }))
    const events = () => trial.alerts().map(({ event, message }) => `${event} ${message}`)
    trial.give([reading(1, 1)])
    const { id } = trial.alerts()[0]
    trial.answer(id, 'shelve', 'ann', 10_000).snapshot().crash().give([reading(2_000, 0), reading(3_000, 1)]).crash().passTime(9_999)
    expect(events()).toEqual(['opened info', 'shelved info (put aside by ann)', 'resolved fine', 'reopened info', 'shelved info'])
    trial.passTime(10_000).passTime(20_000).crash()
    expect(events().slice(5)).toEqual(['unshelved info (it was put aside, and that time is over)'])
    trial.answer(id, 'shelve', 'ann', 90_000).answer(id, 'unshelve', 'bob')
    expect(events().slice(6)).toEqual(['shelved info (put aside by ann)', 'unshelved info (taken up again by bob)'])
    trial.answer(id, 'shelve', 'ann', 90_000).give([reading(30_000, 2)]).passTime(100_000).snapshot().crash()
    expect(events().slice(8)).toEqual(['shelved info (put aside by ann)', 'escalated critical'])
    // What is over already is no time to wait for.
    trial.answer(id, 'shelve', 'ann', 90_000)
    expect(events()).toHaveLength(10)
  })

  test('is told of documents by their key, and forgets a key whose document is taken away', () => {
    const trial = tryActor(actor({ key: (_, documents) => documents.map(({ id }) => id), document: (state, body) => void (state.limit = body), reading: (state, { value }, out) => out.row({ what: `${value} of ${state.limit}` }) }))
    trial.give([reading(1)]).document('b', 2).document('a', 1).give([reading(2)]).document('b', 3).document('b', 3).document('a', null).give([reading(3)]).crash()
    expect(trial.rows().map(({ key, what }) => `${key} ${what}`)).toEqual(['a 1 of 1', 'b 1 of 2', 'b 1 of 3'])
    expect(trial.keys()).toEqual(['b'])
  })

  test('an actor is refused by name of what is wrong with it', () => {
    const define = (own: object) => () => defineActor({ ...actor({}), ...own } as AnyActor)
    expect(define({ name: 'Two Words' })).toThrow('Cannot use this actor as its name must be a to z, 0 to 9 and _, beginning with a letter, at most 40 characters: current value is "Two Words"')
    expect(define({ everyMs: 1_500, tick: () => {} })).toThrow(/everyMs must be a whole number of minutes/)
    expect(define({ everyMs: 60_000 })).toThrow(/everyMs must be given where tick is/)
    expect(define({ view: { columns: { key: 'VARCHAR' } } })).toThrow(/a column must be named by/)
    expect(define({ view: { columns: { n: 'FLOAT' } } })).toThrow(/the type of n must be one of DOUBLE/)
    expect(() => tryActor({ ...actor({}), name: 'windows' } as AnyActor)).toThrow(/its name must be one that no view of Weir has .*: current value is "windows"/)
    expect(define({ key: 'plot' })).toThrow(/key must be 'device', 'series' or a function/)
  })
})
