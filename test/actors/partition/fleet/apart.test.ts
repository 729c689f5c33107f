/** Rules about how a series stands to its neighbours: in a partition, and tried on history. */

import { expect, test } from 'vitest'
import { parseRule, RuleError } from '../../../../actors/alert/document.ts'
import { encodeRule } from '../../../../actors/reading/input.ts'
import { House } from '../../analytics/house.ts'
import type { NamedWindow } from '../../analytics/named-rows.ts'
import { Bench } from '../harness.ts'
import { at, Flock, HOUR, weatherOf } from './flock.ts'

const DAYS = 6
/** One of a dozen goes up by 6 for half a day, its neighbours through a front that cools all of them by 14. */
const RULE = { name: 'Unlike the others', select: { metric: 'temperature' }, when: { deviates: 4, from: 'neighbours', side: 'above' }, reopen: '1m' }
const STRANGE = 'field-3/probe'
const departs = (hour: number) => hour >= 120 && hour < 132

interface Told {
  readonly device: string
  readonly event: string
  readonly at: number
  readonly message: string
}

/** Runs the flock under a rule, with a crash and a restore at every hour that `restores` names. */
async function flockUnder(document: object, restores: (hour: number) => boolean = () => false): Promise<{ told: Told[]; flock: Flock }> {
  const flock = new Flock(12)
  const told: Told[] = []
  const { bench } = flock
  const apply = bench.apply.bind(bench)
  bench.apply = (message: Parameters<Bench['apply']>[0]) => {
    const effects = apply(message)
    for (const a of effects.alerts) told.push({ device: effects.series[a.series].device, event: a.event, at: a.at, message: a.message })
    return effects
  }
  bench.feed(encodeRule({ tenant: 'default', id: 'r', revision: 1, body: JSON.stringify(parseRule(document).rule) }))
  const next = weatherOf(7, 12, { noise: 0.05, frontAt: 100 })
  for (let hour = 0; hour < DAYS * 24; hour++) {
    await flock.read(at(hour), next(hour).map((value, d) => value + (d === 3 && departs(hour) ? 6 : 0)))
    if (restores(hour)) bench.restore()
  }
  return { told, flock }
}

test('a rule is told of who leaves its neighbours and comes back, while a front that cools all of them is told of nobody; a restore shows nowhere', async () => {
  const { told } = await flockUnder(RULE)
  expect(told.map(({ device, event }) => [device, event])).toEqual([[STRANGE, 'opened'], [STRANGE, 'resolved']])
  // An hour is told by the first reading behind its end, here half an hour into the next.
  expect(told.map((a) => Math.round((a.at - at(0)) / HOUR))).toEqual([121, 133])
  expect(told[0].message).toMatch(/^Temperature of field-3\/probe was -?[\d.]+ in the last hour that was compared, far from the -?[\d.]+ that its neighbours let expect\.$/)
  expect((await flockUnder(RULE, (hour) => hour % 5 === 0)).told).toEqual(told)
  for (const when of [{ ...RULE.when, side: 'below' }, { ...RULE.when, deviates: 40 }]) expect((await flockUnder({ ...RULE, when })).told).toEqual([])
})

test('tried on history it says what it said when that was now, but for when an hour is told', async () => {
  const { told, flock } = await flockUnder(RULE)
  const house = await House.open()
  try {
    const windows = flock.bench.rows.filter((w) => w.size === 2).map(({ series: _, name, ...w }): NamedWindow => ({ ...w, device: name.split('/').slice(1, 3).join('/'), metric: 'temperature' }))
    await house.post(windows.map((w) => ({ device: w.device, metric: w.metric, ts: w.start + HOUR / 2, value: w.first })))
    await house.commit({ windows: windows.filter((w) => w.start < at(100)) })
    await house.seal()
    await house.commit({ windows: windows.filter((w) => w.start >= at(100)) })
    const tried = async (from: number, document: object = RULE) => {
      const answer = await house.analytics.app.request(`/v1/rules/r/try?from=${from}&to=${at(DAYS * 24)}&time=ms`, {
        method: 'POST', headers: { authorization: `Bearer ${house.keys['default analyst']}`, 'content-type': 'application/json' }, body: JSON.stringify(document),
      })
      expect(answer.status).toBe(200)
      return ((await answer.json()) as { events: Told[] }).events.map(({ device, event, at: ms, message }) => ({ device, event, hour: Math.floor((ms - at(0) + HOUR / 2) / HOUR), message }))
    }
    // A partition remembers hours in steps of the 65,536th part of their range, so the last digit of what it says may be another; and it hears of an hour
    // half an hour after its end, when one more reading has come.
    const rough = (events: { device: string; event: string; hour: number; message: string }[]) => events.map((e) => ({ ...e, message: e.event === 'resolved' ? '' : e.message.replaceAll(/-?\d+\.\d+/g, (n) => Number(n).toFixed(0)) }))
    const known = rough(told.map(({ at: ms, ...t }) => ({ ...t, hour: Math.floor((ms - at(0) + HOUR / 2) / HOUR) })))
    expect(rough(await tried(at(90)))).toEqual(known)
    // What is usual is looked up before the time that is asked for.
    expect(rough(await tried(at(118)))).toEqual(known)
    expect(await tried(at(118), { ...RULE, select: { metric: 'temperature', device: 'field-4/probe' } })).toEqual([])
  } finally {
    await house.close()
  }
})

test('what is wrong with it is said with its place', () => {
  const pointerOf = (when: object) => {
    try {
      parseRule({ ...RULE, when })
    } catch (error) {
      return [(error as RuleError).pointer, (error as RuleError).message]
    }
    throw new Error('nothing is wrong with it')
  }
  expect(pointerOf({ deviates: 1, from: 'neighbors' })).toEqual(['/when/from', 'Cannot use this rule as /when/from must be one of 1m, 15m, 1h, 1d, neighbours: current value is "neighbors"'])
  expect(pointerOf({ deviates: -1, from: 'neighbours' })[0]).toBe('/when/deviates')
  expect(pointerOf({ deviates: 1, from: 'neighbours', side: 'up' })[0]).toBe('/when/side')
})
