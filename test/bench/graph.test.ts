import { expect, test } from 'vitest'
import { run } from './graph.ts'

test('the bench of graphs draws each range from the source that fits it, the same again', async () => {
  const [rows, again] = [await run({ size: 'smoke' }), await run({ size: 'smoke' })]
  const told = rows.map(({ name, hash }) => `${name} ${hash}`)
  expect(again.map(({ name, hash }) => `${name} ${hash}`)).toEqual(told)
  for (const [range, source] of [['day', '1m'], ['week', '1m'], ['month', '15m'], ['year', '1h']]) expect(told.some((line) => line.includes(` files, a ${range}, 800 pixels, of ${source}`))).toBe(true)
  // A lake that is merged shows what it showed before.
  const withoutFiles = told.map((line) => line.replace(/^\d+ files, /, ''))
  expect(withoutFiles.slice(told.length / 2)).toEqual(withoutFiles.slice(0, told.length / 2))
  for (const { value } of rows) expect(value).toBeGreaterThan(0)
})
