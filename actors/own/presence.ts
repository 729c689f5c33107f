/**
 * What own actors do, as the processes that run them say every second: for status, doctor and whoever else wants to know. Nothing rests on it.
 */

import { pack, unpack } from '../../runtime/codec.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Bus } from '../../runtime/log.ts'
import type { OwnStatus } from './run.ts'

const PREFIX = 'weir.actors'
/** Who has not spoken for so long has gone. */
const GONE_MS = 5_000

export function tellActors(bus: Bus, id: string, statuses: readonly OwnStatus[]): void {
  bus.send(`${PREFIX}.${id}`, pack(statuses.map(({ actor, partition, state, why, seq }) => [actor, partition, state, why, seq])))
}

/** An actor, by the most that any process says of it. */
export interface ActorPresence extends OwnStatus {
  /** Process that runs it, or stopped it. */
  readonly worker: string
}

const RANK: readonly OwnStatus['state'][] = ['running', 'stopped', 'starting', 'away']

export class ActorPresences {
  readonly #clock: Clock
  readonly #heard = new Map<string, { readonly atMs: number; readonly actors: readonly OwnStatus[] }>()
  readonly #end: () => void

  constructor(bus: Bus, clock: Clock) {
    this.#clock = clock
    this.#end = bus.listen(`${PREFIX}.>`, (data, subject) => {
      const actors = read(data)
      if (actors !== null) this.#heard.set(subject.slice(PREFIX.length + 1), { atMs: clock.monotonic(), actors })
    })
  }

  /** Each actor that some process has loaded, in order of their names. */
  view(): ActorPresence[] {
    const best = new Map<string, ActorPresence>()
    for (const [worker, { atMs, actors }] of this.#heard) {
      if (this.#clock.monotonic() - atMs > GONE_MS) this.#heard.delete(worker)
      else {
        for (const one of actors) {
          const known = best.get(one.actor)
          if (known === undefined || RANK.indexOf(one.state) < RANK.indexOf(known.state)) best.set(one.actor, { ...one, worker })
        }
      }
    }
    return [...best.values()].sort((a, b) => (a.actor < b.actor ? -1 : 1))
  }

  close(): void {
    this.#end()
  }
}

function read(data: Uint8Array): OwnStatus[] | null {
  try {
    const rows = unpack<unknown>(data)
    if (!Array.isArray(rows)) return null
    return rows.map((row: unknown) => {
      const [actor, partition, state, why, seq] = row as [string, number, OwnStatus['state'], string, number]
      if (typeof actor !== 'string' || typeof partition !== 'number' || !RANK.includes(state) || typeof why !== 'string' || typeof seq !== 'number') throw new RangeError('no actor')
      return { actor, partition, state, why, seq }
    })
  } catch {
    return null
  }
}
