import { expect, test } from 'vitest'
import { run } from './graph.ts'

test('the bench of graphs draws each range from the source that fits it, the same again', async () => {
  const [rows, again] = [await run({ size: 'smoke' }), await run({ size: 'smoke' })]
  const told = rows.map(({ name, hash }) => `${name} ${hash}`)
  expect(again.map(({ name, hash }) => `${name} ${hash}`)).toEqual(told)
  for (const [range, source] of [['day', '1m'], ['week', '1m'], ['month', '15m'], ['year', '1h']]) expect(told.some((line) => line.startsWith(`a ${range}, 800 pixels, from ${source}`))).toBe(true)
  for (const { value } of rows) expect(value).toBeGreaterThan(0)
})
