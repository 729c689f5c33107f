/**
 * `npm run sim -- --seed N --steps M`: one seed, told in full; or `--seeds COUNT` from `--seed` on, over `--jobs` processes.
 */

import { parseArgs } from 'node:util'
import { mutate } from './mutate.ts'
import type { SimSystem } from './system.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string' },
    mutation: { type: 'string' },
  },
})
if (values.mutation !== undefined) mutate(values.mutation)
// What is imported from here on is mutated.
const { describe, drawOptions } = await import('./options.ts')
const { run } = await import('./run.ts')
const from = Number(values.seed)
const began = performance.now()
let failed = 0
for (let seed = from; seed < from + Number(values.seeds); seed++) {
  const options = drawOptions(seed, { steps: values.steps === undefined ? undefined : Number(values.steps) })
  let system: SimSystem | null = null
  try {
    const outcome = await run(options, (s) => (system = s))
    if (Number(values.seeds) === 1) console.log(describe(options), '\n', outcome)
  } catch (error) {
    failed++
    if (values.mutation !== undefined) { console.log(`caught at seed ${seed} after ${Math.round(performance.now() - began)} ms: ${String((error as Error).message).slice(0, 200)}`); break }
    console.log(`seed ${seed} failed: ${String((error as Error).stack).slice(0, 1500)}\n${describe(options)}\n  ${(system as SimSystem | null)?.told.join(' ')}`)
  }
}
console.log(`${values.seeds} seeds, ${failed} failed, ${Math.round(performance.now() - began)} ms`)
process.exitCode = failed === 0 ? 0 : 1
