/** A world in memory with partitions that are worked on, and processes that run an own actor and die. */

import { partitionActor } from '../../../actors/partition/actor.ts'
import { decodeEffects } from '../../../actors/partition/effects.ts'
import type { PartitionEffects } from '../../../actors/partition/effects.ts'
import { DEFAULT_SETTINGS, encodeSettings } from '../../../actors/reading/input.ts'
import { factsOf, OwnActor } from '../../../actors/own/actor.ts'
import type { Stepper } from '../../../actors/own/actor.ts'
import type { AnyActor } from '../../../actors/own/contract.ts'
import { startOwnActor } from '../../../actors/own/run.ts'
import type { RunningOwnActor } from '../../../actors/own/run.ts'
import { Steps } from '../../../actors/own/steps.ts'
import { ensureInstallation } from '../../../runtime/installation.ts'
import { JournalReader } from '../../../runtime/journal.ts'
import type { Commit } from '../../../runtime/journal.ts'
import type { LogMessage } from '../../../runtime/log.ts'
import { startMember } from '../../../runtime/member.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { MemoryConnection } from '../../../runtime/memory-log.ts'
import { inputSubject, OWN, OWN_FIRST, partitionFor, RESULTS } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { quietLogger } from '../../support/quiet-logger.ts'
import type { Line } from '../../support/quiet-logger.ts'
import { blockOf } from '../store/feed.ts'

export const PARTITIONS = 4
export const CODE = 'code-1'

/** The author's code in this process. */
export function stepperOf(actor: AnyActor): Stepper {
  const steps = new Steps(actor)
  return {
    step: async (events, memory, isNew) => {
      if (isNew) steps.load(memory())
      return events.map((event) => steps.step(event, true))
    },
  }
}

export interface OwnWorld {
  readonly clock: ManualClock
  readonly world: MemoryWorld
  readonly topology: Topology
  readonly producer: MemoryConnection
  readonly lines: Line[]
  /** Sends a reading of each device, at the clock's time, to its partition. */
  send(devices: readonly string[], value: (device: string) => number): Promise<void>
  /** A process that runs the actor. */
  run(actor: AnyActor, id: string, connection?: MemoryConnection): Promise<RunningOwnActor>
  commits(): { commit: Commit; effects: PartitionEffects }[]
  input(): LogMessage[]
}

export async function ownWorld({ seed = 1 }: { seed?: number } = {}): Promise<OwnWorld> {
  const clock = new ManualClock({ seed })
  const world = new MemoryWorld({ clock })
  const producer = world.connect()
  const { logger, lines } = quietLogger()
  const topology = await ensureInstallation(producer, { partitions: PARTITIONS, replicas: 1, bytesMax: -1, firstMessage: encodeSettings(DEFAULT_SETTINGS), clock })
  startMember({ connection: world.connect(), actor: partitionActor, topology, settings: DEFAULT_SETTINGS, clock, logger, id: 'worker' })
  return {
    clock,
    world,
    topology,
    producer,
    lines,
    async send(devices, value) {
      for (const device of devices) {
        const data = blockOf([{ device, metric: 'm', ts: Math.floor(clock.now()), value: value(device) }])
        await producer.log.publish(inputSubject(partitionFor(topology, 'default', device)), data)
      }
    },
    run: (actor, id, connection = world.connect()) => startOwnActor({ connection, topology, facts: factsOf(actor, CODE), reads: actor.reads, stepper: stepperOf(actor), clock, logger, id }),
    commits() {
      const reader = new JournalReader()
      return world.messages(RESULTS).filter(({ subject }) => subject === `results.${OWN_FIRST}`).flatMap((message) => {
        const got = reader.accept(message)
        return got !== null && 'commit' in got ? [{ commit: got.commit, effects: decodeEffects(got.commit.payload) }] : []
      })
    },
    input: () => world.messages(OWN).filter(({ subject }) => subject === inputSubject(OWN_FIRST)),
  }
}

/** What the actor alone makes of its log, in one go: the oracle. */
export async function straight(actor: AnyActor, messages: readonly LogMessage[]): Promise<PartitionEffects> {
  const own = new OwnActor(factsOf(actor, CODE), stepperOf(actor))
  const state = own.create()
  const effects = own.effects()
  const reader = { close: async () => {}, async *[Symbol.asyncIterator]() { yield* messages } }
  for await (const message of own.listening(reader)) own.step(state, message, effects)
  return decodeEffects(own.encode(effects, state))
}

/** Rows of a commit as text, with the names that they are of. */
export const rowsOf = ({ own, series }: PartitionEffects): string[] => own.map((row) => `${row.number} ${series[row.series].device} ${row.at} ${row.body}`)
