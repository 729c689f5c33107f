/**
 * One member of the workers' group with a connection of its own: in a thread, where a worker has several, else in the process itself.
 */

import { isMainThread, parentPort } from 'node:worker_threads'
import { partitionActor } from '../actors/partition/actor.ts'
import type { Settings } from '../actors/reading/input.ts'
import { systemClock } from '../runtime/clock.ts'
import { startMember } from '../runtime/member.ts'
import type { MemberStatus } from '../runtime/member.ts'
import { connectNats } from '../runtime/nats-log.ts'
import { createLogger, createMetrics } from '../runtime/telemetry.ts'
import { serveThread } from '../runtime/threads.ts'
import type { ThreadWork } from '../runtime/threads.ts'
import type { Topology } from '../runtime/topology.ts'

/** What a thread is told, as plain data. */
export interface WorkerData {
  readonly nats: string
  /** Part of the member's id; the rest is drawn at each start. */
  readonly name: string
  readonly url: string
  readonly topology: Topology
  readonly settings: Settings
}

/** Joins the group; resolves once the connection stands and the group was told. */
export async function startWorkerMember({ nats, name, url, topology, settings }: WorkerData): Promise<ThreadWork<MemberStatus>> {
  const clock = systemClock
  const id = `${name}-${clock.nonce(3)}`
  const logger = createLogger('worker').child({ member: id })
  const metrics = createMetrics({ process: false })
  const connection = await connectNats({ servers: nats, name: id, clock })
  const member = startMember({ connection, actor: partitionActor, topology, settings, clock, logger, metrics, id, url })
  return {
    metrics,
    status: () => member.status(),
    stop: async () => {
      await member.stop()
      await connection.close()
    },
  }
}

if (!isMainThread && parentPort !== null) await serveThread(systemClock, startWorkerMember)
