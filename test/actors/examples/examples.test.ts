/** The documented examples of own actors, tested as their authors would: one import, readings in, crashes, rows out. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { tryActor } from 'weir/testing'
import degreeDays from '../../../actors/examples/degree-days.ts'
import nightLeak from '../../../actors/examples/night-leak.ts'
import pumpDuty from '../../../actors/examples/pump-duty.ts'

const HOUR_MS = 3_600_000
const at = (text: string) => Date.parse(`${text}Z`)

describe('examples of own actors', () => {
  test('are of 40 lines at most', () => {
    for (const name of ['degree-days', 'night-leak', 'pump-duty']) {
      const lines = readFileSync(join(import.meta.dirname, '../../../actors/examples', `${name}.ts`), 'utf8').trimEnd().split('\n')
      expect(lines.length, name).toBeLessThanOrEqual(40)
    }
  })

  test('degree days are those of each day, their sum begins anew with the year, and a crash in the middle changes nothing', () => {
    const trial = tryActor(degreeDays)
    const day = (date: string, least: number, most: number) => {
      for (const [hour, value] of [['04', least], ['15', most]] as const) trial.give([{ device: 'field-1', metric: 'temperature', ts: at(`${date}T${hour}:00`), value }])
    }
    day('2025-12-30', 8, 16)
    trial.snapshot()
    day('2025-12-31', 10, 20)
    trial.crash()
    day('2026-01-01', 2, 6)
    day('2026-01-02', 12, 18)
    trial.crash()
    day('2026-01-03', 0, 0)
    expect(trial.rows('field-1')).toEqual([
      { key: 'field-1', at: at('2025-12-30T00:00'), least: 8, most: 16, degrees: 2, total: 2 },
      { key: 'field-1', at: at('2025-12-31T00:00'), least: 10, most: 20, degrees: 5, total: 7 },
      { key: 'field-1', at: at('2026-01-01T00:00'), least: 2, most: 6, degrees: 0, total: 0 },
      { key: 'field-1', at: at('2026-01-02T00:00'), least: 12, most: 18, degrees: 5, total: 5 },
    ])
  })

  test('a pump is told by the hour, warned of when it starts too often, and forgiven', () => {
    const trial = tryActor(pumpDuty)
    const [from, to] = [at('2026-05-01T06:00'), at('2026-05-01T07:00')]
    for (let minute = 0; minute < 60; minute++) trial.give([{ device: 'pump-1', metric: 'pump_current', ts: from + minute * 60_000, value: Math.floor(minute / 2) % 2 === 1 ? 4 : 0 }])
    trial.snapshot().passTime(to).crash()
    trial.give([{ device: 'pump-1', metric: 'pump_current', ts: to + 60_000, value: 0 }]).passTime(to + HOUR_MS)
    expect(trial.rows()).toEqual([
      { key: 'pump-1', at: from, minutes: 30, starts: 15 },
      { key: 'pump-1', at: to, minutes: 1, starts: 0 },
    ])
    expect(trial.alerts('pump-1').map(({ event, severity, message }) => ({ event, severity, message }))).toEqual([
      { event: 'opened', severity: 'warning', message: 'pump-1 started 15 times in an hour' },
      { event: 'resolved', severity: 'warning', message: 'pump-1 starts at its usual pace again' },
    ])
  })

  test('a leak is found by the meters of a site together, which a document names', () => {
    const trial = tryActor(nightLeak)
    trial.document('north', { meters: ['meter-1', 'meter-2'], limit: 0.5 })
    const night = (date: string, flows: readonly (readonly [string, number])[]) => {
      for (let hour = 0; hour < 6; hour++) trial.give(flows.map(([device, value]) => ({ device, metric: 'flow', ts: at(`${date}T0${hour}:30`), value })))
      trial.passTime(at(`${date}T06:00`))
    }
    night('2026-05-01', [['meter-1', 0.25], ['meter-2', 0.125], ['meter-3', 9]])
    trial.snapshot()
    night('2026-05-02', [['meter-1', 0.25], ['meter-2', 0.25], ['meter-3', 9]])
    trial.crash()
    night('2026-05-03', [['meter-1', 0.5], ['meter-2', 0]])
    expect(trial.rows().map(({ key, least, limit }) => [key, least, limit])).toEqual([['north', 0.375, 0.5], ['north', 0.5, 0.5], ['north', 0.5, 0.5]])
    expect(trial.alerts().map(({ key, event }) => `${key} ${event}`)).toEqual([])
    night('2026-05-04', [['meter-1', 0.5], ['meter-2', 0.25]])
    night('2026-05-05', [['meter-1', 0.4], ['meter-2', 0]])
    trial.document('north', null)
    expect(trial.alerts().map(({ key, name, event }) => `${key} ${name} ${event}`)).toEqual(['north leak opened', 'north leak resolved'])
    expect(trial.keys()).toEqual([])
  })
})
