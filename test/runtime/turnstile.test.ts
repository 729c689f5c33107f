import { expect, test } from 'vitest'
import { Turnstile } from '../../runtime/turnstile.ts'

test('so many are inside at a time, and the others come in the order in which they came', async () => {
  const turnstile = new Turnstile(2)
  const inside: number[] = []
  const all = [0, 1, 2, 3, 4].map(async (n) => {
    await turnstile.enter()
    inside.push(n)
  })
  await Promise.all(all.slice(0, 2))
  expect([inside, turnstile.waiting]).toEqual([[0, 1], 3])
  for (let n = 2; n < 5; n++) {
    turnstile.leave()
    await all[n]
    expect(inside).toHaveLength(n + 1)
  }
  expect(inside).toEqual([0, 1, 2, 3, 4])
  turnstile.leave()
  turnstile.leave()
  await turnstile.enter()
  expect(turnstile.waiting).toBe(0)
})
