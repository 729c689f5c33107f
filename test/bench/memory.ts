/**
 * Whether memory levels off: the whole system under a steady, moderate load of a fixed set of series, for ten minutes, and what each
 * process holds at the beginning, in the middle and at the end.
 *
 * Resident memory is what the system charges; the heaps and buffers that the processes tell of themselves say what holds it. A fleet that
 * grows, and names that are never used again, are not part of it: those cost memory by design (ARCHITECTURE.md).
 */

import { descendants, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { load } from './load-client.ts'
import { MemoryWatch, metricOf, named } from './watch.ts'

const GAUGES = [
  ['nodejs_heap_size_used_bytes', 'heap used'],
  ['nodejs_heap_size_total_bytes', 'heap held'],
  ['nodejs_external_memory_bytes', 'buffers and other'],
] as const

/** What the processes say of their own memory, MiB. */
export async function heaps(system: System): Promise<Map<string, number>> {
  const { members } = await system.get<{ members: { id: string; role: string; pid: number; url: string | null }[] }>('/v1/status')
  const found = new Map<string, number>()
  for (const { role, pid, url } of members) {
    if (url === null) continue
    const page = await (await fetch(`${url}/metrics`)).text()
    for (const [gauge, what] of GAUGES) found.set(`weir-${role} ${pid}: ${what}`, metricOf(page, gauge) / 2 ** 20)
  }
  return found
}

/** A line for each figure, at equal distances of time. */
export function linesOf(told: readonly ReadonlyMap<string, number>[]): string[] {
  return [...new Set(told.flatMap((t) => [...t.keys()]))].map((name) => `${name.padEnd(40)} ${told.map((t) => Math.round(t.get(name) ?? NaN)).join(' ')}`)
}

export const run: Bench = async ({ size }) => {
  const seconds = Number(process.env.WEIR_BENCH_SECONDS ?? (size === 'real' ? 600 : 6))
  const rate = size === 'real' ? 10_000 : 1_000
  const rows: BenchRow[] = []
  const system = await startSystem()
  try {
    const watch = new MemoryWatch(() => named(descendants(system.pid)), size === 'real' ? 2_000 : 250)
    const loading = load(system.url, { kind: 'columns', seconds, connections: 4, rate })
    const told: Map<string, number>[] = []
    const steps = size === 'real' ? 20 : 3
    for (let step = 0; step < steps; step++) {
      await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / steps))
      told.push(await heaps(system))
    }
    const loaded = await loading
    watch.stop()
    const hash = String(loaded.accepted)
    rows.push({ name: 'acknowledged', value: loaded.accepted / loaded.seconds, unit: 'readings/s', hash })
    rows.push(...watch.rows('steady'))
    for (const line of [...watch.lines(), ...linesOf(told)]) console.log(line)
  } finally {
    await system.remove()
  }
  return rows
}
