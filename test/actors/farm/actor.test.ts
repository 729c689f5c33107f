/** The farm's actor, driven as a worker drives it: every step told twice, crashes, rows, alerts. */

import { describe, expect, test } from 'vitest'
import { tryActor } from 'weir/testing'
import type { GivenReading } from '../../../actors/own/testing.ts'
import farm from '../../../actors/farm/actor.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const START = Date.UTC(2026, 5, 1)
const weather = (metric: string) => ({ device: 'station', metric })
const plot = (name: string, changes: object = {}) => ({
  name, crop: 'maize', planted: '2026-04-10', soil: 'loam', areaHa: 0.2, latitude: 48.2, longitude: 16.4, elevationM: 170, irrigation: { efficiency: 0.9, rateMmHour: 6 },
  measures: { temperature: weather('temperature'), humidity: weather('humidity'), wind: weather('wind'), radiation: weather('radiation'), rain: weather('rain'), moisture: [{ device: `${name}/probe`, metric: 'moisture' }] }, ...changes,
})

/** An hour of a dry summer, of the station and of a probe in each plot. */
function hourOf(index: number): GivenReading[] {
  const ts = START + index * HOUR + 60_000
  const hour = index % 24
  const warmth = Math.cos((2 * Math.PI * (hour - 3)) / 24)
  const said = { temperature: 20 - 7 * warmth, humidity: 60 + 25 * warmth, wind: 2, radiation: Math.max(0, 800 * Math.sin((Math.PI * (hour - 5)) / 15)), rain: 0 }
  return [...Object.entries(said).map(([metric, value]) => ({ device: 'station', metric, ts, value })), ...['North', 'South'].map((name) => ({ device: `${name}/probe`, metric: 'moisture', ts, value: 25 - (0.7 * index) / 24 }))]
}

function lived(days: number, { crashes = false } = {}) {
  const trial = tryActor(farm).passTime(START).document('north', plot('North')).document('south', plot('South', { planted: '2026-05-25' }))
  for (let day = 0; day < days; day++) {
    for (let hour = 0; hour < 24; hour += 3) trial.give([0, 1, 2].flatMap((more) => hourOf(24 * day + hour + more)))
    if (crashes && (day === 2 || day === 5)) trial.crash()
    if (crashes && day === 3) trial.snapshot()
  }
  return trial
}

describe("the farm's actor", () => {
  test('gives each plot a row a day of the same station, and an alert on the last evening before thirst; a crash repeats and loses nothing', () => {
    const straight = lived(7)
    const crashed = lived(7, { crashes: true })
    expect(crashed.rows()).toEqual(straight.rows())
    expect(crashed.alerts()).toEqual(straight.alerts())

    const north = straight.rows('north')
    expect(north.map(({ day }) => day).slice(0, 3)).toEqual(['2026-06-01', '2026-06-02', '2026-06-03'])
    expect(straight.rows('south')).toHaveLength(north.length)
    const opened = straight.alerts('north').find(({ event }) => event === 'opened')!
    expect(opened.message).toMatch(/^Water (this|tomorrow) evening, \d+ mm on plot North \([\d,]+ litres, [\d.]+ hours\)\.$/)
    const then = north.find(({ day }) => Date.parse(String(day)) + DAY + HOUR <= opened.at && Date.parse(String(day)) + 2 * DAY + HOUR > opened.at)!
    expect(Number(then.depletion_mm)).toBeLessThan(Number(then.ready_mm))
    expect(String(then.reasons).split('\n').length).toBeGreaterThan(3)
  })

  test('ends days by ticks where nothing is heard, and resolves its alert with the plot', () => {
    const trial = lived(7)
    const before = trial.rows('north').length
    trial.passTime(START + 10 * DAY + 2 * HOUR)
    expect(trial.rows('north').slice(before).map(({ day, et0_source: source }) => [day, source])).toEqual([['2026-06-07', 'penman-monteith'], ['2026-06-08', 'last days'], ['2026-06-09', 'last days'], ['2026-06-10', 'last days']].slice(-(trial.rows('north').length - before)))
    expect(trial.alerts('north').at(-1)!.event).not.toBe('resolved')
    trial.document('north', null)
    expect(trial.alerts('north').at(-1)!.event).toBe('resolved')
    expect(trial.keys()).toEqual(['south'])
  })

  test('history that is told in one go gives rows and no alerts', () => {
    const trial = tryActor(farm).passTime(START + 60 * DAY).document('north', plot('North'))
    for (let day = 0; day < 9; day++) trial.give(Array.from({ length: 24 }, (_, hour) => hourOf(24 * day + hour)).flat(), { at: START + 60 * DAY })
    expect(trial.rows('north')).toHaveLength(8)
    expect(trial.alerts()).toEqual([])
  })

  test('a document that is no plot is told in its state, and harms no other', () => {
    const trial = tryActor(farm).passTime(START).document('bad', { name: 'Bad' }).document('north', plot('North'))
    for (let hour = 0; hour < 30; hour++) trial.give(hourOf(hour))
    expect(trial.state('bad').problem).toMatch(/^Cannot use this plot as \/crop must be one of/)
    expect(trial.rows('north')).toHaveLength(1)
  })
})
