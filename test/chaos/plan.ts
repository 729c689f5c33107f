/**
 * What a run of chaos will do, drawn from a seed before it begins: so the same seed does the same things at the same times, whatever comes of them.
 *
 * There is always a worker that is neither gone nor frozen, and never more than two beyond those of the start. Pauses between two deeds are
 * mostly short, so that a second blow falls before the first one is got over.
 */

import { seeded } from '../support/random.ts'

export type Deed =
  | { readonly kind: 'join'; readonly worker: string; readonly deno: boolean }
  | { readonly kind: 'kill' | 'leave'; readonly worker: string }
  | { readonly kind: 'freeze'; readonly worker: string; readonly forMs: number }
  /** Ends an edge or a store, by its number from 0, and starts it again. */
  | { readonly kind: 'edge' | 'store'; readonly index: number; readonly signal: 'SIGKILL' | 'SIGTERM' }
  /** Kills the log's server, and starts it again. */
  | { readonly kind: 'server'; readonly awayMs: number }

export interface Planned {
  readonly atMs: number
  readonly deed: Deed
}

export interface PlanOptions {
  readonly seed: number
  readonly durationMs: number
  /** Workers at the start, `w1` and so on; the last of two and more is on Deno. */
  readonly workers: number
}

export const EDGES = 2
export const STORES = ['north', 'south']

export function workersAtStart(workers: number): { name: string; deno: boolean }[] {
  return Array.from({ length: workers }, (_, i) => ({ name: `w${i + 1}`, deno: i > 0 && i === workers - 1 }))
}

export function planOf({ seed, durationMs, workers }: PlanOptions): Planned[] {
  const draw = seeded(seed)
  const upTo = (n: number) => Math.floor(draw() * n)
  /** Each present worker, and until when it is frozen. */
  const present = new Map(workersAtStart(workers).map(({ name }) => [name, 0]))
  let born = workers
  const planned: Planned[] = []
  for (let atMs = 500 + upTo(1_000); atMs < durationMs; atMs += Math.floor(50 + 4_000 * draw() ** 2)) {
    const awake = [...present].filter(([, untilMs]) => untilMs <= atMs).map(([name]) => name)
    const any = [...present.keys()]
    const deed = ((): Deed => {
      const signal = draw() < 0.7 ? 'SIGKILL' : 'SIGTERM'
      const roll = draw()
      if (roll < 0.12) return { kind: 'edge', index: upTo(EDGES), signal }
      if (roll < 0.22) return { kind: 'store', index: upTo(STORES.length), signal }
      if (roll < 0.3) return { kind: 'server', awayMs: draw() < 0.5 ? 0 : upTo(2_500) }
      // Whom a signal may hit without leaving nobody awake.
      const spare = awake.length > 1 ? any : any.filter((name) => !awake.includes(name))
      if (spare.length === 0 || present.size < workers - 1 || (roll < 0.5 && present.size < workers + 2)) {
        return { kind: 'join', worker: `w${++born}`, deno: draw() < 0.4 }
      }
      const worker = spare[upTo(spare.length)]
      if (roll < 0.66 || !awake.includes(worker)) return { kind: 'kill', worker }
      if (roll < 0.82) return { kind: 'freeze', worker, forMs: 200 + Math.floor(8_000 * draw() ** 2) }
      return { kind: 'leave', worker }
    })()
    if (deed.kind === 'join') present.set(deed.worker, 0)
    else if (deed.kind === 'kill' || deed.kind === 'leave') present.delete(deed.worker)
    else if (deed.kind === 'freeze') present.set(deed.worker, atMs + deed.forMs)
    planned.push({ atMs, deed })
  }
  return planned
}

export function inWords(deed: Deed): string {
  switch (deed.kind) {
    case 'join':
      return `worker ${deed.worker} joins, on ${deed.deno ? 'Deno' : 'Node'}`
    case 'kill':
      return `SIGKILL to worker ${deed.worker}`
    case 'leave':
      return `SIGTERM to worker ${deed.worker}`
    case 'freeze':
      return `SIGSTOP to worker ${deed.worker}, for ${deed.forMs} ms`
    case 'edge':
      return `${deed.signal} to edge ${deed.index}, and another in its place`
    case 'store':
      return `${deed.signal} to store ${STORES[deed.index]}, and it starts again`
    case 'server':
      return `SIGKILL to nats-server, back after ${deed.awayMs} ms`
  }
}
