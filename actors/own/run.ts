/**
 * Runs one own actor in this process, beside others who may run it too: one hosts it at a time, and feeds it.
 *
 * Owns what belongs together: the group of its own, the feed beside the host. Leaves where the author's code runs to who makes the `Stepper`.
 */

import type { Clock } from '../../runtime/clock.ts'
import type { HostBounds } from '../../runtime/host-life.ts'
import type { Connection } from '../../runtime/log.ts'
import { startMember } from '../../runtime/member.ts'
import type { RunningMember } from '../../runtime/member.ts'
import type { Logger, Metrics } from '../../runtime/telemetry.ts'
import { BUCKET_META } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { OwnActor } from './actor.ts'
import type { ActorFacts, Stepper } from './actor.ts'
import { ownConnection } from './connection.ts'
import type { AnyActor } from './contract.ts'
import { OwnFeed } from './feed.ts'
import type { FeedBounds } from './feed.ts'
import { ownPartition } from './names.ts'

/** How often it is looked whether the actor is hosted here. */
const LOOK_MS = 250

export interface OwnActorOptions {
  readonly connection: Connection
  readonly topology: Topology
  readonly facts: ActorFacts
  readonly reads: AnyActor['reads']
  readonly stepper: Stepper
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics?: Metrics
  /** Of this process; drawn anew at each start. */
  readonly id: string
  readonly url?: string | null
  readonly bounds?: Partial<HostBounds>
  readonly feedBounds?: FeedBounds
}

/** What an actor does at this moment. */
export interface OwnStatus {
  readonly actor: string
  readonly partition: number
  /** `stopped`: its code did what it must not; `away`: another process has it; `starting`. */
  readonly state: 'running' | 'starting' | 'stopped' | 'away'
  /** Why it is stopped; else empty. */
  readonly why: string
  readonly seq: number
}

export interface RunningOwnActor {
  readonly name: string
  status(): OwnStatus
  stop(): Promise<void>
}

export async function startOwnActor(options: OwnActorOptions): Promise<RunningOwnActor> {
  const { connection, topology, facts, clock, logger, metrics, id, url, bounds } = options
  const kv = await connection.kv(BUCKET_META)
  const partition = await ownPartition(kv, facts.name)
  const actor = new OwnActor(facts, options.stepper)
  const own = ownConnection(connection, partition, actor)
  const member = startMember({ connection: own, actor, topology, partitions: [partition], settings: null, clock, logger: logger.child({ actor: facts.name }), metrics, id, url, bounds })
  return new Running(options, partition, member, () => {
    return new OwnFeed({ log: connection.log, kv, topology, partition, actor: facts.name, reads: options.reads, everyMs: facts.everyMs, wantsTime: () => actor.isShelving, clock, logger, bounds: options.feedBounds })
  })
}

class Running implements RunningOwnActor {
  readonly name: string
  readonly #options: OwnActorOptions
  readonly #partition: number
  readonly #member: RunningMember
  readonly #makeFeed: () => OwnFeed
  #feed: OwnFeed | null = null
  #changing: Promise<void> = Promise.resolve()
  #cancel: () => void = () => {}
  #ended = false

  constructor(options: OwnActorOptions, partition: number, member: RunningMember, makeFeed: () => OwnFeed) {
    this.name = options.facts.name
    this.#options = options
    this.#partition = partition
    this.#member = member
    this.#makeFeed = makeFeed
    this.#look()
  }

  status(): OwnStatus {
    const { partitions, failures } = this.#member.status()
    const hosted = partitions.find(({ partition }) => partition === this.#partition)
    const why = failures.find(({ partition }) => partition === this.#partition)?.message ?? ''
    const others = this.#member.membership.view('worker').some((member) => member.id !== this.#member.id && member.partitions.length > 0)
    const state = why !== '' ? 'stopped' : hosted?.phase === 'running' ? 'running' : hosted === undefined && others ? 'away' : 'starting'
    return { actor: this.name, partition: this.#partition, state, why, seq: hosted?.seq ?? 0 }
  }

  async stop(): Promise<void> {
    this.#ended = true
    this.#cancel()
    await this.#changing
    await this.#feed?.stop()
    await this.#member.stop()
  }

  /** Whoever hosts it feeds it. That two do for a while does no harm. */
  #look(): void {
    const { clock, logger } = this.#options
    const isHere = this.status().state === 'running'
    if (isHere !== (this.#feed !== null) && !this.#ended) {
      const feed = isHere ? this.#makeFeed() : this.#feed!
      this.#feed = isHere ? feed : null
      this.#changing = this.#changing
        .then(() => (isHere ? feed.start() : feed.stop()))
        .catch((error) => {
          logger.warn({ err: error, actor: this.name }, 'an own actor is not told anything for now; trying again')
          if (this.#feed === feed) this.#feed = null
          return feed.stop().catch(() => {})
        })
    }
    this.#cancel = clock.after(LOOK_MS, () => this.#look())
  }
}
