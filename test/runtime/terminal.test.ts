import { expect, test } from 'vitest'
import { toHuman } from '../../runtime/terminal.ts'

test('a person sees warnings and errors in words, and nothing else', () => {
  const line = (entry: object) => toHuman('edge', JSON.stringify(entry))
  expect(line({ level: 30, msg: 'all is well' })).toBe(null)
  expect(line({ level: 40, msg: 'the log is away' })).toBe('edge: warning: the log is away')
  expect(line({ level: 50, msg: 'it failed', err: { message: 'no space left', stack: '…' } })).toBe('edge: error: it failed: no space left')
  for (const other of ['', 'not JSON', 'null', '7', '{"no":"level"}', '    at node:internal']) expect(toHuman('edge', other)).toBe(null)
})
