import { expect, test } from 'vitest'
import { run } from './views.ts'

test('kept views are measured, and hold what their SELECT gives', async () => {
  const rows = await run({ size: 'smoke' })
  for (const { name, value } of rows) expect(value, name).toBeGreaterThan(0)
  expect(rows.filter(({ unit }) => unit === 'readings/s')).toHaveLength(3)
})
