/** Laws of the words that say what drives a series. */

import { describe, expect, test } from 'vitest'
import { effectWords, plusMinus, usedWords } from '../../../../actors/analytics/dashboard/client/device/drivers-words.ts'
import type { DriverRow, DriversOf } from '../../../../actors/analytics/dashboard/client/shapes.ts'

const words = { symbol: (metric: string) => ({ rain: 'mm', soil: '%' })[metric] ?? '' }
const pair = (effect: number, error: number) => ({ effect, error })
const rain = (hour: ReturnType<typeof pair>, six = pair(0, 1), day = pair(0, 1)): DriverRow => ({ device: 'mast-1', metric: 'rain', last_hour: hour, last_6h: six, last_24h: day })
const said = (driver: DriverRow) => effectWords('soil', driver, words).map((text) => text.replaceAll('\u00a0', ' '))

test('a number is as exact as its error', () => {
  expect([plusMinus(0.8034, 0.1234), plusMinus(0.8034, 0.34), plusMinus(12.34, 3.2), plusMinus(12.34, 1.6), plusMinus(123.4, 45), plusMinus(0.01234, 0.00056)])
    .toEqual(['0.80 ± 0.12', '0.8 ± 0.3', '12 ± 3', '12.3 ± 1.6', '123 ± 45', '0.0123 ± 0.0006'])
  expect([plusMinus(3, 0), plusMinus(1e-9, 2e-10)]).toEqual(['3', '1.00e-9 ± 2.00e-10'])
})

describe('what a driver does', () => {
  test('is said with its units, its direction and its error, over each time that is sure', () => {
    expect(said(rain(pair(0.8, 0.12)))).toEqual(['an hour with 1 mm more raises it by 0.80 ± 0.12 % in the next'])
    expect(said(rain(pair(0.8, 0.12), pair(-0.02, 0.004), pair(0.3, 0.1)))).toEqual([
      'an hour with 1 mm more raises it by 0.80 ± 0.12 % in the next',
      '6 hours with 1 mm more on average lower it by 0.020 ± 0.004 % an hour',
      'a day with 1 mm more on average raises it by 0.30 ± 0.10 % an hour',
    ])
    expect(effectWords('soil', { ...rain(pair(-3, 0.5)), metric: 'knocks' }, words)).toEqual(['an hour with 1 more lowers it by 3.0 ± 0.5\u00a0% in the next'])
  })

  test('is not sure within twice its error, nor where there is no error to go by', () => {
    expect([said(rain(pair(0.19, 0.1))), said(rain(pair(0, 0))), said(rain(pair(5, 0)))]).toEqual([['no sure effect so far'], ['no sure effect so far'], ['no sure effect so far']])
    expect(said(rain(pair(-0.2, 0.1)))).toHaveLength(1)
    expect(said({ device: 'mast-1', metric: 'rain' })).toEqual(['not known yet what it does'])
  })
})

test('whether the forecast goes by them is said for each case', () => {
  const of = (over: Partial<DriversOf>): DriversOf => ({ device: 'p', metric: 'soil', gain: 0.8, used: true, hours: 200, learned_at: Date.UTC(2026, 10, 27, 12), drivers: [rain(pair(1, 0.1))], mayEdit: false, ...over })
  const at = Date.UTC(2026, 10, 28, 15)
  expect(usedWords(of({}), at)).toMatch(/^The forecast uses it: a day ahead or less, it misses 20 % less\. Learned from 200 hours, until .*27/)
  expect(usedWords(of({ gain: 0.999, drivers: [rain(pair(1, 1)), rain(pair(1, 1))] }), at)).toMatch(/^The forecast uses them: .* misses 1 % less/)
  expect(usedWords(of({ gain: 1, used: false }), at)).toMatch(/^The forecast does not use it: it would not be better\./)
  expect(usedWords(of({ gain: null, used: false, hours: 1 }), at)).toMatch(/does not use it yet: for some days it is tried .* Learned from 1 hour, /)
  expect(usedWords(of({ gain: null, used: false, learned_at: null }), at)).toMatch(/first told at the end of the UTC day, at \d\d:\d\d \(in 9 h\)\.$/)
  expect(usedWords(of({ drivers: [] }), at)).toBe('')
})
