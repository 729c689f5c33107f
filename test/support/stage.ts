/** A world in memory with the streams of an installation, a producer, and hosts of the toy actor: what tests of hosts begin with. */

import { expect } from 'vitest'
import { PartitionHost } from '../../runtime/host.ts'
import type { HostBounds, HostOptions } from '../../runtime/host-life.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import type { MemoryConnection } from '../../runtime/memory-log.ts'
import { inputStream, inputStreams, inputSubject, RESULTS, resultsSubject, topologyOf } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { ManualClock } from './manual-clock.ts'
import { quietLogger } from './quiet-logger.ts'
import type { Line } from './quiet-logger.ts'
import { bytesOf, told, toyActor } from './toy-actor.ts'
import type { Told, ToyEffects, ToyState } from './toy-actor.ts'

export type ToyHost = PartitionHost<ToyState, ToyEffects>

export interface Stage {
  readonly clock: ManualClock
  readonly world: MemoryWorld
  readonly topology: Topology
  readonly lines: Line[]
  readonly producer: MemoryConnection
  /** Appends messages to a partition's input, each a millisecond after the one before. */
  say(texts: readonly string[], partition?: number): Promise<void>
  /** A host, on a connection of its own unless one is given. */
  host(owner: string, options?: Partial<HostOptions<ToyState, ToyEffects>> & { bounds?: Partial<HostBounds>; connection?: MemoryConnection }): ToyHost
  told(partition?: number): Told
  /** Until the partition's commits cover all of its input. */
  covered(partition?: number): Promise<void>
}

export async function stage({ partitions = 1, seed = 1 }: { partitions?: number; seed?: number } = {}): Promise<Stage> {
  const clock = new ManualClock({ seed })
  const world = new MemoryWorld({ clock })
  const topology = topologyOf(partitions)
  const producer = world.connect()
  for (const name of inputStreams(topology)) {
    const subjects = Array.from({ length: partitions }, (_, p) => p).filter((p) => inputStream(topology, p) === name).map(inputSubject)
    await producer.log.ensureStream({ name, subjects, replicas: 1, bytesMax: -1 })
  }
  await producer.log.ensureStream({ name: RESULTS, subjects: Array.from({ length: partitions }, (_, p) => resultsSubject(p)), replicas: 1, bytesMax: -1 })
  const { logger, lines } = quietLogger()
  const toldOf = (partition = 0) => told(world.messages(RESULTS), partition)
  return {
    clock,
    world,
    topology,
    lines,
    producer,
    async say(texts, partition = 0) {
      for (const text of texts) {
        await clock.advance(1)
        await producer.log.publish(inputSubject(partition), bytesOf(text))
      }
    },
    host: (owner, options = {}) =>
      new PartitionHost({ connection: world.connect(), actor: toyActor(), topology, partition: 0, owner, settings: null, clock, logger, ...options }),
    told: toldOf,
    async covered(partition = 0) {
      const wanted = () => world.messages(inputStream(topology, partition)).filter((m) => m.subject === inputSubject(partition)).at(-1)?.seq ?? 0
      await clock.until(() => (toldOf(partition).commits.at(-1)?.header.position.seq ?? 0) >= wanted(), { what: `all of partition ${partition} committed` })
    },
  }
}

/** What the toy says of `texts`, without any host: the oracle. `times` are those of the messages. */
export function oracle(messages: readonly { seq: number; timeMs: number; data: Uint8Array }[]): { state: ToyState; results: string[] } {
  const actor = toyActor()
  const state = actor.create()
  const effects = actor.effects()
  for (const message of messages) actor.step(state, message, effects)
  return { state, results: effects.results }
}

/** `count` messages to say: m0, m1, …, from `from` on. */
export const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `m${from + i}`)

/** Everything that was said to partition 0 gave exactly the results that the actor alone gives, in order, once. */
export function expectExactlyOnce(s: Stage): void {
  const wanted = oracle(s.world.messages('READINGS_0'))
  const { results, commits } = s.told()
  expect(results).toEqual(wanted.results)
  const last = commits.at(-1)!
  expect([last.count, last.hash]).toEqual([wanted.state.count, wanted.state.hash])
}
