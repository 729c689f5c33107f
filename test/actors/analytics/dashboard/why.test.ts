/** Laws of the words that say why something stood out. */

import { describe, expect, test } from 'vitest'
import { kindWords, neighbourWords, offWords, partWords, reasonWords, scaleOf } from '../../../../actors/analytics/dashboard/client/device/why-words.ts'
import type { WhyRow } from '../../../../actors/analytics/dashboard/client/shapes.ts'

const words = { text: (_m: string, v: number | null | undefined) => `${v} %` }
const row = (over: Partial<WhyRow> = {}): WhyRow => ({
  device: 'd-1', metric: 'm', ts: 0, value: 38, score: 0.95, expected: 28, lower: 27, upper: 30, reason: 'spike: 38 is above the expected 28', kind: 'spike', part: 'forecast', useful: null,
  residual: 10, neighbours: { kind: 'd-#', devices: 12, unusual: 1, median: 23.1 }, ...over,
})
const neighbours = (devices: number, unusual: number, kind: string | null = 'd-#') => neighbourWords(row({ neighbours: { kind, devices, unusual, median: 23.1 } }), words)

test('a kind has a name and a meaning, each its own; one that is not known keeps its name, and what earlier versions found has none', () => {
  const kinds = ['spike', 'level shift', 'drift', 'stuck', 'flat-line', 'noise change', 'gap', 'pattern', 'device', 'apart'].map((kind) => kindWords(row({ kind })))
  expect(new Set(kinds.map(({ name }) => name)).size).toBe(10)
  expect(new Set(kinds.map(({ meaning }) => meaning)).size).toBe(10)
  expect(kindWords(row({ kind: 'spike', value: 20 })).name).toBe('A dip')
  expect([kindWords(row({ kind: 'odd_one' })).name, kindWords(row({ kind: null })).name]).toEqual(['Odd one', 'Out of the ordinary'])
})

test('the reason is a sentence without the kind in front of it', () => {
  expect(reasonWords(row())).toBe('38 is above the expected 28.')
  expect(reasonWords(row({ kind: null, reason: 'far.' }))).toBe('Far.')
})

test('the part is named by what it looks at, or by its own name', () => {
  expect([partWords(row()), partWords(row({ part: 'new_part' })), partWords(row({ part: null }))]).toEqual(['what its last readings led one to expect', 'New part', null])
})

test('how far out it is goes by what is usual on that side', () => {
  expect(offWords(row())).toBe('5 times as far above as is usual')
  expect(offWords(row({ value: 18 }))).toBe('10 times as far below as is usual')
  expect(offWords(row({ value: 25.5 }))).toBe('2.5 times as far below as is usual')
  expect(offWords(row({ value: 29 }))).toBe('within the usual')
  expect(offWords(row({ lower: null, upper: null }))).toBe('above what was expected')
  expect(offWords(row({ value: 20, lower: 28, upper: 28 }))).toBe('below what was expected')
  expect(offWords(row({ expected: null }))).toBeNull()
})

describe('what the neighbours did', () => {
  test('is a sentence for each case', () => {
    expect(neighbours(12, 1)).toBe('11 of 12 neighbours were as usual, their median 23.1 %.')
    expect(neighbours(12, 0)).toBe('All 12 neighbours were as usual, their median 23.1 %.')
    expect(neighbours(12, 12)).toBe('All 12 neighbours stood out as well, their median 23.1 %.')
    expect(neighbours(1, 0)).toBe('The one neighbour was as usual, at 23.1 %.')
    expect(neighbours(1, 1)).toBe('The one neighbour stood out as well, at 23.1 %.')
    expect(neighbours(3, 1, null)).toBe('2 of 3 other devices were as usual, their median 23.1 %.')
    expect(neighbours(0, 0)).toBe('No other device measured this then.')
  })
})

test('the line shows all of it in proportion, the band where it can be seen, and nothing where there is no band', () => {
  expect(scaleOf(row())!.value).toBe(96)
  expect(scaleOf(row())!.from).toBeCloseTo(4, 9)
  const far = scaleOf(row({ value: 28_000 }))!
  expect(far.to - far.from).toBeGreaterThan(2)
  expect([scaleOf(row({ lower: null })), scaleOf(row({ value: 5, expected: 5, lower: 5, upper: 5 }))]).toEqual([null, null])
  const low = scaleOf(row({ value: 0 }))!
  expect(low.value).toBeLessThan(low.from)
  expect(low.expected).toBeGreaterThan(low.from)
})
