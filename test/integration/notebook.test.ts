/** The cells of deploy/notebook/weir.ipynb, run by Python against a running Weir. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ADMIN_KEY, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'

const PACKAGES = ['duckdb', 'pandas', 'pyarrow', 'polars', 'requests']
const python = process.env.WEIR_PYTHON || 'python3'
const there = spawnSync(python, ['-c', `import ${PACKAGES.join(', ')}`]).status === 0
if (!there) console.log(`${python} has not all of ${PACKAGES.join(', ')}: the notebook is left untested. WEIR_PYTHON names another.`)

interface Cell {
  readonly cell_type: 'code' | 'markdown'
  readonly source: readonly string[]
  readonly outputs: readonly unknown[]
}
const { cells } = JSON.parse(readFileSync(join(import.meta.dirname, '../../deploy/notebook/weir.ipynb'), 'utf8')) as { cells: Cell[] }
const code = cells.filter(({ cell_type }) => cell_type === 'code')

let system: System
beforeAll(async () => {
  if (!there) return
  system = await startSystem({ flags: ['--lateness', '1s', '--idle', '2s'] })
  // Two days of two metrics every ten minutes, with leaps that are anomalies.
  const to = Math.floor(Date.now() / 600_000) * 600_000
  const readings = Array.from({ length: 288 }, (_, i) => {
    const wave = Math.sin(i / 20) + 0.05 * Math.sin(i * 7)
    return { device: 'field-7/probe-2', ts: to - (288 - i) * 600_000, values: { soil_moisture: i % 90 === 89 ? 90 : 25 + wave, soil_temperature: 9 + wave } }
  })
  // In one body: a pause of two seconds within would let the watermark pass to the clock, and the rest would be late.
  const answer = await system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(readings) })
  expect(answer.status).toBe(202)
  await eventually('everything is settled', async () => (await system.get<{ settled: boolean }>('/v1/status')).settled)
})
afterAll(() => system?.remove())

test('every cell of the notebook was run before it was kept, in order', () => {
  const counts = (JSON.parse(readFileSync(join(import.meta.dirname, '../../deploy/notebook/weir.ipynb'), 'utf8')) as { cells: { execution_count?: number | null }[] }).cells
    .map(({ execution_count: count }) => count)
    .filter((count) => count !== undefined)
  expect(counts).toEqual(code.map((_, i) => i + 1))
})

test.skipIf(!there)('every cell of the notebook runs, and each that shows a table shows one with rows', () => {
  // As a notebook does it: the value of a cell's last line is what it shows.
  const runner = `
import ast, json, sys
shown, names = [], {}
for source in json.load(sys.stdin):
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, 'cell', 'exec'), names)
    value = None if last is None else eval(compile(ast.Expression(last.value), 'cell', 'eval'), names)
    shown.append(None if value is None else len(value))
print(json.dumps(shown))`
  const env = { ...process.env, WEIR_URL: system.url, WEIR_KEY: ADMIN_KEY, WEIR_LAKE: join(system.dataDir, 'lake') }
  const { status, stdout, stderr } = spawnSync(python, ['-c', runner], { input: JSON.stringify(code.map(({ source }) => source.join(''))), env, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  const shown = JSON.parse(stdout) as (number | null)[]
  expect(shown.map((rows) => rows !== null)).toEqual(code.map(({ outputs }) => outputs.length > 0))
  expect(shown.filter((rows) => rows !== null && rows === 0)).toEqual([])
})
