/** A plot through its season: days, weather that is missing, meters, words, grades; and made fields whose truth is known. */

import { describe, expect, test } from 'vitest'
import { adviseOn } from '../../../actors/farm/advice.ts'
import { depletionDeviation, firstBelief, dayGoesBy, moistureSeen } from '../../../actors/farm/filter.ts'
import { dateOf, dayAt, dayOf, parsePlot, PlotError, startOf } from '../../../actors/farm/plot.ts'
import { concerns, firstState, nitrogenOf, plotChanged, readingCame, timePassed } from '../../../actors/farm/season.ts'
import type { PlotDay, PlotState } from '../../../actors/farm/season.ts'
import { adviceWords, gradeWords, nitrogenWords, reasonsOf, urgencyOf } from '../../../actors/farm/words.ts'
import { CLIMATES, skyAt } from '../../../actors/simulation/fields.ts'
import { offsetsFor } from '../../../actors/alert/schedule.ts'
import { STATE_BYTES_MAX } from '../../../actors/own/contract.ts'
import { columnsOf } from '../../bench/farm-columns.ts'
import { livedSeason } from '../../bench/farm-season.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const START = Date.UTC(2026, 5, 1)
const station = (metric: string) => ({ device: 'station', metric })
const document = {
  name: 'North', crop: 'maize', planted: '2026-04-10', soil: 'loam', areaHa: 0.2, latitude: 48.2, longitude: 16.4, elevationM: 170, irrigation: { efficiency: 0.9, rateMmHour: 6 },
  measures: { temperature: station('temperature'), humidity: station('humidity'), wind: station('wind'), radiation: station('radiation'), rain: station('rain'), irrigation: { ...station('meter'), counts: 'total', unit: 'm3' }, moisture: [station('moisture')] },
}

function plotOf(changes: object = {}): PlotState {
  const state = firstState()
  plotChanged(state, parsePlot({ ...document, ...changes }))
  return state
}

/** Days of the same weather, by the hour. */
function live(state: PlotState, days: number, { from = START, say = {} }: { from?: number; say?: Record<string, (hour: number, day: number) => number | null> } = {}): PlotDay[] {
  const ended: PlotDay[] = []
  const usual: Record<string, (hour: number, day: number) => number | null> = {
    temperature: (hour) => 20 - 7 * Math.cos((2 * Math.PI * (hour - 3)) / 24), humidity: (hour) => 60 + 25 * Math.cos((2 * Math.PI * (hour - 3)) / 24), wind: () => 2,
    radiation: (hour) => Math.max(0, 800 * Math.sin((Math.PI * (hour - 5)) / 15)), rain: () => 0, meter: () => 1000, ...say,
  }
  for (let hour = 0; hour <= 24 * days + 1; hour++) {
    for (const [metric, value] of Object.entries(usual)) {
      const said = value(hour % 24, Math.floor(hour / 24))
      const ts = from + hour * HOUR + 60_000
      if (said !== null) readingCame(state, { device: 'station', metric, ts, value: said, receivedAt: ts + 500 }, (day) => ended.push(day))
    }
  }
  return ended
}

const NONE = () => null

describe('a day of a plot', () => {
  test('ends an hour after its midnight, by the clock of its zone, through both changes of the clocks', () => {
    const plot = { offsets: offsetsFor('Europe/Vienna') }
    for (const [date, hours] of [['2026-03-29', 23], ['2026-07-01', 24], ['2026-10-25', 25]] as const) {
      const day = dayOf(date)
      expect((startOf(plot, day + 1) - startOf(plot, day)) / HOUR).toBe(hours)
      expect([dayAt(plot, startOf(plot, day)), dayAt(plot, startOf(plot, day) - 1), dayAt(plot, startOf(plot, day + 1) - 1)]).toEqual([day, day - 1, day])
    }
    expect(live(plotOf({ offsets: offsetsFor('Europe/Vienna'), zone: 'Europe/Vienna' }), 3).map(({ day }) => dateOf(day))).toEqual(['2026-06-01', '2026-06-02', '2026-06-03'])
  })

  test('ends by ticks where its sensors are dead, but not while its history is being told', () => {
    const state = plotOf()
    const ended: number[] = []
    timePassed(state, START + HOUR, ({ day }) => ended.push(day))
    timePassed(state, START + DAY + HOUR / 2, ({ day }) => ended.push(day))
    expect(ended).toEqual([])
    timePassed(state, START + DAY + HOUR, ({ day }) => ended.push(day))
    expect(ended).toEqual([dayOf('2026-06-01')])

    const told = plotOf()
    const now = START + 30 * DAY
    readingCame(told, { device: 'station', metric: 'temperature', ts: START, value: 20, receivedAt: now }, () => expect.unreachable())
    timePassed(told, now + 60_000, () => expect.unreachable())
    expect(told.endedTo).toBe(dayOf('2026-05-31'))
  })

  test('of history that comes series by series, days apart, has all that was measured on it', () => {
    const whole = plotOf()
    live(whole, 6, { say: { moisture: (hour) => 22 + hour / 24 } })
    const apart = plotOf()
    const now = START + 60 * DAY
    const tell = (metric: string, from: number, to: number) => {
      for (let hour = from; hour < to; hour++) {
        const h = hour % 24
        const value = { temperature: 20 - 7 * Math.cos((2 * Math.PI * (h - 3)) / 24), humidity: 60 + 25 * Math.cos((2 * Math.PI * (h - 3)) / 24), wind: 2, radiation: Math.max(0, 800 * Math.sin((Math.PI * (h - 5)) / 15)), rain: 0, meter: 1000, moisture: 22 + h / 24 }[metric]!
        readingCame(apart, { device: 'station', metric, ts: START + hour * HOUR + 60_000, value, receivedAt: now }, () => {})
      }
    }
    const series = ['moisture', 'temperature', 'humidity', 'wind', 'radiation', 'rain', 'meter']
    for (const metric of series) tell(metric, 0, 2)
    for (let from = 2; from < 146; from += 48) for (const metric of series) tell(metric, from, Math.min(146, from + 48))
    expect(apart.days).toEqual(whole.days)
    expect(apart.days.at(-1)!.moisture).toBeCloseTo(0.228, 2)
  })

  test('of history waits for a series that has not come yet, since its partition stands still; and no longer than a minute after the last of it', () => {
    const hours = 30 * 24
    const value = (metric: string, hour: number) => {
      const h = hour % 24
      return { temperature: 20 - 7 * Math.cos((2 * Math.PI * (h - 3)) / 24), humidity: 60 + 25 * Math.cos((2 * Math.PI * (h - 3)) / 24), wind: 2, radiation: Math.max(0, 800 * Math.sin((Math.PI * (h - 5)) / 15)), rain: 0, meter: 1000, moisture: 22 }[metric]!
    }
    const now = START + hours * HOUR
    const told = (state: PlotState, metrics: readonly string[], receivedAt: number, ended: (day: PlotDay) => void = () => {}) => {
      for (const metric of metrics) for (let hour = 0; hour < hours; hour++) readingCame(state, { device: 'station', metric, ts: START + hour * HOUR + 60_000, value: value(metric, hour), receivedAt }, ended)
    }
    const soil = ['moisture', 'rain', 'meter']
    const weather = ['temperature', 'humidity', 'wind', 'radiation']
    // All of the soil's history comes before any of the weather's.
    const apart = plotOf()
    const sources = new Set<string>()
    told(apart, [...soil, ...weather], now, ({ source }) => sources.add(source))
    expect([...sources]).toEqual(['penman-monteith'])
    expect(apart.endedTo).toBe(dayAt(apart.plot!, now) - 2)
    expect(JSON.stringify(apart).length).toBeLessThan(STATE_BYTES_MAX)

    // Weather that never comes is given up.
    const without = plotOf()
    told(without, soil, now)
    expect(without.endedTo).toBeLessThan(dayAt(without.plot!, START) + 1)
    readingCame(without, { device: 'station', metric: 'moisture', ts: now + 61_000, value: 22, receivedAt: now + 61_000 }, () => {})
    expect(without.endedTo).toBeGreaterThanOrEqual(dayAt(without.plot!, now) - 2)
  })

  test('a probe that is dead, beside one whose clock is days behind, holds up no day for more than five', () => {
    const state = plotOf({ measures: { ...document.measures, moisture: [station('moisture'), station('slow')] } })
    live(state, 2, { say: { moisture: () => 22 } })
    const at = START + 9 * DAY
    for (let hour = 24 * 2 + 2; hour <= 24 * 9; hour++) {
      const now = START + hour * HOUR + 60_000
      readingCame(state, { device: 'station', metric: 'temperature', ts: now, value: 20, receivedAt: now }, () => {})
      readingCame(state, { device: 'station', metric: 'slow', ts: now - 3 * DAY, value: 22, receivedAt: now }, () => {})
    }
    expect(dayAt(state.plot!, at) - state.endedTo!).toBeLessThanOrEqual(7)
  })

  test('is not ended by a clock that is ahead, nor changed by what comes after its end', () => {
    const state = plotOf()
    live(state, 1)
    const before = structuredClone(state.days)
    readingCame(state, { device: 'station', metric: 'rain', ts: START + 40 * DAY, value: 5, receivedAt: START + DAY + 2 * HOUR }, () => expect.unreachable())
    readingCame(state, { device: 'station', metric: 'rain', ts: START + HOUR, value: 50, receivedAt: START + DAY + 2 * HOUR }, () => expect.unreachable())
    expect(state.days).toEqual(before)
    expect(state.left).toBe(1)
  })

  test('counts rain as it comes and a meter by what its total grew, in mm over the plot; a total that falls began anew', () => {
    const [first, second] = live(plotOf(), 2, { say: { rain: (hour) => (hour === 5 ? 3 : 0), meter: (hour, day) => (day === 1 && hour >= 18 ? 4 : day === 0 && hour < 10 ? 1000 : 1020) } })
    // 20 m³ on 2,000 m² are 10 mm; then the meter was changed and has counted 4 m³, 2 mm.
    expect([first.rainMm, first.irrigationMm, second.irrigationMm]).toEqual([3, expect.closeTo(10, 9), expect.closeTo(2, 9)])
  })
})

describe('weather that is missing', () => {
  test('degrades step by step, and is said in the reasons', () => {
    const cases = [
      [{}, 'penman-monteith', null],
      [{ wind: NONE, humidity: NONE }, 'penman-monteith', /No humidity or wind was measured; the dew of the night and a light wind is assumed/],
      [{ radiation: NONE }, 'temperatures', /No sunlight was measured/],
      [{ radiation: NONE, temperature: NONE }, 'season', /No weather was ever measured/],
    ] as const
    for (const [say, source, words] of cases) {
      const state = plotOf()
      const day = live(state, 2, { say }).at(-1)!
      expect(day.source).toBe(source)
      expect(day.et0Mm).toBeGreaterThan(2.5)
      expect(day.et0Mm).toBeLessThan(7.5)
      if (words !== null) expect(reasonsOf(state).join('\n')).toMatch(words)
    }
    const state = plotOf()
    const [known] = live(state, 1).slice(-1)
    const [silent] = live(state, 1, { from: START + DAY, say: { temperature: NONE, radiation: NONE, humidity: NONE } }).slice(-1)
    expect(silent.source).toBe('last days')
    expect(silent.et0Mm).toBeCloseTo(known.et0Mm, 1)
    expect(reasonsOf(state).join('\n')).toMatch(/No weather was measured on Tuesday/)
  })

  test('widens what is believed: by less with sun, wind and probes than by temperatures alone, most without any', () => {
    const after = (say: Record<string, () => number | null>) => {
      const state = plotOf()
      live(state, 8, { say })
      return depletionDeviation(state.belief!, 100)
    }
    const [probed, sunny, warm, blind] = [after({ moisture: () => 22 }), after({}), after({ radiation: NONE }), after({ radiation: NONE, temperature: NONE })]
    expect([probed, sunny, warm, blind]).toEqual([probed, sunny, warm, blind].sort((a, b) => a - b))
    expect(blind).toBeGreaterThan(sunny * 1.05)
  })
})

describe('advice', () => {
  test('asks for water on the last evening before thirst, in millimetres, litres and hours, with an interval and reasons', () => {
    const state = plotOf()
    const days: PlotDay[] = []
    let from = START
    while (state.advice === null || state.advice.waterOn === null || state.advice.waterOn - state.advice.madeOn > 1) {
      days.push(...live(state, 1, { from }))
      from += DAY
      expect(days.length).toBeLessThan(40)
    }
    const { grossMm, leastMm, mostMm, litres, hours } = state.advice
    expect(adviceWords(state.plot!, state.advice)).toBe(`Water this evening, ${Math.round(grossMm)} mm on plot North (${Number(litres.toPrecision(3)).toLocaleString('en-US')} litres, ${Math.round(hours! * 10) / 10} hours).`)
    expect([litres, hours]).toEqual([expect.closeTo(grossMm * 2000, 6), expect.closeTo(grossMm / 6, 6)])
    expect(leastMm).toBeLessThan(grossMm)
    expect(mostMm).toBeGreaterThan(grossMm)
    expect(days.at(-1)!.depletionMm).toBeLessThan(days.at(-1)!.readyMm)
    expect(urgencyOf(state.advice, days.at(-1)!)).toBe('warning')
    expect(reasonsOf(state)[0]).toMatch(/^The roots lack \d+ mm of the \d+ mm that they may draw without thirst/)

    // The water is given, and metered: nothing is asked for the next days.
    live(state, 1, { from, say: { meter: (hour) => 1000 + (hour >= 20 ? litres / 1000 : 0) } })
    expect(state.days.at(-1)!.irrigationMm).toBeCloseTo(grossMm, 6)
    expect(reasonsOf(state)[0]).toMatch(/^(The roots lack \d+ mm|The soil about the roots is full)/)
    expect(urgencyOf(state.advice, state.days.at(-1)!)).toBeNull()
  })

  test('stops short of full where it is not sure, by no more than three tenths, and says so', () => {
    const state = plotOf()
    let from = START
    while (state.advice === null || state.advice.waterOn === null) {
      live(state, 1, { from })
      from += DAY
      expect(from).toBeLessThan(START + 40 * DAY)
    }
    const { plot, advice, belief } = state
    const evening = advice.outlook.find(({ day }) => day === advice.waterOn)!
    const fullMm = evening.depletionMm / plot!.efficiency
    expect(advice.grossMm + advice.roomMm).toBeCloseTo(fullMm, 9)
    expect(advice.grossMm).toBeGreaterThanOrEqual(0.7 * fullMm - 1e-9)
    expect(advice.roomMm).toBeGreaterThan(1)
    expect(reasonsOf(state).join('\n')).toMatch(new RegExp(`will fill them, 95 times in 100; this stops ${Math.round(advice.roomMm)} mm short, as what runs over is lost\\.`))

    // Whoever is surer leaves less.
    const surer = { ...belief!, members: belief!.members.map((member) => ({ ...member, spread: member.spread.map((part) => part / 100), mean: belief!.members[3]!.mean })) }
    const given = { after: state.endedTo!, surface: state.surface, parts: state.parts, evaporationDoubt: 0.01 }
    const [unsure, sure] = [belief!, surer].map((of) => adviseOn(plot!, of, given))
    expect(sure!.roomMm / (sure!.grossMm + sure!.roomMm)).toBeLessThan(unsure!.roomMm / (unsure!.grossMm + unsure!.roomMm))
  })

  test('is none before planting and after the season', () => {
    for (const [planted, words] of [['2026-08-01', /it is planted on 2026-08-01/], ['2025-04-01', /its season is over/]] as const) {
      const state = plotOf({ planted })
      live(state, 3)
      expect(adviceWords(state.plot!, state.advice!)).toMatch(words)
    }
  })

  test('water that nobody metered is seen by the probes, and counted', () => {
    const state = plotOf()
    live(state, 20, { say: { moisture: (hour, day) => 25 - 0.4 * (day + hour / 24) } })
    const lacking = state.days.at(-1)!.depletionMm
    live(state, 1, { from: START + 20 * DAY, say: { moisture: (hour, day) => (day === 0 && hour < 6 ? 17 : 24.5) } })
    expect(state.days.at(-1)!.surprise).toBe('wetter')
    expect(state.days.at(-1)!.depletionMm).toBeLessThan(lacking - 25)
    expect(reasonsOf(state).join('\n')).toMatch(/the probes rose more than the water that was metered: it counts as watered/)
  })

  test('nitrogen is what the season needs less what was given', () => {
    const state = plotOf({ nitrogen: { yieldTonnesHa: 12, nitratePpm: 5, organicMatter: 2.5, applied: [{ on: '2026-04-10', kgHa: 60 }, { on: '2026-12-01', kgHa: 50 }] } })
    live(state, 1)
    const { needKgHa, givenKgHa, leftKgHa } = nitrogenOf(state)!
    expect([givenKgHa, leftKgHa]).toEqual([60, needKgHa - 60])
    expect(nitrogenWords(state)).toBe(`Nitrogen: ${Math.round(leftKgHa)} kg/ha to give (${Math.round(needKgHa)} for the season by University of Nebraska, EC117, 60 given).`)
  })
})

describe('what is believed', () => {
  test('has positive variances whatever comes, and a depletion of at most TAW', () => {
    let belief = firstBelief({ readyMm: 50, capacity: 0.25, capacityDeviation: 0.05 })
    for (let day = 0; day < 400; day++) {
      const at = (step: number) => (day * step) % 1
      belief = dayGoesBy(belief, { totalMm: 100, fraction: 0.5, cropUseMm: 9 * at(0.61803), rainMm: day % 6 ? 0 : 80 * at(0.41421), irrigationMm: day % 9 ? 0 : 40, cropUseDoubtMm: at(0.7) }).belief
      if (day % 4) belief = moistureSeen(belief, 0.05 + 0.35 * at(0.2360679), { rootM: 1, totalMm: 100, wet: day % 5 === 0 }).belief
      for (const { mean, spread, weight } of belief.members) {
        expect([0, 6, 12, 18, 24].map((i) => spread[i]! > 0)).toEqual([true, true, true, true, true])
        expect(mean[0]).toBeLessThanOrEqual(100)
        expect([...mean, ...spread].every(Number.isFinite)).toBe(true)
        expect(weight).toBeGreaterThan(0.0009)
      }
      expect(belief.members.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9)
    }
  })

  test('tells field capacity from use where each watering that it asks for runs over, by how the level falls after it', () => {
    // A bowl of 1 m: its probes see field capacity at 30 %, a crop that uses 15 % less than the table, two thirds of what is above drain in a day. The table says 33.5 %.
    const truth = { capacity: 0.3, use: 0.85, drains: 0.65 }
    const days = 90
    let [lackMm, givenMm] = [20, 0]
    let belief = firstBelief({ readyMm: 70, capacity: 0.335, capacityDeviation: 0.04 })
    for (let day = 0; day < days; day++) {
      const irrigationMm = belief.depletionMm > 45 ? belief.depletionMm : 0
      givenMm += irrigationMm
      lackMm += 7 * truth.use - irrigationMm
      if (lackMm < 0) lackMm *= 1 - truth.drains
      belief = dayGoesBy(belief, { totalMm: 140, fraction: 0.5, cropUseMm: 7, rainMm: 0, irrigationMm }).belief
      belief = moistureSeen(belief, truth.capacity - lackMm / 1000, { rootM: 1, totalMm: 140, wet: irrigationMm > 0 }).belief
    }
    expect(Math.abs(belief.capacity - truth.capacity)).toBeLessThan(0.01)
    expect(Math.abs(belief.use - truth.use)).toBeLessThan(0.06)
    expect(Math.abs(belief.depletionMm - lackMm)).toBeLessThan(10)
    expect(givenMm).toBeLessThan(1.15 * days * 7 * truth.use)
  })

  test('of a field that gets a little too much every other day is that it is full, and not that it holds more', () => {
    const truth = { capacity: 0.235, use: 0.85, drains: 0.65 }
    let lackMm = 10
    let belief = firstBelief({ readyMm: 30, capacity: 0.3, capacityDeviation: 0.05 })
    for (let day = 0; day < 40; day++) {
      const irrigationMm = day % 2 ? 8 : 0
      lackMm += 3.2 * truth.use - irrigationMm
      if (lackMm < 0) lackMm *= 1 - truth.drains
      belief = dayGoesBy(belief, { totalMm: 84, fraction: 0.45, cropUseMm: 3.2, rainMm: 0, irrigationMm }).belief
      belief = moistureSeen(belief, truth.capacity - lackMm / 700, { rootM: 0.7, totalMm: 84, wet: irrigationMm > 5 }).belief
    }
    expect(belief.capacity - truth.capacity).toBeLessThan(0.0125)
    expect(Math.abs(belief.depletionMm - lackMm)).toBeLessThan(7)
  })

  test('of an older form is learned anew, and harms nothing', () => {
    const state = plotOf()
    live(state, 2, { say: { moisture: () => 22 } })
    Object.assign(state, { belief: { depletionMm: 30, capacity: 0.25, use: 1, gain: 1, spread: new Array(16).fill(0.1), noise: 0.0001 } })
    const [day] = live(state, 1, { from: START + 2 * DAY, say: { moisture: () => 22 } }).slice(-1)
    expect(Number.isFinite(day!.depletionMm)).toBe(true)
    expect(state.belief!.members.length).toBeGreaterThan(1)
  })
})

describe('a made field whose truth is known', () => {
  const place = { name: 'dry', latitude: 38, elevationM: 100, planted: '2026-05-20', hasRadiation: true, sky: (ms: number) => skyAt(41, CLIMATES.dry, ms) }
  const field = { crop: 'beans', soil: 'silt-loam', seed: 41 } as const

  test('thirsts less by the advice than by a threshold of moisture, and far less than alone', () => {
    const [advised, threshold, alone] = (['advice', 'moisture threshold', 'nothing'] as const).map((way) => livedSeason(place, { ...field, way }))
    expect(advised.stressDays).toBeLessThan(threshold.stressDays + 3)
    expect(advised.stressDays).toBeLessThan(alone.stressDays / 4)
    expect(advised.errors.filter(({ within }) => within).length / advised.errors.length).toBeGreaterThan(0.9)
    // Of what it gave an eighth drains at most.
    expect(advised.drainedMm).toBeLessThan(advised.givenMm / 8)
  })

  test('of another make, uneven and with its probes in one spot, fares alike', () => {
    const [advised, alone] = (['advice', 'nothing'] as const).map((way) => livedSeason(place, { ...field, way, truth: 'columns' }))
    expect(advised!.stressDays).toBeLessThan(alone!.stressDays / 3)
    expect(advised!.errors.filter(({ within }) => within).length / advised!.errors.length).toBeGreaterThan(0.8)
  })

  test('of that make neither makes nor loses water', () => {
    const plan = { fieldCapacity: 0.29, wiltingPoint: 0.15, rootM: 0.9, stageDays: [30, 40, 50, 30], fullUse: 1.2, endShare: 0.3, thirst: 0.35, plantedDay: dayOf('2026-04-20'), efficiency: 0.8 } as const
    const truth = columnsOf(plan, 7)
    const before = truth.storedMm()
    let [cameMm, wentMm] = [0, 0]
    for (let hour = 0; hour < 24 * 90; hour++) {
      const ms = (plan.plantedDay * 24 + hour) * HOUR
      const sky = { ...skyAt(7, CLIMATES.mixed, ms), ...(hour % 700 === 10 ? { rainMm: 70 } : {}) }
      const givenMm = hour % 170 === 20 ? 35 : 0
      const { drunkMm, evaporatedMm, drainedMm, ranOffMm, lostMm } = truth.hour(sky, ms, givenMm)
      cameMm += sky.rainMm + givenMm
      wentMm += drunkMm + evaporatedMm + drainedMm + ranOffMm + lostMm
      expect([drunkMm, evaporatedMm, drainedMm, ranOffMm].every((mm) => mm >= 0)).toBe(true)
    }
    expect(cameMm - wentMm - (truth.storedMm() - before)).toBeCloseTo(0, 6)
    expect(wentMm).toBeGreaterThan(100)
  })

  test('the state of its plot is plain data of less than 64 KiB after a season, and grades what was foretold', () => {
    const { state } = livedSeason(place, { ...field, way: 'advice' })
    const text = JSON.stringify(state)
    expect(text.length).toBeLessThan(64 * 1024)
    expect(JSON.parse(text)).toEqual(state)
    expect(state.grades[1]!.count).toBeGreaterThan(10)
    expect(gradeWords(state)).toMatch(/^So far a day ahead off by [\d.]+ mm, within its interval \d+ times in 100/)
  })
})

describe('the document of a plot', () => {
  test('is refused with the place of what is wrong', () => {
    const refused: [object, string][] = [
      [{ crop: 'mangroves' }, '/crop'],
      [{ planted: '2026-02-30' }, '/planted'],
      [{ areaHa: 0 }, '/areaHa'],
      [{ colour: 'red' }, '/colour'],
      [{ soil: { texture: 'loam', fieldCapacity: 0.2, wiltingPoint: 0.19 } }, '/soil/wiltingPoint'],
      [{ irrigation: { efficiency: 80 } }, '/irrigation/efficiency'],
      [{ measures: { moisture: [station('a'), { ...station('b'), unit: 'inches' }] } }, '/measures/moisture/1/unit'],
      [{ measures: { rain: { device: 'x' } } }, '/measures/rain/metric'],
      [{ crop: 'onions', nitrogen: { yieldTonnesHa: 40 } }, '/nitrogen/cropKgHa'],
      [{ crop: { name: 'maize', stageDays: [30, 40, 50] } }, '/crop/stageDays'],
    ]
    for (const [changes, pointer] of refused) {
      let found: unknown
      try {
        parsePlot({ ...document, ...changes })
      } catch (error) {
        found = error
      }
      expect(found).toBeInstanceOf(PlotError)
      expect((found as PlotError).pointer).toBe(pointer)
      expect((found as PlotError).message).toMatch(/^Cannot use this plot as .+ must be .+: current value is .+/)
    }
  })

  test('says which series concern the plot', () => {
    const plot = parsePlot(document)
    expect([concerns(plot, station('moisture')), concerns(plot, station('meter')), concerns(plot, { device: 'other', metric: 'rain' }), concerns(plot, station('battery'))]).toEqual([true, true, false, false])
  })
})
