import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { seeded } from '../support/random.ts'
import { errorsOf, HORIZON, meanOf, naive2, owa, readSeries } from './m4-score.ts'
import { run } from './m4.ts'

/** Two made series in the competition's layout, of which the last two days are the test. */
function corpus(): { folder: string; series: Map<string, number[]> } {
  const folder = mkdtempSync(join(tmpdir(), 'weir-m4-'))
  const random = seeded(12)
  const series = new Map(['H1', 'H2'].map((id, i) => [id, Array.from({ length: 400 + 60 * i }, (_, h) => 50 + 20 * Math.sin((h * Math.PI) / 12) + 4 * random())]))
  for (const [part, from, to] of [['Train', 0, -HORIZON], ['Test', -HORIZON, undefined]] as const) {
    mkdirSync(join(folder, 'Dataset', part), { recursive: true })
    const lines = [...series].map(([id, values]) => [`"${id}"`, ...values.slice(from, to)].join(','))
    writeFileSync(join(folder, `Dataset/${part}/Hourly-${part.toLowerCase()}.csv`), ['V1,V2', ...lines, ''].join('\n'))
  }
  return { folder, series }
}

describe('the bench of the M4 competition', () => {
  test('forecasts each series of a folder, and writes what a scorer of the competition reads', async () => {
    const { folder, series } = corpus()
    try {
      const out = join(folder, 'forecasts.csv')
      const rows = await run({ size: 'real', data: folder, out })
      const of = (name: string) => rows.find((row) => row.name === name)!.value
      const told = readSeries(out)
      expect([...told.keys()]).toEqual([...series.keys()])
      const scores = [...series].map(([id, values]) => errorsOf(values.slice(0, -HORIZON), values.slice(-HORIZON), told.get(id)!))
      expect(of('sMAPE')).toBeCloseTo(meanOf(scores).smape, 9)
      expect(of('MASE')).toBeCloseTo(meanOf(scores).mase, 9)
      expect(of('MASE')).toBeLessThan(1)
      expect(of('in the 95 % interval')).toBeGreaterThan(85)
      expect(of('in the 80 % interval')).toBeLessThanOrEqual(of('in the 95 % interval'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('says what is missing where no folder is named', () => {
    expect(() => run({ size: 'real' })).toThrow(/--data must name the folder/)
  })
})

describe('the measures of the competition', () => {
  test('are those of the definition: a forecast that is right has no error, and Naive2 is one of itself', () => {
    const train = Array.from({ length: 240 }, (_, h) => 10 + (h % 24))
    const actual = Array.from({ length: HORIZON }, (_, h) => 10 + (h % 24))
    expect(errorsOf([...train.slice(0, -1), 40], actual, actual)).toEqual({ smape: 0, mase: 0 })
    expect(naive2(train).map((v) => Math.round(v * 1e6) / 1e6)).toEqual(actual)
    expect(errorsOf([0, ...Array(23).fill(0), 2, ...Array(23).fill(2)], [1, 1], [2, 0]).mase).toBe(0.5)
    expect(errorsOf(train, [1, 1], [3, 0]).smape).toBe((200 * 2) / 4 / 2 + (200 * 1) / 1 / 2)
    const errors = { smape: 3, mase: 2 }
    expect(owa(errors, errors)).toBe(1)
  })
})
