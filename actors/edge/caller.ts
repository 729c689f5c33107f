/**
 * The client of a live stream at the edge: what it asked for, and the last id of what it was given.
 *
 * - C1 It is given whole events: what a store had begun to say when it died is forgotten, and said again by the next.
 * - C2 What it does not take, its store keeps: the edge holds no more than what a connection holds, and one event.
 */

import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { RELAY_EVENT_BYTES_MAX } from '../../runtime/limits.ts'

/** How an answer ended: with a word to come again, or without one. */
export type End = 'told' | 'broken'

const EVENT_END = Buffer.from('\n\n')
const ID_LINE = Buffer.from('\nid: ')
const ID_FIRST = Buffer.from('id: ')
const RETRY_LINE = Buffer.from('\nretry: ')
/** The word to come again is the last that a stream says. */
const RETRY_BYTES = 40

export class Caller {
  readonly path: string
  readonly #headers: Record<string, string>
  readonly #outgoing: ServerResponse
  #upstream: ClientRequest | null = null
  #answer: IncomingMessage | null = null
  #lastId: string | null = null
  #told = false

  constructor(outgoing: ServerResponse, options: { path: string; headers: Record<string, string> }) {
    this.path = options.path
    this.#headers = options.headers
    this.#outgoing = outgoing
    outgoing.on('close', () => this.hangUp())
    outgoing.on('drain', () => this.#answer?.resume())
  }

  /** Of the next request for it: the last id that it was given counts. */
  get headers(): Record<string, string> {
    return this.#lastId === null ? this.#headers : { ...this.#headers, 'last-event-id': this.#lastId }
  }

  get gone(): boolean {
    return this.#outgoing.destroyed
  }

  /** Resolves when its connection takes more, or is gone. */
  async drained(): Promise<void> {
    if (this.gone || !this.#outgoing.writableNeedDrain) return
    await new Promise<void>((resolve) => this.#outgoing.once('drain', resolve).once('close', resolve))
  }

  /** Says with which request it is served: that goes when the client goes. */
  calls(upstream: ClientRequest): void {
    this.#upstream = upstream
    if (this.gone) upstream.destroy()
  }

  /** Ends the request that it is served with. */
  hangUp(): void {
    this.#upstream?.destroy()
  }

  /** Gives it the events of an answer as they come; resolves when the answer has ended, or broken off. */
  take(answer: IncomingMessage): Promise<End> {
    this.#answer = answer
    this.#told = false
    let rest: Buffer | null = null
    return new Promise((resolve) => {
      answer.on('data', (chunk: Buffer) => {
        const data: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk])
        const end = data.lastIndexOf(EVENT_END) + EVENT_END.length
        if (end < EVENT_END.length) rest = data
        else {
          // A copy, so that a few bytes do not hold all that was read with them.
          rest = end === data.length ? null : Buffer.from(data.subarray(end))
          if (!this.#give(data.subarray(0, end))) answer.pause()
        }
        if (rest !== null && rest.length > RELAY_EVENT_BYTES_MAX) this.cut()
      })
      const ended = () => {
        if (this.#answer !== answer) return
        this.#answer = this.#upstream = null
        resolve(this.#told ? 'told' : 'broken')
      }
      answer.on('end', ended).on('error', ended).on('close', ended)
      if (answer.destroyed) ended()
    })
  }

  /** Says a comment. */
  say(data: Buffer): void {
    if (!this.gone) this.#outgoing.write(data)
  }

  end(): void {
    this.#outgoing.end()
  }

  /** Cuts the connection. */
  cut(): void {
    this.#outgoing.destroy()
  }

  /** Whole events; false where the connection takes no more for now. */
  #give(events: Buffer): boolean {
    this.#lastId = lastIdOf(events) ?? this.#lastId
    this.#told = events.indexOf(RETRY_LINE, Math.max(0, events.length - RETRY_BYTES)) >= 0
    return this.#outgoing.write(events)
  }
}

function lastIdOf(events: Buffer): string | null {
  const line = events.lastIndexOf(ID_LINE)
  const from = line >= 0 ? line + ID_LINE.length : events.subarray(0, ID_FIRST.length).equals(ID_FIRST) ? ID_FIRST.length : -1
  return from < 0 ? null : events.toString('latin1', from, events.indexOf('\n', from))
}
