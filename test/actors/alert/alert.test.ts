/** Parts of rules by themselves: schedules, words, lives, and trials against the partition that would have followed the rule. */

import { describe, expect, test } from 'vitest'
import { parseRule } from '../../../actors/alert/document.ts'
import { EVENTS, Life } from '../../../actors/alert/life.ts'
import type { AlertEvent } from '../../../actors/alert/life.ts'
import { decodeRule } from '../../../actors/alert/rule.ts'
import { isWithin, toNextMinute } from '../../../actors/alert/schedule.ts'
import { tryRule } from '../../../actors/alert/trial.ts'
import type { Past } from '../../../actors/alert/trial.ts'
import { durationWords, metricWords, numberWords } from '../../../actors/alert/words.ts'
import { Flag } from '../../../actors/partition/flags.ts'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { encodeRule, encodeSettings } from '../../../actors/reading/input.ts'
import { Bench, blockOf, seeded, T0 } from '../partition/harness.ts'

const ruleOf = (document: object) => parseRule({ select: { metric: 'm' }, when: { above: 1 }, ...document }).rule

describe('a schedule', () => {
  const within = (schedule: object, time: string) => isWithin(ruleOf({ schedule }).schedule!, Date.parse(time))

  test('goes by the clocks of its zone, on both sides of their changes', () => {
    const working = { zone: 'Europe/Vienna', days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '06:00', to: '22:00' }
    for (const [time, holds] of [
      ['2026-01-07T04:59:00Z', false], ['2026-01-07T05:00:00Z', true], ['2026-01-07T20:59:59Z', true], ['2026-01-07T21:00:00Z', false],
      ['2026-07-08T03:59:59Z', false], ['2026-07-08T04:00:00Z', true], ['2026-07-08T20:00:00Z', false], ['2026-01-10T12:00:00Z', false], ['2026-01-12T12:00:00Z', true],
      // The last Sunday of March: an hour is skipped; Friday before it is winter still, Monday behind it is summer.
      ['2026-03-27T05:00:00Z', true], ['2026-03-27T04:00:00Z', false], ['2026-03-30T04:00:00Z', true],
    ] as const) expect([time, within(working, time)]).toEqual([time, holds])
  })

  test('over midnight belongs to the day that it begins in', () => {
    const nights = { zone: 'Asia/Kolkata', days: ['sun'], from: '22:00', to: '05:30' }
    // 2026-01-04 is a Sunday; Kolkata is 5:30 ahead.
    for (const [time, holds] of [['2026-01-04T16:29:00Z', false], ['2026-01-04T16:30:00Z', true], ['2026-01-04T23:59:00Z', true], ['2026-01-05T00:00:00Z', false], ['2026-01-03T20:00:00Z', false]] as const) {
      expect([time, within(nights, time)]).toEqual([time, holds])
    }
  })

  test('holds its offsets itself, so that no machine is asked when it is followed', () => {
    const { schedule } = decodeRule(JSON.stringify(ruleOf({ schedule: { zone: 'europe/vienna' } })))
    expect(schedule!.zone).toBe('Europe/Vienna')
    expect(schedule!.offsets.length).toBeGreaterThan(2 * 70)
    expect([1, 59_999, 60_000].map(toNextMinute)).toEqual([59_999, 1, 60_000])
  })
})

describe('words', () => {
  test('say numbers and durations as people do', () => {
    expect([11.23456, -0.00012346, 123456, 0, NaN].map(numberWords)).toEqual(['11.23', '-0.0001235', '123500', '0', 'unknown'])
    expect([1_000, 45_000, 60_000, 90_000, 600_000, 5_400_000, 7_200_000, 9_000_000, 86_400_000, 260_000].map(durationWords)).toEqual([
      '1 second', '45 seconds', '1 minute', '90 seconds', '10 minutes', '90 minutes', '2 hours', '2 hours 30 minutes', '1 day', '4 minutes 20 seconds',
    ])
    expect(metricWords('soil_moisture.10cm')).toBe('soil moisture 10cm')
  })
})

describe('a life', () => {
  test('makes no move but those of its table, whatever comes in whatever order, and is restored to the same', () => {
    const rule = ruleOf({ steps: [{ severity: 'critical', when: { above: 2 } }], flapping: { count: 3, within: '5m' }, reopen: '1m' })
    const random = seeded(5)
    const after: Record<string, readonly AlertEvent[]> = {
      none: ['opened'], opened: ['escalated', 'eased', 'acknowledged', 'shelved', 'resolved'], reopened: ['escalated', 'eased', 'acknowledged', 'shelved', 'resolved', 'flapping'],
      escalated: ['acknowledged', 'eased', 'shelved', 'resolved'], eased: ['escalated', 'acknowledged', 'shelved', 'unshelved', 'resolved'],
      acknowledged: ['escalated', 'eased', 'shelved', 'resolved'], flapping: ['escalated', 'acknowledged', 'shelved', 'unshelved', 'resolved'], resolved: ['opened', 'reopened'],
      shelved: ['escalated', 'eased', 'acknowledged', 'shelved', 'unshelved', 'resolved', 'flapping'], unshelved: ['escalated', 'eased', 'acknowledged', 'shelved', 'resolved'],
    }
    // An opening may be the one too many, too.
    const follows = (last: string, event: AlertEvent) => after[last].includes(event) || (last === 'opened' && event === 'flapping')
    let life = new Life()
    let last = 'none'
    const seen = new Set<string>()
    for (let i = 0; i < 3_000; i++) {
      const now = { logMs: T0 + i * 7_000, activityMs: i * 5_000 }
      const tell = (event: AlertEvent) => {
        expect([last, event, follows(last, event)]).toEqual([last, event, true])
        last = event
        seen.add(event)
      }
      const draw = random()
      if (draw < 0.3) life.raise(rule, random() < 0.8 ? 0 : 1, now, tell)
      else if (draw < 0.6) life.calm(rule, now, tell)
      else if (draw < 0.62) life.end(now, tell)
      else if (draw < 0.7) life.acknowledge(tell)
      else if (draw < 0.72) i += 30
      else if (draw < 0.78) life.shelve(now.logMs + random() * 200_000, now, tell)
      else if (draw < 0.8) life.unshelve(tell)
      else if (draw < 0.85) life.ease(0, tell)
      else life.passTime(now, tell)
      const restored = new Life()
      restored.restore(life.numbers())
      restored.shelvedUntil = life.shelvedUntil
      expect(restored).toEqual(life)
      life = restored
    }
    expect(seen).toEqual(new Set(EVENTS))
  })
})

describe('a trial', () => {
  test('says what the partition said that followed the rule, where readings came at their own time', () => {
    for (const [n, document] of [
      { when: { above: 15, clear: 14 }, for: '1m', steps: [{ severity: 'critical', when: { above: 19 } }] },
      { when: { any: [{ rises: 4, within: '5m' }, { silent: '2m' }] }, flapping: { count: 3, within: '5m' } },
      { when: { all: [{ deviates: 3, from: '15m', side: 'both' }, { not: { metric: 'n', above: 18 } }] } },
      { when: { silent: 'learned' } },
    ].entries()) {
      const rule = ruleOf(document)
      const random = seeded(n)
      const bench = new Bench()
      bench.feed(encodeSettings({ latenessMs: 0, idleMs: 60_000, retentionMs: 0 }, [Flag.rules]))
      bench.feed(encodeRule({ tenant: 'default', id: 'r', revision: 1, body: JSON.stringify(rule) }))
      const past: Past[] = []
      const told: string[] = []
      const second = (ms: number) => Math.floor(ms / 1_000)
      for (let s = 1; s <= 3_600; s++) {
        const ts = T0 + s * 1_000
        const readings = ['m', 'n'].filter(() => s % 10 === 0 && !(s > 2_000 && s < 2_300)).map((metric) => ({ device: 'd', metric, ts, value: Math.abs(((s / 10) % 40) - 20) + Math.round(8 * random()) / 4 }))
        const { alerts } = bench.feed(readings.length > 0 ? blockOf(readings) : partitionActor.tick(), ts)
        told.push(...alerts.map((a) => `${second(a.at)} ${a.event} ${a.severity} ${a.message}`))
        for (const { metric, value } of readings) past.push({ kind: 'reading', ts, metric, value, score: -1 })
      }
      const tried = tryRule(rule, 'd', past, T0 + 3_600_000).map((e) => `${second(e.at)} ${e.event} ${e.severity} ${e.message}`)
      expect(told.length).toBeGreaterThan(1)
      expect(tried).toEqual(told)
    }
  })
})
