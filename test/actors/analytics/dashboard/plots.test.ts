/** What a plot's card says. */

import { expect, test } from 'vitest'
import { deed, fullness, moodOf, summary } from '../../../../actors/analytics/dashboard/client/plots/words.ts'
import type { PlotDay, PlotEntry } from '../../../../actors/analytics/dashboard/client/plots/words.ts'

const day = (changes: Partial<PlotDay>): PlotDay => ({ key: 'north', day: '2026-06-10', reasons: [], depletion_mm: 30, ready_mm: 60, total_mm: 120, stage: 'mid-season', outlook: Array.from({ length: 7 }, () => ['2026-06-11', 35, 5, 60, 120] as const), ...changes })

test('a plot is well, wants water soon, thirsts or rests; and says when and how much', () => {
  const asked = { water_mm: 18.2, litres: 36_400 }
  const cases: [PlotDay | null, string, string, string][] = [
    [null, 'unknown', 'No advice yet', 'It comes an hour after midnight, where the plot is.'],
    [day({}), 'well', 'No water needed', 'for at least 7 days'],
    [day({ ...asked, water_on: '2026-06-11' }), 'soon', 'This evening', '18 mm · 36,400 litres'],
    [day({ ...asked, water_on: '2026-06-12' }), 'soon', 'Tomorrow evening', '18 mm · 36,400 litres'],
    [day({ ...asked, water_on: '2026-06-14' }), 'well', 'Sunday evening', '18 mm · 36,400 litres'],
    [day({ ...asked, water_on: '2026-06-11', depletion_mm: 70 }), 'thirsty', 'This evening', '18 mm · 36,400 litres'],
    [day({ stage: 'harvested', advice: 'Nothing to water: its season is over.' }), 'resting', 'No water needed', 'Nothing to water: its season is over.'],
  ]
  for (const [advice, mood, when, much] of cases) expect([moodOf(advice), deed(advice)]).toEqual([mood, { when, much }])
})

test('all plots are summed up in a sentence', () => {
  const plots = (...days: (PlotDay | null)[]) => days.map((advice, i): PlotEntry => ({ id: `p${i}`, plot: { name: `P${i}`, crop: 'maize', areaHa: 1 }, advice }))
  const due = day({ water_mm: 18, litres: 36_000, water_on: '2026-06-11' })
  expect(summary([], true)).toMatch(/^None yet/)
  expect(summary(plots(null), false)).toBe('Nobody advises yet: run a worker with --actors farm.')
  expect(summary(plots(null, null), true)).toBe('The first advice comes an hour after midnight.')
  expect(summary(plots(day({}), null), true)).toBe('None wants water for now.')
  expect(summary(plots(due, day({})), true)).toBe('One wants water.')
  expect(summary(plots(due, day({ depletion_mm: 70 })), true)).toBe('2 want water.')
})

test('the tank is between empty and full, with its mark where thirst begins', () => {
  expect([fullness(day({})), fullness(day({ depletion_mm: -20 })), fullness(day({ depletion_mm: 400 })), fullness(day({ total_mm: 0 }))]).toEqual([
    { full: 0.75, thirst: 0.5 }, { full: 1, thirst: 0.5 }, { full: 0, thirst: 0.5 }, { full: 0, thirst: 0 },
  ])
})
