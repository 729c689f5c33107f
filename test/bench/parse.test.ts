import { expect, test } from 'vitest'
import { run } from './parse.ts'

test('the bench of parsing gives the same columns whatever the format', async () => {
  const rows = await run({ size: 'smoke' })
  expect(rows.length).toBeGreaterThan(3)
  expect(new Set(rows.map((row) => row.hash)).size).toBe(1)
})
