/** The life cycle of a host, its bounds, and what the parts of a host share. */

import type { Actor } from './actor.ts'
import type { Clock } from './clock.ts'
import type { HostMetrics } from './host-metrics.ts'
import type { Position } from './journal.ts'
import * as limits from './limits.ts'
import type { Connection } from './log.ts'
import type { Logger } from './telemetry.ts'
import type { Topology } from './topology.ts'

/** Where a host is in its life. The last three are ends. */
export type HostPhase =
  | { readonly kind: 'preparing' }
  | { readonly kind: 'claiming' }
  | { readonly kind: 'restoring'; readonly epoch: number }
  | { readonly kind: 'replaying'; readonly epoch: number; readonly target: number }
  | { readonly kind: 'running'; readonly epoch: number }
  | { readonly kind: 'draining'; readonly epoch: number }
  | { readonly kind: 'stopped'; readonly reason: StopReason }
  | { readonly kind: 'fenced'; readonly by: string }
  | { readonly kind: 'failed'; readonly error: unknown }
export type HostEnd = Extract<HostPhase, { kind: 'stopped' | 'fenced' | 'failed' }>

/**
 * `new-generation`: the input stream was made anew; who should own the partition takes it over again, from the new first message.
 * `handed-over`: the next owner has made itself ready.
 */
export type StopReason = 'asked' | 'handed-over' | 'new-generation'

export const HOST_MOVES: Record<HostPhase['kind'], readonly HostPhase['kind'][]> = {
  preparing: ['claiming', 'stopped', 'failed'],
  claiming: ['restoring', 'stopped', 'fenced', 'failed'],
  restoring: ['replaying', 'stopped', 'fenced', 'failed'],
  replaying: ['running', 'stopped', 'fenced', 'failed'],
  running: ['draining', 'fenced', 'failed'],
  draining: ['stopped', 'fenced', 'failed'],
  stopped: [],
  fenced: [],
  failed: [],
}

/** Bounds of a host; those of limits.ts by default. */
export interface HostBounds {
  readonly commitIntervalMs: number
  readonly commitResultsMax: number
  readonly commitPartBytes: number
  readonly replayCostMs: number
  readonly replayMessageMs: number
  readonly quietCostMs: number
}

export const HOST_BOUNDS: HostBounds = {
  commitIntervalMs: limits.COMMIT_INTERVAL_MS,
  commitResultsMax: limits.COMMIT_RESULTS_MAX,
  commitPartBytes: limits.COMMIT_PART_BYTES,
  replayCostMs: limits.REPLAY_COST_MS,
  replayMessageMs: limits.REPLAY_MESSAGE_MS,
  quietCostMs: limits.SNAPSHOT_QUIET_COST_MS,
}

export interface HostOptions<State, Effects> {
  readonly connection: Connection
  readonly actor: Actor<State, Effects>
  readonly topology: Topology
  readonly partition: number
  /** Id of the member that hosts it. */
  readonly owner: string
  /** The owner's settings, handed to `actor.introduce`. */
  readonly settings: unknown
  /** Flags that every living member of the group knows, at this moment: `actor.introduce` may switch them on. None by default. */
  readonly agreed?: () => readonly number[]
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics?: HostMetrics
  readonly bounds?: Partial<HostBounds>
  /** Whether it prepares itself and claims the partition only once `claim` is called, instead of at once. */
  readonly waits?: boolean
  /** Called when it waits for nothing but `claim`. */
  readonly onReady?: () => void
  /** Called after each move of the life cycle. */
  readonly onMove?: (phase: HostPhase) => void
}

/** What the parts of one host have in common: the state, and up to where it is. Only the host changes it. */
export interface Progress<State> {
  state: State
  at: Position
}

/** What the parts of one host are made with. */
export interface HostContext<State, Effects> {
  readonly partition: number
  readonly actor: Actor<State, Effects>
  readonly clock: Clock
  readonly logger: Logger
  readonly bounds: HostBounds
  readonly progress: Progress<State>
  readonly metrics: HostMetrics | undefined
  readonly labels: { readonly partition: string }
  /** Tries again while the log does not answer; rejects with `Aborted` when the host gives up. */
  persist<T>(run: () => Promise<T>): Promise<T>
  /** Ends the host with an error. */
  give(error: unknown): void
}
