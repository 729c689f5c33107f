/** Rules in a partition: what raises alerts, what becomes of them, and that neither a crash nor a restore shows. */

import { describe, expect, test } from 'vitest'
import { parseRule } from '../../../../actors/alert/document.ts'
import { partitionActor } from '../../../../actors/partition/actor.ts'
import { Flag, FLAGS } from '../../../../actors/partition/flags.ts'
import { encodeAction, encodeRule, encodeSettings } from '../../../../actors/reading/input.ts'
import type { AlertRow } from '../../../../actors/partition/effects.ts'
import { Bench, blockOf, HOUR, MINUTE, seeded, T0 } from '../harness.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }

/** A partition that follows rules, whose readings come at their own time. */
class Farm extends Bench {
  told: AlertRow[] = []
  confirmed: string[] = []
  #revision = 0

  constructor(flags: readonly number[] = [Flag.rules]) {
    super()
    this.feed(encodeSettings(SETTINGS, flags))
  }

  override apply(message: Parameters<Bench['apply']>[0]) {
    const effects = super.apply(message)
    this.told.push(...effects.alerts)
    this.confirmed.push(...effects.rules.map((r) => `${r.id} ${r.revision}`))
    return effects
  }

  /** Puts a rule; null takes it back. */
  rule(document: object | null, id = 'r', revision = ++this.#revision, tenant = 'default') {
    return this.feed(encodeRule({ tenant, id, revision, body: document === null ? null : JSON.stringify(parseRule(document).rule) }))
  }

  at(ts: number, value: number, device = 'd', metric = 'm') {
    return this.feed(blockOf([{ device, metric, ts, value }]), Math.max(this.timeMs, ts))
  }

  get events(): string[] {
    return this.told.map((a) => a.event)
  }

  act(action: 'ack' | 'resolve' | 'unshelve', alert = this.told.at(-1)!.id) {
    return this.feed(encodeAction({ tenant: 'default', device: 'd', metric: 'm', alert, action, by: 'ann', note: 'on my way' }))
  }

  shelve(forMs: number, alert = this.told.at(-1)!.id) {
    return this.feed(encodeAction({ tenant: 'default', device: 'd', metric: 'm', alert, action: 'shelve', until: this.timeMs + forMs, by: 'ann', note: '' }))
  }
}

const DRY = { name: 'Soil too dry', select: { metric: 'm' }, when: { below: 12, clear: 14 } }

describe('a threshold', () => {
  test('raises once, holds until its value has passed clear, and comes back as the same alert', () => {
    const farm = new Farm()
    farm.rule(DRY)
    for (const [i, value] of [15, 13, 11, 10, 13, 14, 15, 11].entries()) farm.at(T0 + i * MINUTE, value)
    expect(farm.events).toEqual(['opened', 'resolved', 'reopened'])
    const [opened, resolved, reopened] = farm.told
    expect(opened).toMatchObject({ value: 11, at: T0 + 2 * MINUTE, severity: 'warning', rule: 'r', number: 1, message: 'M of d is 11, below 12.', by: null })
    expect(resolved).toMatchObject({ value: 14, at: T0 + 5 * MINUTE, number: 2, message: 'M of d is as it should be again: 14.' })
    expect(reopened).toMatchObject({ number: 3, id: opened.id })
    expect(opened.id).toMatch(/^r\.[0-9a-z]{14}\.[0-9a-z]+$/)
  })

  test('is another alert once the time to come back is over', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, reopen: '5m' })
    for (const [i, value] of [11, 15, 15, 15, 15, 15, 15, 15, 11].entries()) farm.at(T0 + i * MINUTE, value)
    expect(farm.events).toEqual(['opened', 'resolved', 'opened'])
    expect(farm.told[2].id).not.toBe(farm.told[0].id)
  })

  test('escalates by its steps, never twice, and is what it was at its worst until it is over', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, steps: [{ severity: 'critical', when: { below: 8 } }] })
    for (const [i, value] of [11, 7, 11, 7, 15].entries()) farm.at(T0 + i * MINUTE, value)
    expect(farm.told.map((a) => `${a.event} ${a.severity}`)).toEqual(['opened warning', 'escalated critical', 'resolved critical'])
    farm.at(T0 + 6 * MINUTE, 7)
    expect(farm.told.at(-1)).toMatchObject({ event: 'reopened', severity: 'critical' })
  })

  test('has to hold without a break for as long as it says, also while nothing comes', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, for: '2m' })
    for (const [i, value] of [11, 11, 15, 11].entries()) farm.at(T0 + i * MINUTE, value)
    expect(farm.told).toEqual([])
    farm.tick(119)
    expect(farm.told).toEqual([])
    farm.tick(2)
    expect(farm.told).toMatchObject([{ event: 'opened', at: T0 + 5 * MINUTE }])
  })

  test('looks at the newest reading, whatever comes out of order behind it', () => {
    const farm = new Farm()
    farm.rule(DRY)
    farm.at(T0 + 2_000, 20)
    farm.at(T0 + 1_000, 5)
    expect(farm.told).toEqual([])
  })
})

describe('other conditions', () => {
  test('silence is told when the time is over, and an outage of the log ages nobody', () => {
    const farm = new Farm()
    farm.rule({ select: { metric: 'm' }, when: { silent: '10m' } })
    farm.at(T0, 1)
    farm.feed(partitionActor.tick(), T0 + 5 * HOUR)
    expect(farm.told).toEqual([])
    farm.tick(596)
    expect(farm.told).toMatchObject([{ event: 'opened', message: 'M of d has sent nothing for 10 minutes.' }])
    farm.at(farm.timeMs + 1_000, 2)
    expect(farm.events).toEqual(['opened', 'resolved'])
  })

  test('a series that was silent before there was the rule is told once the rule has waited for as long; one that was told stays so when the rule changes', () => {
    const farm = new Farm()
    farm.at(T0, 1)
    farm.tick()
    farm.rule({ select: { metric: 'm' }, when: { silent: '2m' } })
    farm.tick(119)
    expect(farm.told).toEqual([])
    farm.tick(2)
    expect(farm.events).toEqual(['opened'])
    farm.rule({ select: { metric: 'm' }, when: { silent: '1m' } })
    farm.tick(200)
    expect(farm.events).toEqual(['opened'])
    farm.at(farm.timeMs, 2)
    expect(farm.events).toEqual(['opened', 'resolved'])
  })

  test('a silence that is learned follows the rhythm of each series', () => {
    const farm = new Farm()
    farm.rule({ select: { metric: 'm' }, when: { silent: 'learned' } })
    for (let s = 1; s <= 600; s++) {
      farm.feed(partitionActor.tick(), T0 + s * 1_000)
      if (s % 5 === 0) farm.at(T0 + s * 1_000, s, 'quick')
      if (s % 60 === 0) farm.at(T0 + s * 1_000, s, 'slow')
    }
    expect(farm.told).toEqual([])
    farm.tick()
    const after = farm.told.map(({ at }) => (at - T0) / 1_000 - 600)
    expect(farm.told.map((a) => a.message)).toEqual([expect.stringMatching(/^M of quick has sent nothing for 1\d seconds\.$/), expect.stringMatching(/^M of slow has sent nothing for 3 minutes\.$/)])
    expect(after[0]).toBeLessThan(30)
    expect(after[1]).toBeGreaterThan(120)
  })

  test('what flapped and was calm when its rule was changed waits for its next reading, and for no tick', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, flapping: { count: 3, within: '10m' } })
    for (let i = 0; i < 40; i++) farm.at(T0 + i * 30_000, i % 2 === 0 ? 11 : 15)
    farm.rule({ ...DRY, flapping: { count: 3, within: '10m' }, when: { below: 13, clear: 14 } })
    farm.tick(2_000)
    expect(farm.events.slice(6)).toEqual([])
    expect(partitionActor.wantsTick(farm.state)).toBe(false)
    farm.at(farm.timeMs + 1_000, 15)
    expect(farm.events.slice(6)).toEqual(['resolved'])
  })

  test('a change within a time, and a deviation from the last hour', () => {
    const farm = new Farm()
    farm.rule({ select: { metric: 'm' }, when: { rises: 5, within: '1h' } }, 'rise')
    farm.rule({ select: { metric: 'm' }, when: { deviates: '20%', from: '1h', side: 'above' } }, 'far')
    for (let i = 0; i < 120; i++) farm.at(T0 + i * MINUTE, 10 + i / 60)
    expect(farm.told).toEqual([])
    farm.at(T0 + 121 * MINUTE, 17)
    expect(farm.told.map((a) => a.message)).toEqual(['M of d has risen to 17, by 5 or more within 1 hour.', 'M of d is 17, far from the 10.49 of the last hour.'])
  })

  test('an anomaly holds for a while behind the last one', () => {
    const farm = new Farm()
    farm.rule({ select: { metric: 'm' }, when: { anomaly: 0, hold: '2m' } })
    const random = seeded(3)
    for (let i = 0; i < 300; i++) farm.at(T0 + i * 10_000, i === 290 ? 90 : 20 + random())
    expect(farm.anomalies.length).toBeGreaterThan(0)
    farm.tick(300)
    expect(farm.events).toEqual(['opened', 'resolved'])
  })

  test('a forecast says when it will cross', () => {
    const farm = new Farm([Flag.forecasts, Flag.rules])
    farm.rule({ select: { metric: 'm' }, when: { forecast: { below: 12 }, within: '6h' } })
    for (let h = 0; h < 96; h++) for (const m of [10, 40]) farm.at(T0 + h * HOUR + m * MINUTE, 60 - h * 0.5)
    const crossing = farm.told.find((a) => a.event === 'opened')!
    expect(crossing.message).toMatch(/^M of d will fall below 12 in about [3-6] hours\.$/)
    expect(crossing.value).toBeGreaterThan(12)
  })

  test('all, any and not combine them, over the metrics of one device, and what is unknown raises nothing', () => {
    const farm = new Farm()
    farm.rule({ select: { metric: 'm' }, when: { all: [{ below: 12 }, { not: { metric: 'rain', above: 0 } }, { any: [{ metric: 'wind', above: 5 }, { above: 100 }] }] } })
    farm.at(T0, 10)
    farm.at(T0, 10, 'd', 'rain')
    expect(farm.told).toEqual([])
    farm.at(T0 + 1_000, 8, 'd', 'wind')
    expect(farm.told).toEqual([])
    farm.at(T0 + 2_000, 0, 'd', 'rain')
    expect(farm.told).toMatchObject([{ event: 'opened', message: 'M of d is 10, below 12 and its wind is 8, above 5.' }])
    // Of another device they say nothing.
    farm.at(T0 + 3_000, 9, 'e', 'rain')
    expect(farm.events).toEqual(['opened'])
    farm.at(T0 + 3_000, 9, 'd', 'rain')
    expect(farm.events).toEqual(['opened', 'resolved'])
  })

  test('outside its schedule a rule raises nothing, and does so at the minute at which it begins, by the clocks of its zone', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, schedule: { zone: 'Europe/Vienna', days: ['thu'], from: '06:00', to: '08:00' } })
    farm.at(T0, 10)
    farm.at(T0 + 5 * HOUR - 30_000, 10)
    expect(farm.told).toEqual([])
    farm.tick(31)
    // 2026-01-01 is a Thursday, and Vienna an hour ahead.
    expect(farm.told).toMatchObject([{ event: 'opened', at: T0 + 5 * HOUR }])
    farm.at(T0 + 9 * HOUR, 20)
    expect(farm.events).toEqual(['opened', 'resolved'])
  })
})

describe('the life of an alert', () => {
  test('people acknowledge and resolve it; what they resolved stays so until all was well once', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, steps: [{ severity: 'critical', when: { below: 8 } }] })
    farm.at(T0, 11)
    farm.act('ack')
    farm.act('ack')
    expect(farm.told.at(-1)).toMatchObject({ event: 'acknowledged', by: 'ann', number: 2, message: 'Somebody looks after it: on my way.' })
    farm.at(T0 + 1_000, 7)
    farm.act('ack')
    farm.act('resolve')
    farm.act('resolve')
    farm.at(T0 + 2_000, 6)
    expect(farm.events).toEqual(['opened', 'acknowledged', 'escalated', 'acknowledged', 'resolved'])
    farm.at(T0 + 3_000, 20)
    farm.at(T0 + 4_000, 11)
    expect(farm.events.slice(5)).toEqual(['reopened'])
  })

  test('what is asked for of an alert that there is not, or no longer, does nothing', () => {
    const farm = new Farm()
    farm.rule(DRY)
    farm.at(T0, 20)
    farm.act('ack', 'r.none.1')
    farm.at(T0 + 1_000, 11)
    farm.act('resolve', `${farm.told[0].id}x`)
    expect(farm.events).toEqual(['opened'])
    expect(farm.state.malformed).toBe(0)
  })

  test('flapping is told once, and then nothing until it has been quiet', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, flapping: { count: 3, within: '10m' } })
    for (let i = 0; i < 40; i++) farm.at(T0 + i * 30_000, i % 2 === 0 ? 11 : 15)
    expect(farm.events).toEqual(['opened', 'resolved', 'reopened', 'resolved', 'reopened', 'flapping'])
    farm.tick(599)
    expect(farm.events.length).toBe(6)
    farm.tick(2)
    expect(farm.events.slice(6)).toEqual(['resolved'])
    farm.at(farm.timeMs + 1_000, 11)
    expect(farm.events.slice(7)).toEqual(['reopened'])
  })

  test('what is shelved stays so until the time that was named, by the log alone, though it passes and comes back meanwhile', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, reopen: '1m' })
    farm.at(T0, 11)
    farm.shelve(2 * HOUR)
    expect(farm.told.at(-1)).toMatchObject({ event: 'shelved', by: 'ann', number: 2, message: 'Somebody has put it aside for 2 hours.' })
    expect(partitionActor.snapshotVersionOf(farm.state)).toBe(12)
    farm.restore()
    farm.at(T0 + 10 * MINUTE, 20)
    farm.restore()
    farm.at(T0 + 30 * MINUTE, 10)
    farm.restore()
    expect(farm.events).toEqual(['opened', 'shelved', 'resolved', 'reopened', 'shelved'])
    expect(farm.told.at(-1)).toMatchObject({ by: null, id: farm.told[0].id, message: 'It stays put aside for another 90 minutes.' })
    // Ticks alone bring the end of it.
    farm.tick(90 * 60 - 2)
    expect(farm.events.length).toBe(5)
    farm.tick(10)
    expect(farm.events.slice(5)).toEqual(['unshelved'])
    expect(farm.told.at(-1)!.message).toBe('M of d is 10, below 12. It was put aside, and that time is over.')
    expect(partitionActor.snapshotVersionOf(farm.state)).toBe(10)
    // Beyond the shelf and the rule's time it is another one.
    farm.at(farm.timeMs + MINUTE, 20)
    farm.at(farm.timeMs + 10 * MINUTE, 11)
    expect(farm.told.at(-1)).toMatchObject({ event: 'opened', number: 1 })
  })

  test('what is shelved is taken up again by who says so, who acknowledges or resolves it, and by growing worse', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, steps: [{ severity: 'critical', when: { below: 8 } }] })
    farm.at(T0, 11)
    farm.act('unshelve')
    farm.shelve(HOUR)
    farm.shelve(2 * HOUR)
    farm.act('unshelve')
    expect(farm.told.at(-1)).toMatchObject({ event: 'unshelved', by: 'ann', message: 'Somebody has taken it up again: on my way.' })
    farm.shelve(HOUR)
    farm.act('ack')
    farm.shelve(HOUR)
    farm.at(T0 + MINUTE, 7)
    farm.shelve(HOUR)
    farm.act('resolve')
    farm.shelve(HOUR)
    farm.shelve(-HOUR)
    expect(farm.events).toEqual(['opened', 'shelved', 'shelved', 'unshelved', 'shelved', 'acknowledged', 'shelved', 'escalated', 'shelved', 'resolved'])
    farm.at(T0 + 2 * MINUTE, 20)
    farm.at(T0 + 3 * MINUTE, 11)
    expect(farm.events.slice(10)).toEqual(['reopened'])
    farm.shelve(HOUR)
    // A rule that is changed keeps what was put aside.
    farm.rule({ ...DRY, name: 'Drier' })
    expect(farm.events.slice(11)).toEqual(['shelved'])
    farm.tick(3_700)
    expect(farm.events.slice(12)).toEqual(['unshelved'])
  })

  test('severity falls with what holds, where the rule says so', () => {
    const document = { ...DRY, steps: [{ severity: 'critical', when: { below: 8, clear: 9 } }] }
    for (const eases of [false, true]) {
      const farm = new Farm()
      farm.rule({ ...document, eases })
      for (const [i, value] of [11, 7, 8.5, 10, 7, 15].entries()) farm.at(T0 + i * MINUTE, value)
      const told = farm.told.map(({ event, severity }) => `${event} ${severity}`)
      expect(told).toEqual(eases ? ['opened warning', 'escalated critical', 'eased warning', 'escalated critical', 'resolved critical'] : ['opened warning', 'escalated critical', 'resolved critical'])
      if (eases) expect(farm.told[2].message).toBe('M of d is 10, below 12, which is less bad than before.')
    }
  })

  test('its words are the rule’s own', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, labels: { crop: 'maize' }, message: '{severity}: {labels.crop} at {device} {what} ({value}, {metric}, {rule})', resolved: '{device} {what}' })
    farm.at(T0, 11.23456)
    farm.at(T0 + 1_000, 20)
    expect(farm.told.map((a) => a.message)).toEqual(['warning: maize at d is 11.23, below 12 (11.23, m, Soil too dry)', 'd is as it should be'])
  })
})

describe('rules', () => {
  test('are followed in their greatest revision, and each message is confirmed', () => {
    const farm = new Farm()
    farm.rule(DRY, 'r', 5)
    farm.rule({ ...DRY, when: { below: 5 } }, 'r', 4)
    farm.at(T0, 11)
    expect(farm.events).toEqual(['opened'])
    expect(farm.confirmed).toEqual(['r 5', 'r 5'])
  })

  test('that are changed go on with their alerts; those that end, or are about others from then on, resolve theirs', () => {
    const farm = new Farm()
    farm.rule(DRY)
    for (const device of ['a', 'b', 'c']) farm.at(T0, 11, device)
    farm.rule({ ...DRY, select: { metric: 'm', devices: ['a', 'b'] }, when: { below: 13 } })
    expect(farm.told.slice(3)).toMatchObject([{ event: 'resolved', message: 'M of c: the rule Soil too dry is no longer about it.' }])
    farm.at(T0 + 1_000, 12.5, 'a')
    farm.at(T0 + 1_000, 13.5, 'b')
    expect(farm.events.slice(4)).toEqual(['resolved'])
    farm.rule(null)
    expect(farm.told.slice(5)).toMatchObject([{ event: 'resolved', number: 2, id: farm.told[0].id, message: 'M of a: the rule Soil too dry has been taken back.' }])
    farm.at(T0 + 2_000, 1, 'a')
    expect(farm.told.length).toBe(6)
    expect(farm.state.rules.bySeries.filter((list) => list !== undefined)).toEqual([])
  })

  test('that are taken back and put again while the log’s time stands still raise another alert, under a name of its own, also behind a snapshot', () => {
    const names = (resumed: boolean): string[] => {
      const farm = new Farm()
      for (let i = 0; i < 3; i++) {
        farm.rule(DRY)
        // The server's clock has stepped back: time goes on only once it has caught up.
        for (const value of [11, 15, 11]) farm.feed(blockOf([{ device: 'd', metric: 'm', ts: T0 + MINUTE + farm.told.length, value }]), T0 + MINUTE)
        farm.rule(null)
        if (resumed) farm.state = partitionActor.restore(partitionActor.snapshot(farm.state))
      }
      const told = farm.told.map(({ id, number }) => `${id} ${number}`)
      expect(new Set(told).size).toBe(12)
      expect(farm.told.every(({ at }) => at === T0 + MINUTE)).toBe(true)
      return told
    }
    expect(names(true)).toEqual(names(false))
  })

  test('reach series that come about later, those of their tenant and choice alone', () => {
    const farm = new Farm()
    farm.rule({ ...DRY, select: { metric: 'm', prefix: 'field-1/' } })
    farm.rule(DRY, 's', 1, 'other')
    for (const [device, metric] of [['field-1/a', 'm'], ['field-1/a', 'n'], ['field-10/a', 'm']]) farm.at(T0, 1, device, metric)
    expect(farm.told.length).toBe(1)
    farm.feed(blockOf([{ device: 'x', metric: 'm', ts: T0, value: 1 }], [], 'other'))
    expect(farm.told.map((a) => a.rule)).toEqual(['r', 's'])
  })

  test('without their flag are messages that nobody can read; nor is a body that is none, ever', () => {
    const bench = new Bench()
    bench.feed(encodeRule({ tenant: 'default', id: 'r', revision: 1, body: JSON.stringify(parseRule(DRY).rule) }))
    bench.feed(encodeAction({ tenant: 'default', device: 'd', metric: 'm', alert: 'x', action: 'ack', by: '', note: '' }))
    expect(bench.state.malformed).toBe(2)
    const farm = new Farm()
    const whole = parseRule({ ...DRY, schedule: { zone: 'Europe/Vienna' } }).rule
    const cut = Object.keys(whole).filter((key) => key !== 'undefined').map((key) => JSON.stringify({ ...whole, [key]: undefined }))
    for (const body of ['', '[', 'null', '7', '{}', ...cut]) expect(farm.feed(encodeRule({ tenant: 'default', id: 'r', revision: 1, body })).rules).toEqual([])
    expect(farm.state.malformed).toBe(5 + cut.length)
    expect(farm.state.rules.size).toBe(0)
  })

  test('are a part of the snapshot: whatever is restored goes on to the same alerts, to the byte', () => {
    const [straight, restored] = [new Farm(FLAGS), new Farm(FLAGS)]
    expect(partitionActor.snapshotVersionOf(straight.state)).toBe(9)
    const random = seeded(9)
    const documents = [
      { ...DRY, for: '1m', steps: [{ severity: 'critical', when: { below: 6 } }], flapping: { count: 3, within: '5m' } },
      { select: { metric: 'm' }, when: { any: [{ silent: 'learned' }, { silent: '3m' }] } },
      { select: { metric: 'm' }, when: { rises: 6, within: '10m' }, schedule: { zone: 'Asia/Kolkata', from: '22:00', to: '05:45' } },
      { select: { metric: 'm' }, when: { all: [{ deviates: 2, from: '15m', side: 'both' }, { metric: 'n', above: 10 }] } },
      { select: { metric: 'n' }, when: { anomaly: 0.5, hold: '1m' } },
    ]
    for (const farm of [straight, restored]) documents.forEach((document, i) => farm.rule(document, `r${i}`))
    expect(partitionActor.snapshotVersionOf(straight.state)).toBe(10)
    for (let i = 0; i < 900; i++) {
      const ts = T0 + i * 15_000
      const readings = ['a', 'b', 'c'].flatMap((device) => ['m', 'n'].map((metric) => ({ device, metric, ts, value: Math.abs(((i >> (device === 'c' ? 1 : 4)) % 40) - 20) + Math.round(20 * random()) / 20 + (metric === 'n' && i % 250 === 249 ? 300 : 0) }))).filter((r) => random() < 0.8 && !(r.device === 'b' && i % 100 > 70))
      for (const farm of [straight, restored]) {
        if (i === 600) farm.rule({ ...DRY, when: { below: 9 } }, 'r0')
        if (i === 700) farm.rule(null, 'r4')
        if (i % 40 === 39 && farm.told.length > 0) farm.feed(encodeAction({ tenant: 'default', device: 'a', metric: 'm', alert: farm.told.findLast((a) => a.rule === 'r0')?.id ?? '', action: i % 80 === 39 ? 'ack' : 'resolve', by: 'x', note: '' }))
        farm.feed(blockOf(readings), ts)
      }
      if (i % 7 === 0) restored.restore()
    }
    for (const farm of [straight, restored]) farm.tick(2_000)
    expect(new Set(straight.events)).toEqual(new Set(['opened', 'escalated', 'acknowledged', 'resolved', 'reopened', 'flapping']))
    expect(new Set(straight.told.map((a) => a.rule)).size).toBe(5)
    expect(restored.told).toEqual(straight.told)
    expect(Buffer.from(partitionActor.snapshot(restored.state)).equals(partitionActor.snapshot(straight.state))).toBe(true)
    // Each event has a name of its own.
    expect(new Set(straight.told.map((a) => `${a.id} ${a.number}`)).size).toBe(straight.told.length)
  })

  test('a commit with an alert in it is sent at once', () => {
    const farm = new Farm()
    farm.rule(DRY)
    const effects = partitionActor.effects()
    partitionActor.step(farm.state, { seq: 100, timeMs: T0, data: blockOf([{ device: 'd', metric: 'm', ts: T0, value: 1 }]) }, effects)
    expect(partitionActor.urgent(effects)).toBe(true)
  })
})
