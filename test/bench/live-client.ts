/**
 * Many clients of `/v1/live` as one process, over plain sockets: so that thousands of them cost little beside what they measure.
 *
 * Its parent's first message is a `LiveOrder`; it opens its streams at once, resumes each that breaks with its last id, and answers `report` with a
 * `LiveReport`, `mark` and `open` with how many streams stand and are level since the newest mark: have had an event that the log stored behind
 * it. A probe's value is the time of its POST, so that whoever reads it knows its age.
 */

import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface LiveOrder {
  readonly url: string
  readonly key: string
  /** Query of each stream. */
  readonly queries: readonly string[]
  /** So many of them, the first, never read what they get. */
  readonly stuck: number
  /** Each event of every `sample`th stream is looked at; of the others bytes are counted. */
  readonly sample: number
}

export interface LiveReport {
  /** Streams that stand, and have got something. */
  readonly open: number
  /** Connections that were opened again. */
  readonly resumed: number
  /** Streams that were told to resume. */
  readonly told: number
  /** Snapshots that came where a stream resumed: the log did not hold what was missed. */
  readonly anew: number
  readonly bytes: number
  /** Since the mark, of the streams that are looked at: when the last event came that was older than a second, epoch ms; and the greatest age, ms. */
  readonly lateMs: number
  readonly oldestMs: number
  /** By query of the streams that are looked at: how many readings, and the sum of their values in hundredths, modulo `MODULUS`. */
  readonly readings: Readonly<Record<string, readonly [count: number, sum: number]>>
  /** Ages of probes since the last report, ms. */
  readonly agesMs: readonly number[]
}

const MODULUS = 1_000_000_007
const [order] = (await once(process, 'message')) as [LiveOrder]
const target = new URL(order.url)
let ages: number[] = []
let markMs = 0
let lateMs = 0
let oldestMs = 0

class Stream {
  open = false
  resumed = 0
  told = 0
  anew = 0
  bytes = 0
  level = true
  count = 0
  sum = 0
  readonly query: string
  #stuck: boolean
  #looks: boolean
  #socket!: Socket
  #lastId = ''
  #raw = ''
  #text = ''

  constructor(query: string, { stuck, looks }: { stuck: boolean; looks: boolean }) {
    this.query = query
    this.#stuck = stuck
    this.#looks = looks
    this.#connect()
  }

  #connect(): void {
    this.#raw = ''
    this.#text = ''
    let answered = false
    const socket = connect(Number(target.port), target.hostname)
    this.#socket = socket
    socket.write(
      `GET /v1/live?time=ms&${this.query} HTTP/1.1\r\nHost: ${target.host}\r\nAuthorization: Bearer ${order.key}\r\n` +
        `${this.#lastId === '' ? '' : `Last-Event-ID: ${this.#lastId}\r\n`}\r\n`,
    )
    socket.on('data', (data) => {
      this.bytes += data.length
      if (!answered) {
        answered = true
        this.open = data.subarray(9, 12).toString('latin1') === '200'
        if (!this.open) return void socket.destroy()
        if (this.#stuck) return void socket.pause()
      }
      this.#take(data)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.open = false
      this.resumed++
      // A browser's EventSource waits for some three seconds.
      setTimeout(() => this.#connect(), 1_000 + Math.random() * 3_000)
    })
  }

  #take(data: Buffer): void {
    if (!this.#looks) {
      // Its place is enough.
      const tail = this.#text.slice(-200) + data.subarray(Math.max(0, data.length - 4_096)).toString('latin1')
      this.#text = tail
      const at = tail.lastIndexOf('\nid: ', tail.lastIndexOf('\n\n'))
      if (at >= 0) this.#lastId = tail.slice(at + 5, tail.indexOf('\n', at + 5))
      return
    }
    this.#raw += data.toString('latin1')
    if (this.#raw.startsWith('HTTP/')) {
      const end = this.#raw.indexOf('\r\n\r\n')
      if (end < 0) return
      this.#raw = this.#raw.slice(end + 4)
    }
    for (;;) {
      const line = this.#raw.indexOf('\r\n')
      if (line < 0) break
      const size = parseInt(this.#raw.slice(0, line), 16)
      if (size === 0) return void this.#socket.destroy()
      if (this.#raw.length < line + 2 + size + 2) break
      this.#text += this.#raw.slice(line + 2, line + 2 + size)
      this.#raw = this.#raw.slice(line + 2 + size + 2)
    }
    const events = this.#text.split('\n\n')
    this.#text = events.pop()!
    for (const event of events) this.#event(event)
  }

  #event(event: string): void {
    if (event.includes('resume from the last id')) this.told++
    const id = /^id: (.*)$/m.exec(event)?.[1]
    if (id === undefined) return
    if (event.startsWith('event: snapshot') && this.#lastId !== '') this.anew++
    this.#lastId = id
    if (!event.startsWith('event: reading')) return
    const value = Number(/"value":([-\d.e]+)/.exec(event)![1])
    if (event.includes('"metric":"probe"')) ages.push(performance.timeOrigin + performance.now() - value)
    const [nowMs, storedMs] = [Date.now(), Number(/"received_at":(\d+)/.exec(event)![1])]
    if (nowMs - storedMs > 1_000) lateMs = nowMs
    oldestMs = Math.max(oldestMs, nowMs - storedMs)
    this.level ||= storedMs >= markMs
    this.count++
    this.sum = (this.sum + (Math.round(value * 100) % MODULUS)) % MODULUS
  }
}

const streams = order.queries.map((query, i) => new Stream(query, { stuck: i < order.stuck, looks: i >= order.stuck && i % order.sample === 0 }))

process.on('message', (asked) => {
  if (asked === 'mark') {
    markMs = Date.now()
    lateMs = oldestMs = 0
    for (const stream of streams) stream.level = false
  }
  if (asked !== 'report') return void process.send!(streams.filter((s) => s.open && s.level).length)
  const total = (of: 'resumed' | 'told' | 'anew' | 'bytes') => streams.reduce((sum, stream) => sum + stream[of], 0)
  const readings: Record<string, readonly [number, number]> = {}
  for (const { query, count, sum } of streams) if (count > 0) readings[query] = [count, sum]
  const report: LiveReport = {
    open: streams.filter((s) => s.open).length,
    resumed: total('resumed'), told: total('told'), anew: total('anew'), bytes: total('bytes'),
    lateMs, oldestMs,
    readings,
    agesMs: ages,
  }
  ages = []
  process.send!(report)
})
process.on('disconnect', () => process.exit(0))
