/** The bench of anomalies on a small corpus that it is given, and the benchmark's score by what is known of it. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { gaussian, seeded } from '../actors/partition/harness.ts'
import { run } from './nab.ts'
import { nabScore, PROFILES } from './nab-score.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-nab-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const timestamps = Array.from({ length: 1_000 }, (_, i) => new Date(Date.UTC(2026, 0, 1) + i * 300_000).toISOString().slice(0, 19).replace('T', ' '))
const window = [timestamps[500], timestamps[599]] as const
const calls = (rows: Record<number, number>) => ({ timestamps, windows: [window], scores: timestamps.map((_, i) => rows[i] ?? 0) })

describe("the benchmark's score", () => {
  test('is 0 for who never calls, 100 for who calls each event at once, and the best threshold counts', () => {
    expect(nabScore([calls({})], PROFILES.standard)).toEqual({ score: 0, threshold: 1.1 })
    const { score, threshold } = nabScore([calls({ 500: 0.9, 300: 0.4, 800: 0.3 })], PROFILES.standard)
    expect(threshold).toBe(0.9)
    expect(score).toBeCloseTo(100, 9)
  })

  test('counts an event once, by its best call, and a false alarm by the profile; what is in the first 15 % counts not', () => {
    const alone = nabScore([calls({ 550: 0.9 })], PROFILES.standard).score
    expect(nabScore([calls({ 550: 0.9, 560: 0.9, 100: 0.9 })], PROFILES.standard).score).toBe(alone)
    // In the middle of a window.
    expect(alone).toBeCloseTo(50 * (1 + (2 / (1 + Math.exp(-2.5)) - 1) / (2 / (1 + Math.exp(-5)) - 1)), 6)
    for (const { falseAlarm, missed } of Object.values(PROFILES)) {
      const fined = nabScore([calls({ 550: 0.9, 300: 0.9 })], { falseAlarm, missed }).score
      expect(nabScore([calls({ 550: 0.9 })], { falseAlarm, missed }).score - fined).toBeCloseTo((100 * falseAlarm) / (1 + missed), 9)
    }
  })

  test('refuses events that are not in the file', () => {
    expect(() => nabScore([{ ...calls({}), windows: [['2020-01-01 00:00:00', timestamps[5]]] }], PROFILES.standard)).toThrow(/must begin at a row/)
  })
})

test('the bench writes a score for each row of each file, the same each time, and finds what is there', async () => {
  const g = gaussian(seeded(1))
  mkdirSync(join(folder, 'data/made'), { recursive: true })
  mkdirSync(join(folder, 'labels'))
  const labels: Record<string, [string, string][]> = { 'made/spike.csv': [], 'made/calm.csv': [] }
  for (const path of Object.keys(labels)) {
    const rows = timestamps.map((t, i) => `${t},${20 + g() + (path.includes('spike') && i === 540 ? 40 : 0)}`)
    writeFileSync(join(folder, 'data', path), `timestamp,value\n${rows.join('\n')}\n`)
  }
  labels['made/spike.csv'] = [[`${window[0]}.000000`, `${window[1]}.000000`]]
  writeFileSync(join(folder, 'labels/combined_windows.json'), JSON.stringify(labels))

  const rows = await run({ size: 'real', data: folder, out: join(folder, 'out') })
  const again = await run({ size: 'real', data: folder })
  const of = (name: string) => rows.find((r) => r.name === name)!.value
  expect(again.map((r) => r.hash)).toEqual(rows.map((r) => r.hash))
  expect([of('files of the corpus'), of('readings'), of('of them judged')]).toEqual([2, 2_000, 2_000])
  expect(of('score, standard')).toBeGreaterThan(85)
  expect(of('score, standard, of what is reported as an anomaly')).toBeGreaterThan(85)
  expect(of('the ensemble, CPU time a reading')).toBeGreaterThan(0)
  const lines = readFileSync(join(folder, 'out/made/spike.csv'), 'utf8').trim().split('\n')
  expect(lines[0]).toBe('timestamp,anomaly_score')
  expect(lines.slice(1).map((l) => l.split(',')[0])).toEqual(timestamps)
  const scores = lines.slice(1).map((l) => Number(l.split(',')[1]))
  expect(Math.max(...scores)).toBe(scores[540])
})

test('without a corpus the bench says what it needs', () => {
  expect(() => run({ size: 'smoke' })).toThrow(/--data must name the folder/)
})
