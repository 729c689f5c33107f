/** Laws of the patterns of the day: the clock of who reads, and words for who is unlike the others. */

import { describe, expect, test } from 'vitest'
import { clockOf, dayWords, extentOf, typicalDay } from '../../../../actors/analytics/dashboard/client/patterns/typical-day.ts'
import { comingWords, farWords, headline, kindWords, sinceWords } from '../../../../actors/analytics/dashboard/client/patterns/words.ts'
import type { FleetKind, FleetOutlier } from '../../../../actors/analytics/dashboard/client/shapes.ts'

const DAY = 86_400_000
const words = { text: (_m: string, v: number | null | undefined) => `${Math.round(v! * 10) / 10} °C` }
/** Greatest in the hour of UTC from `peak` on, least twelve hours from there. */
const profileOf = (peak: number) => Array.from({ length: 24 }, (_, h) => 5 * Math.cos(((h - peak) / 24) * 2 * Math.PI))

describe('a typical day', () => {
  test('goes by the clock of who reads, wherever that is', () => {
    for (const ahead of [0, 60, 330, -210, 765, -720]) {
      const day = typicalDay({ profile: profileOf(14), spread: 1 }, 20, ahead)
      expect([ahead, day.high.minute, day.low.minute]).toEqual([ahead, (14 * 60 + 30 + ahead + 1_440) % 1_440, (2 * 60 + 30 + ahead + 1_440) % 1_440])
      expect([day.high.value, day.low.value]).toEqual([25, 15].map((v) => expect.closeTo(v, 9)))
    }
  })

  test('reaches from midnight to midnight without a jump, its minutes in order', () => {
    for (const ahead of [0, 30, 60, 330, 345, -210]) {
      const { points } = typicalDay({ profile: profileOf(14), spread: 1 }, 20, ahead)
      const minutes = points.map(({ minute }) => minute)
      expect([minutes[0], minutes.at(-1)]).toEqual([0, 1_440])
      expect(minutes).toEqual([...new Set(minutes)].sort((a, b) => a - b))
      expect(points[0].value).toBe(points.at(-1)!.value)
      const exact = (minute: number) => 20 + 5 * Math.cos(((minute - 30 - ahead) / 60 - 14) / 24 * 2 * Math.PI)
      for (const { minute, value } of points) expect([ahead, minute, Math.abs(value - exact(minute)) < 0.05]).toEqual([ahead, minute, true])
    }
  })

  test('is a sentence, and shares its scale with others of its kind', () => {
    const day = typicalDay({ profile: profileOf(14), spread: 0.6 }, 20, 0)
    expect(dayWords('t', day, words)).toBe('Around 20 °C: lowest about 02:30 with 15 °C, highest about 14:30 with 25 °C; a day is usually within 0.6 °C of this.')
    expect(dayWords('t', { ...day, spread: 0 }, words)).toMatch(/with 25 °C\.$/)
    expect(extentOf([day, typicalDay({ profile: profileOf(2), spread: 0 }, 40, 0)])).toEqual([14.4, 45].map((v) => expect.closeTo(v, 9)))
    const flat = typicalDay({ profile: new Array<number>(24).fill(0), spread: 0 }, 3, 0)
    expect(extentOf([flat])).toEqual([2.5, 3.5])
    expect([clockOf(0), clockOf(390), clockOf(1_439.7)]).toEqual(['00:00', '06:30', '00:00'])
  })
})

describe('who is unlike the others', () => {
  const today = Date.UTC(2026, 10, 28)
  const odd = (over: Partial<FleetOutlier> = {}): FleetOutlier => ({ device: 'd-1', day: today - DAY, since: today - DAY, by: 'profile', distance: 4.2, usual: 0.6, ...over })

  test('is out by so much, and so many times as far as usual', () => {
    expect(farWords('t', odd(), words)).toBe('Its day goes another way: 4.2 °C from the nearest pattern, 7 times as far as usual')
    expect(farWords('t', odd({ by: 'level', distance: -8, usual: 1.2 }), words)).toBe('On average 8 °C below the others, 6.7 times as far as usual')
    expect(farWords('t', odd({ by: 'level', distance: 8, usual: 0.1 }), words)).toMatch(/above the others, 80 times/)
    expect(farWords('t', odd({ usual: 0 }), words)).toBe('Its day goes another way: 4.2 °C from the nearest pattern')
  })

  test('is so since a day, for days in a row, and it is said where nothing is known of late', () => {
    const noon = today + DAY / 2
    expect(sinceWords(odd(), noon)).toMatch(/^on .*27\b/)
    expect(sinceWords(odd({ since: today - 3 * DAY }), noon)).toMatch(/^since .*25\b.*, for 3 days$/)
    expect(sinceWords(odd({ since: today - 8 * DAY, day: today - 5 * DAY }), noon)).toMatch(/^since .*20\b.*, for 4 days; nothing is known of it since .*23\b/)
  })

  test('is counted in the headline, and a kind tells of whom it is', () => {
    expect(headline([{ kinds: 1, outliers: 0 }])).toMatch(/1 kind, no device is unlike the others\.$/)
    expect(headline([{ kinds: 1, outliers: 0 }, { kinds: 2, outliers: 1 }])).toMatch(/3 kinds, in one case a device/)
    const kind = { devices: 36, sort: 'field-#', days: 720, ungrouped: 0 } as FleetKind
    expect(kindWords(kind)).toBe('36 devices named field-# (# being any number), learned from 720 days')
    expect(kindWords({ ...kind, devices: 1, days: 1, ungrouped: 1 })).toBe('1 device named field-# (# being any number), learned from 1 day; 1 of them in no pattern until its next day is over')
    expect(kindWords({ ...kind, devices: 0, sort: 'mast' })).toBe('No device of late named mast, learned from 720 days')
  })

  test('while nothing is known, it is said what will come, and when', () => {
    expect(comingWords(today + 15 * 3_600_000)).toMatch(/next at \d\d:\d\d \(in 9 h\)/)
    expect(comingWords(today)).toMatch(/\(in 24 h\)/)
  })
})
