/**
 * The bus on core NATS: messages that nothing stores.
 *
 * Owns the questions whether anybody listens. The server answers for nobody: a message that has a reply subject, and of whose subject it knows
 * no subscription, comes back at once with status 503. It drops the subscriptions of a connection as it ends, which the kernel of a killed
 * process sees to; so the answer is there long before a silence would be noticed.
 */

import type { Bus } from './log.ts'
import type { NatsClient } from './nats-client.ts'

const NOBODY = 503
/** No answer for so long: somebody listens, or the answer is lost. */
const ASKED_MS = 2_000

export class NatsBus implements Bus {
  #client: NatsClient
  /** Where the server answers for nobody; made at the first question. */
  #inbox = ''
  #asked = new Map<string, () => void>()
  #serial = 0

  constructor(client: NatsClient) {
    this.#client = client
  }

  send(subject: string, data: Uint8Array, onNobody?: () => void): void {
    if (!this.#client.connected()) return
    if (onNobody === undefined) this.#client.nc.publish(subject, data)
    else this.#client.nc.publish(subject, data, { reply: this.#ask(onNobody) })
  }

  listen(subject: string, onMessage: (data: Uint8Array, subject: string) => void): () => void {
    const subscription = this.#client.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) onMessage(message.data, message.subject)
      },
    })
    return () => {
      if (!this.#client.closed) subscription.unsubscribe()
    }
  }

  #ask(onNobody: () => void): string {
    if (this.#inbox === '') {
      this.#inbox = this.#client.inbox()
      this.#client.nc.subscribe(`${this.#inbox}.*`, {
        callback: (error, message) => {
          if (error !== null || message.headers?.code !== NOBODY) return
          const found = this.#asked.get(message.subject)
          this.#asked.delete(message.subject)
          found?.()
        },
      })
    }
    const reply = `${this.#inbox}.${++this.#serial}`
    this.#asked.set(reply, onNobody)
    this.#client.clock.after(ASKED_MS, () => void this.#asked.delete(reply))
    return reply
  }
}
