/**
 * The simulator, as part of the gate: seeds that once failed, a hundred drawn anew from the commit, and the proof that it would notice:
 * every fault put into the product on purpose is caught.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MUTATIONS } from './swarm/mutations.ts'

const root = join(import.meta.dirname, '../..')
const main = join(import.meta.dirname, 'swarm/main.ts')
/** Seeds whose failure was a fault of the product or of the simulator. */
const FAILED_ONCE = [15, 1_429, 101_667, 951_388]
const SEEDS = Number(process.env.WEIR_SWARM_SEEDS ?? 100)
/** Seeds in which each mutation must be caught. */
const MUTANT_SEEDS = 150

/** First of the seeds of this commit: another commit tries others. */
function firstSeed(): number {
  try {
    const hash = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return 10_000 + (parseInt(hash.slice(0, 7), 16) % 1_000_000)
  } catch {
    // Not a checkout: a copy of the sources alone.
    return 10_000
  }
}

function sim(...args: (string | number)[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args.map(String)], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return { status, output: stdout + stderr }
}

describe('the system in a world of faults', () => {
  it.for(FAILED_ONCE)('ends with what its input says, seed %d', (seed) => {
    const { status, output } = sim('--seed', seed)
    expect(status, output).toBe(0)
  })

  it('ends with what its input says, whatever the seeds of this commit draw', { timeout: 600_000 }, () => {
    const { status, output } = sim('--seed', firstSeed(), '--seeds', SEEDS)
    expect(status, output).toBe(0)
    expect(output).toContain(`${SEEDS} seeds, 0 failed`)
  })

  it('stores the same bytes in the same order when a seed is run again', () => {
    const hash = () => /hash: '(\w+)'/.exec(sim('--seed', 4).output)?.[1]
    const first = hash()
    expect(first).toMatch(/^\w{64}$/)
    expect(hash()).toBe(first)
  })
})

describe('the simulator catches', () => {
  it.for(Object.entries(MUTATIONS))('%s', { timeout: 600_000 }, ([name]) => {
    const { status, output } = sim('--mutation', name, '--seeds', MUTANT_SEEDS)
    expect(output).toMatch(/^seed \d+ failed/m)
    expect(status).toBe(1)
  })
})
