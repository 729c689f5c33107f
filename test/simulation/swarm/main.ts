/**
 * `npm run sim -- --seed N [--steps M]` runs one seed and tells what it did; `--seeds COUNT` runs so many from there on, on all cores. A seed
 * that fails prints what was broken, its options and what was done, and the command that runs it again.
 *
 * `--mutation NAME` puts a fault into the product first, and stops at the seed that catches it; `--mutations` lists them.
 */

import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { mutate } from './mutate.ts'
import { MUTATIONS } from './mutations.ts'
import type { SimSystem } from './system.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string' },
    jobs: { type: 'string' },
    mutation: { type: 'string' },
    mutations: { type: 'boolean', default: false },
  },
})
const from = whole('seed', values.seed ?? String(MUTATIONS[values.mutation ?? '']?.from ?? 1))
const count = whole('seeds', values.seeds)
const steps = values.steps === undefined ? undefined : whole('steps', values.steps)
const jobs = values.mutation !== undefined ? 1 : Math.min(count, whole('jobs', values.jobs ?? String(availableParallelism())))
const began = performance.now()

if (values.mutations) for (const [name, { what }] of Object.entries(MUTATIONS)) console.log(`${name.padEnd(34)}${what}`)
else {
  const failed = jobs > 1 ? await shared() : await alone()
  if (jobs > 1 || count === 1) console.log(`${count} seeds, ${failed} failed, ${((performance.now() - began) / 1_000).toFixed(1)} s`)
  process.exitCode = failed > 0 ? 1 : 0
}

/** Runs the seeds in this process; gives how many failed. */
async function alone(): Promise<number> {
  if (values.mutation !== undefined) mutate(values.mutation)
  // What is imported from here on is mutated.
  const { describe, drawOptions } = await import('./options.ts')
  const { run } = await import('./run.ts')
  let failed = 0
  const totals: Record<string, number> = {}
  for (let seed = from; seed < from + count; seed++) {
    const options = drawOptions(seed, { ...MUTATIONS[values.mutation ?? '']?.favours, ...(steps === undefined ? {} : { steps }) })
    let system: SimSystem | null = null
    try {
      const outcome = await run(options, (made) => (system = made))
      if (count === 1) console.log(describe(options), '\n', outcome)
      for (const [name, times] of Object.entries(outcome.counts)) totals[name] = (totals[name] ?? 0) + times
    } catch (error) {
      failed++
      const told = (system as SimSystem | null)?.told.join(' ')
      const again = `npm run sim -- --seed ${seed}${steps === undefined ? '' : ` --steps ${steps}`}`
      console.log(`seed ${seed} failed: ${String((error as Error).stack).slice(0, 3_000)}\n${describe(options)}\n  ${told}\n  again: ${again}`)
      if (values.mutation !== undefined) break
    }
  }
  if (count > 1) console.log(`in ${count} seeds: ${Object.entries(totals).map(([name, times]) => `${times} ${name}`).join(', ')}`)
  return failed
}

/** Runs the seeds in processes of their own, a share each. */
async function shared(): Promise<number> {
  const share = Math.ceil(count / jobs)
  const codes = await Promise.all(
    Array.from({ length: jobs }, async (_, job) => {
      const first = from + job * share
      const args = ['--seed', String(first), '--seeds', String(Math.max(0, Math.min(share, from + count - first))), '--jobs', '1']
      if (steps !== undefined) args.push('--steps', String(steps))
      const child = spawn(process.execPath, [import.meta.filename, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
      let failed = 0
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        failed += text.match(/^seed \d+ failed/gm)?.length ?? 0
        process.stdout.write(text)
      })
      const code = await new Promise<number>((resolve) => child.on('close', (of) => resolve(of ?? 1)))
      return code === 0 ? 0 : Math.max(1, failed)
    }),
  )
  return codes.reduce((sum, failed) => sum + failed, 0)
}

function whole(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  console.error(`Cannot run as --${name} must be a whole number: current value is ${text}`)
  process.exit(2)
}
