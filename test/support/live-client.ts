/** A client of `/v1/live` over a plain socket: it remembers what came, resumes with its last id whenever its stream ends, and can stop reading. */

import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface LiveEvent {
  readonly event: string
  readonly id: string
  readonly data: Record<string, unknown>
}

export class LiveClient {
  readonly events: LiveEvent[] = []
  /** Comments that told it to resume. */
  told: string[] = []
  /** Streams that were opened, and answers other than 200. */
  opened = 0
  refused = 0
  #url: URL
  #key: string
  #query: string
  #socket: Socket | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #closed = false
  #lastId = ''

  constructor({ url, key, query }: { url: string; key: string; query: string }) {
    this.#url = new URL(url)
    this.#key = key
    this.#query = query
    this.#connect()
  }

  get lastId(): string {
    return this.#lastId
  }

  of(kind: string): LiveEvent[] {
    return this.events.filter(({ event }) => event === kind)
  }

  /** Reads no more of its socket, until `resume`. */
  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** Goes to another server when its stream ends, and ends it here. */
  moveTo(url: string): void {
    this.#url = new URL(url)
    this.#socket?.destroy()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#socket?.destroy()
  }

  #connect(): void {
    const socket = connect(Number(this.#url.port), this.#url.hostname)
    this.#socket = socket
    const last = this.#lastId === '' ? '' : `Last-Event-ID: ${this.#lastId}\r\n`
    socket.write(`GET /v1/live?time=ms&${this.#query} HTTP/1.1\r\nHost: ${this.#url.host}\r\nAuthorization: Bearer ${this.#key}\r\n${last}\r\n`)
    let raw = ''
    let text = ''
    let headed = false
    const take = () => {
      if (!headed) {
        const end = raw.indexOf('\r\n\r\n')
        if (end < 0) return
        headed = true
        if (raw.startsWith('HTTP/1.1 200')) this.opened++
        else {
          this.refused++
          return void socket.destroy()
        }
        raw = raw.slice(end + 4)
      }
      for (;;) {
        const line = raw.indexOf('\r\n')
        const size = line < 0 ? NaN : parseInt(raw.slice(0, line), 16)
        if (size === 0) socket.destroy()
        if (!(size > 0 && raw.length >= line + 2 + size + 2)) break
        text += raw.slice(line + 2, line + 2 + size)
        raw = raw.slice(line + 2 + size + 2)
      }
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) this.#block(block)
    }
    socket.on('data', (chunk) => {
      raw += chunk.toString('latin1')
      take()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (!this.#closed) this.#timer = setTimeout(() => this.#connect(), 100)
    })
  }

  #block(block: string): void {
    const field = (name: string) => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
    if (block.includes('resume from the last id')) this.told.push(block)
    const [event, id, data] = [field('event'), field('id'), field('data')]
    if (id !== undefined) this.#lastId = id
    if (event !== undefined && data !== undefined) this.events.push({ event, id: id!, data: JSON.parse(data) as Record<string, unknown> })
  }
}
