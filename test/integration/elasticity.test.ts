import { expect, test } from 'vitest'
import { run } from '../bench/elasticity.ts'

// The bench itself holds the group to moving nothing but what must move.
test('workers that are killed, leave, freeze and join move their share and nothing else, and all of it is measured from the results log', async () => {
  const rows = await run({ size: 'smoke' })
  expect(rows.map((row) => row.name).filter((name) => name.endsWith(': max'))).toHaveLength(6)
  for (const { name, value } of rows) expect(value, name).toBeGreaterThan(0)
})
