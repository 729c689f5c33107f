/**
 * What a host appends to its own partition's input: ticks, by which a quiet partition's time goes on, and introductions, by which its state
 * learns of settings and of what the group has agreed on.
 *
 * Owns which of them are on their way. Leaves when to send a tick, and when to look for an introduction, to host.ts, and what they say to the actor.
 *
 * - One of a kind is on its way at a time: what was sent is a part of the state only once it is read back. One that is not read back for
 *   long is taken for lost; to append it twice does no harm.
 */

import { isOperating } from './errors.ts'
import type { HostContext, HostOptions } from './host-life.ts'
import { Aborted } from './journal-writer.ts'
import { TICK_INTERVAL_MS } from './limits.ts'
import { inputSubject } from './topology.ts'

/** A tick, or an introduction, that was not read back for so long no longer keeps another from being sent. */
const LOST_MS = 5 * TICK_INTERVAL_MS

/** Its sequence is Infinity until the log has said it. */
interface Sent {
  seq: number
  readonly sentMs: number
}

export class OwnMessages<State, Effects> {
  #context: HostContext<State, Effects>
  #options: Pick<HostOptions<State, Effects>, 'connection' | 'agreed'>
  #subject: string
  /** Yet to be introduced; null once they are. */
  #settings: unknown
  #tick: Sent | null = null
  #introduction: Sent | null = null

  constructor(context: HostContext<State, Effects>, options: Pick<HostOptions<State, Effects>, 'connection' | 'agreed' | 'settings'>) {
    this.#context = context
    this.#options = options
    this.#subject = inputSubject(context.partition)
    this.#settings = options.settings
  }

  /** Appends a tick where the state wants one, and tries again while the log does not answer. */
  tick(): void {
    const { actor, clock, progress, persist, give } = this.#context
    if (!actor.wantsTick(progress.state) || this.#isOnItsWay(this.#tick)) return
    const sent: Sent = { seq: Infinity, sentMs: clock.monotonic() }
    this.#tick = sent
    persist(() => this.#options.connection.log.publish(this.#subject, actor.tick())).then(
      ({ seq }) => {
        sent.seq = seq
      },
      (error) => {
        if (!(error instanceof Aborted)) give(error)
      },
    )
  }

  /** Appends what the state lacks: of this owner's settings, once, and of what the group has agreed on, whenever that grows. */
  introduce(): void {
    const { actor, clock, progress, give } = this.#context
    if (this.#isOnItsWay(this.#introduction)) return
    const introduction = actor.introduce(progress.state, this.#settings, this.#options.agreed?.() ?? [])
    if (!introduction) {
      this.#settings = null
      return
    }
    const sent: Sent = { seq: Infinity, sentMs: clock.monotonic() }
    this.#introduction = sent
    this.#options.connection.log.publish(this.#subject, introduction).then(
      ({ seq }) => {
        sent.seq = seq
        this.#settings = null
      },
      (error) => {
        if (!isOperating(error) || !error.retry) return give(error)
        // Made anew at the next look: by the time that the log answers the group may be another one.
        this.#introduction = null
      },
    )
  }

  #isOnItsWay(sent: Sent | null): boolean {
    const { clock, progress } = this.#context
    return sent !== null && sent.seq > progress.at.seq && clock.monotonic() - sent.sentMs < LOST_MS
  }
}
