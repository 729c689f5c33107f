import { expect, test } from 'vitest'
import { planOf, workersAtStart } from './plan.ts'

const options = (seed: number) => ({ seed, durationMs: 300_000, workers: 3 })

test('a seed draws the same plan each time, and another seed another one', () => {
  expect(planOf(options(1))).toEqual(planOf(options(1)))
  expect(planOf(options(1))).not.toEqual(planOf(options(2)))
})

test('a plan hits only who is there, leaves a worker awake at all times, and has each kind of deed', () => {
  const kinds = new Set<string>()
  for (let seed = 1; seed <= 50; seed++) {
    const present = new Map(workersAtStart(3).map(({ name }) => [name, 0]))
    for (const { atMs, deed } of planOf(options(seed))) {
      kinds.add(deed.kind)
      if (deed.kind === 'join') present.set(deed.worker, 0)
      else if ('worker' in deed) expect(present.has(deed.worker)).toBe(true)
      if (deed.kind === 'kill' || deed.kind === 'leave') present.delete(deed.worker)
      // A frozen one neither freezes again nor leaves: both would wait for it to wake.
      if (deed.kind === 'freeze' || deed.kind === 'leave') expect(present.get(deed.worker) ?? 0).toBeLessThanOrEqual(atMs)
      if (deed.kind === 'freeze') present.set(deed.worker, atMs + deed.forMs)
      expect([...present.values()].some((untilMs) => untilMs <= atMs)).toBe(true)
      expect(present.size).toBeLessThanOrEqual(5)
    }
  }
  expect([...kinds].sort()).toEqual(['edge', 'freeze', 'join', 'kill', 'leave', 'server', 'store'])
})
