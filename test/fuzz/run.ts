/**
 * `npm run fuzz -- --cases N [--seed S] [--only TEXT]`: so many cases over all laws, or over those whose name holds TEXT. Prints the cases of
 * each law and their total; ends with 1 where a law is broken.
 */

import process from 'node:process'
import { parseArgs } from 'node:util'
import { CASES, dealt, SEED, tryLaw } from './law.ts'
import { laws } from './laws.ts'

const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } } })
const total = Number(values.cases ?? CASES)
const seed = Number(values.seed ?? SEED)
const chosen = laws.filter((law) => law.name.includes(values.only ?? ''))
if (!Number.isSafeInteger(total) || total < 1 || !Number.isSafeInteger(seed) || chosen.length === 0) {
  console.error('Cannot fuzz as --cases and --seed must be whole numbers, and --only must be a part of a law\'s name')
  process.exit(2)
}
const cases = dealt(chosen, total)
let done = 0
let broken = 0
for (const [i, law] of chosen.entries()) {
  const began = performance.now()
  const tried = await tryLaw(law, { seed, cases: cases[i] })
  done += tried.cases
  console.log(`${String(tried.cases).padStart(9)}  ${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${law.name}`)
  if (tried.failure === null) continue
  broken++
  console.log(tried.failure)
}
console.log(`${String(done).padStart(9)}  cases over ${chosen.length} laws, seed ${seed}, ${broken} broken`)
process.exit(broken === 0 ? 0 : 1)
