/**
 * The own actors of a worker: each file in a process of its own, and what they all do at this moment, told to whoever listens.
 */

import { Gauge } from 'prom-client'
import type { Clock } from '../../runtime/clock.ts'
import type { Connection } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/telemetry.ts'
import type { Logger, Metrics } from '../../runtime/telemetry.ts'
import type { Topology } from '../../runtime/topology.ts'
import { OperatingError } from '../../runtime/errors.ts'
import { tellActors } from './presence.ts'
import { startOwnActor } from './run.ts'
import type { OwnStatus, RunningOwnActor } from './run.ts'
import { Sandbox } from './sandbox.ts'
import type { SandboxLimits, SandboxRuntime } from './sandbox.ts'

const TELL_MS = 1_000

export interface OwnActorsOptions {
  readonly connection: Connection
  readonly topology: Topology
  readonly files: readonly string[]
  readonly runtime?: SandboxRuntime
  readonly limits?: Partial<SandboxLimits>
  readonly clock: Clock
  readonly logger: Logger
  readonly id: string
  readonly url: string | null
}

export interface OwnActors {
  statuses(): OwnStatus[]
  /** What the actors and their hosts count: a registry each, since each has the same metrics. */
  readonly metrics: readonly Metrics[]
  stop(): Promise<void>
}

/** Throws `OperatingError` `config` where a file is no actor. */
export async function startOwnActors(options: OwnActorsOptions): Promise<OwnActors> {
  const { connection, clock, logger, files, id } = options
  const sandboxes: Sandbox[] = []
  const actors: RunningOwnActor[] = []
  const metrics: Metrics[] = [createMetrics({ process: false })]
  const closeAll = async (): Promise<void> => {
    await Promise.all(actors.map((actor) => actor.stop()))
    await Promise.all(sandboxes.map((sandbox) => sandbox.close()))
  }
  try {
    for (const file of files) {
      const sandbox = await Sandbox.open({ file, runtime: options.runtime, limits: options.limits, clock, logger })
      sandboxes.push(sandbox)
      const { name } = sandbox.facts
      if (actors.some((actor) => actor.name === name)) throw new OperatingError('config', `Cannot run ${file} as each actor must have a name of its own: ${name} is another file's`)
      const own = createMetrics({ process: false })
      metrics.push(own)
      actors.push(await startOwnActor({ ...options, metrics: own, facts: sandbox.facts, reads: sandbox.reads, stepper: sandbox }))
      logger.info({ actor: name, file, runtime: sandbox.runtime, code: sandbox.facts.code }, 'an own actor was loaded')
    }
  } catch (error) {
    await closeAll()
    throw error
  }
  const statuses = (): OwnStatus[] => actors.map((actor) => actor.status())
  register(metrics[0], statuses)
  let cancel: () => void = () => {}
  const tell = (): void => {
    tellActors(connection.bus, id, statuses())
    cancel = clock.after(TELL_MS, tell)
  }
  tell()
  return {
    statuses,
    metrics,
    stop: async () => {
      cancel()
      await closeAll()
      tellActors(connection.bus, id, [])
    },
  }
}

function register(metrics: Metrics, statuses: () => readonly OwnStatus[]): void {
  new Gauge({
    name: 'weir_own_actor',
    help: 'State of each own actor of this process: 1 for the one that holds',
    labelNames: ['actor', 'state'],
    registers: [metrics],
    collect() {
      for (const { actor, state } of statuses()) for (const one of ['running', 'starting', 'stopped', 'away']) this.set({ actor, state: one }, one === state ? 1 : 0)
    },
  })
}
