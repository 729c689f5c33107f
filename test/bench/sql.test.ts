import { expect, test } from 'vitest'
import { run } from './sql.ts'

test('public SQL is measured: latencies of queries, and rows a second in each format', async () => {
  const rows = await run({ size: 'smoke' })
  for (const { name, value } of rows) expect(value, name).toBeGreaterThan(0)
  expect(rows.filter(({ unit }) => unit === 'rows/s')).toHaveLength(5)
})
