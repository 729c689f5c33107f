/**
 * Sends what is stored and due, within bounds, and notes what came of it.
 *
 * Owns what is under way. Leaves which message may go when to desk.ts, and how one is delivered to targets/.
 *
 * - P1 A receiver that hangs holds up its own route alone.
 */

import type { Clock } from '../../runtime/clock.ts'
import { NOTIFY_IN_FLIGHT, NOTIFY_ROUTE_IN_FLIGHT } from '../../runtime/limits.ts'
import type { FollowerLogger } from '../store/follow.ts'
import { answered, sendable } from './desk.ts'
import type { Outcome } from './desk.ts'
import type { Kept } from './keeper.ts'
import type { NotifierMetrics } from './metrics.ts'
import { outgoingOf } from './outgoing.ts'
import type { Senders } from './outgoing.ts'
import type { Route } from './route.ts'
import type { Delivery } from './state.ts'

export interface PostOptions {
  readonly senders: Senders
  readonly clock: Clock
  readonly logger: FollowerLogger
  readonly metrics: NotifierMetrics | null
  readonly routesOf: (tenant: string) => ReadonlyMap<string, Route>
  /** Called after each attempt. */
  readonly onAnswer: (kept: Kept) => void
}

export class Post {
  readonly #options: PostOptions
  /** By tenant and id. */
  readonly #sending = new Map<string, Promise<void>>()
  readonly #ending = new AbortController()

  constructor(options: PostOptions) {
    this.#options = options
  }

  isSending(tenant: string, id: string): boolean {
    return this.#sending.has(`${tenant}\n${id}`)
  }

  /** Begins to send what may go of a tenant's. */
  dispatch(kept: Kept): void {
    if (this.#ending.signal.aborted) return
    const { clock, routesOf } = this.#options
    const { state } = kept
    const routes = routesOf(state.tenant)
    for (const [id, of] of Object.entries(state.routes)) {
      const route = routes.get(id)
      if (route === undefined || of.queue.length === 0) continue
      // What is not stored waits, and what comes behind it of the same order with it.
      for (const delivery of sendable(of, (message) => this.isSending(state.tenant, message), NOTIFY_ROUTE_IN_FLIGHT, clock.now())) {
        if (this.#sending.size >= NOTIFY_IN_FLIGHT) return
        if (kept.stored.has(delivery.id)) this.#send(kept, id, route, delivery)
      }
    }
  }

  /** Cuts what is under way: whoever comes next sends it again. */
  async stop(): Promise<void> {
    this.#ending.abort()
    await Promise.all(this.#sending.values())
  }

  #send(kept: Kept, id: string, route: Route, delivery: Delivery): void {
    const name = `${kept.state.tenant}\n${delivery.id}`
    const sending = this.#attempt(kept, id, route, delivery).finally(() => {
      this.#sending.delete(name)
      if (!this.#ending.signal.aborted) this.#options.onAnswer(kept)
    })
    this.#sending.set(name, sending)
  }

  async #attempt(kept: Kept, id: string, route: Route, delivery: Delivery): Promise<void> {
    const { senders, clock, logger, metrics } = this.#options
    const { tenant } = kept.state
    const { target } = route
    const send = senders[target.kind] as Senders['webhook']
    const outcome = await send(target as never, outgoingOf({ tenant, id, route }, delivery), this.#ending.signal).catch((error: unknown): Outcome => {
      logger.error({ err: error, tenant, route: id }, 'a message could not be made or sent')
      return { kind: 'refused', error: 'it could not be made or sent: the log of the notifier says why' }
    })
    if (this.#ending.signal.aborted) return
    const of = kept.state.routes[id]
    if (of === undefined) return
    const wasWell = of.failures === 0
    answered(of, delivery.id, outcome, clock.now(), clock.random())
    if (outcome.kind === 'taken') metrics?.taken(target.kind, delivery, clock.now())
    else {
      metrics?.failed(target.kind)
      if (wasWell || outcome.kind !== 'away') logger.warn({ tenant, route: id, message: delivery.id, tries: delivery.tries, error: outcome.error }, `an alert could not be delivered: ${outcome.error}`)
    }
  }
}
