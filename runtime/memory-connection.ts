/**
 * One process's connection to a world in memory, and what it can do with it.
 *
 * Owns the faults of one process: its network is cut and healed, it is stopped and goes on, it is killed at a point that a test names.
 * Leaves what is stored, and the faults of the server, to memory-log.ts.
 */

import { OperatingError } from './errors.ts'
import type { Bus, Connection, KeyValue, Log, LogMessage, LogReader, ObjectStore, ServerGreeting } from './log.ts'
import type { PublishOptions, ReadOptions, StreamInfo, StreamOptions } from './log.ts'
import { MemoryKeyValue, MemoryObjects } from './memory-buckets.ts'
import type { MemoryWorld } from './memory-log.ts'
import { Mortal, never } from './memory-mortal.ts'
import { firstAtOrAfter, infoOf, subjectMatches } from './memory-stream.ts'

const PUBLISH_TIMEOUT_MS = 2_000
const timedOut = (what: string, timeoutMs: number) => new OperatingError('timeout', `Cannot tell whether ${what} is stored as the answer must come within ${timeoutMs} ms`)

export class MemoryConnection extends Mortal implements Connection {
  readonly log: Log
  readonly bus: Bus
  readonly serverVersion: string
  #world: MemoryWorld
  #cut = false
  #closed = false
  /** While the process is stopped: what it was sent meanwhile waits in the socket. */
  #pause: { readonly over: Promise<void>; readonly end: () => void; readonly heard: (() => void)[] } | null = null
  #readers = new Set<MemoryReader>()
  #listeners = new Set<{ subject: string; run: (data: Uint8Array, subject: string) => void }>()
  #reconnects = new Set<() => void>()

  constructor(world: MemoryWorld) {
    super()
    this.#world = world
    this.serverVersion = world.serverVersion
    this.log = new MemoryLog(world, this)
    this.bus = {
      send: (subject, data, onNobody) => {
        if (this.connected()) world.broadcast(subject, data, () => void (this.connected() && onNobody?.()))
      },
      listen: (subject, run) => {
        const listener = { subject, run }
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
    }
  }

  async kv(bucket: string): Promise<KeyValue> {
    return this.perform(() => new MemoryKeyValue(this.#world.bucket(bucket), this, (key, write) => this.#written(key, write)))
  }

  /** Writes an entry of a bucket, as far as the world lets it. */
  #written(key: string, write: () => number): Promise<number> {
    return this.perform(() => {
      const fault = this.#world.entryFault?.(key) ?? null
      if (fault === 'unavailable' || fault === 'full') throw new OperatingError(fault, `Cannot store key ${key} as its bucket must be there, with room`)
      const revision = fault === 'lost' ? 0 : write()
      if (fault === null) return revision
      return this.#world.clock.sleep(PUBLISH_TIMEOUT_MS).then(() => {
        throw timedOut(`key ${key}`, PUBLISH_TIMEOUT_MS)
      })
    })
  }

  async objects(bucket: string): Promise<ObjectStore> {
    return this.perform(() => new MemoryObjects(this.#world.objectBucket(bucket), this))
  }

  connected(): boolean {
    return !this.#cut && !this.#closed && !this.dead
  }

  async servers(): Promise<ServerGreeting[]> {
    return [{ name: 'memory', version: this.serverVersion }]
  }

  onReconnect(run: () => void): () => void {
    this.#reconnects.add(run)
    return () => this.#reconnects.delete(run)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#readers].map((reader) => reader.close()))
    this.#listeners.clear()
    this.#world.forget(this)
  }

  // Faults of this connection alone -------------------------------------------------------------------------------------------

  /** The network between this connection and the server fails: calls reject with `unavailable`, readers wait, the bus is silent. */
  cut(): void {
    this.#cut = true
  }

  heal(): void {
    if (!this.#cut) return
    this.#cut = false
    this.#world.wakeReaders()
    for (const run of [...this.#reconnects]) run()
  }

  /** The process is stopped, as by SIGSTOP: its connection stands, what comes waits for it, and it sends nothing until `resume`. Its timers are its clock's. */
  pause(): void {
    if (this.#pause) return
    let end = () => {}
    const over = new Promise<void>((resolve) => (end = resolve))
    this.#pause = { over, end, heard: [] }
  }

  resume(): void {
    const pause = this.#pause
    if (!pause) return
    this.#pause = null
    for (const hear of pause.heard) hear()
    pause.end()
  }

  // For the parts of this file ------------------------------------------------------------------------------------------------

  /** Runs `act` as a call to the server: a point to die at before it and after it. */
  async perform<T>(act: () => T | Promise<T>): Promise<T> {
    await this.#point()
    const answer = await act()
    await this.#point()
    return answer
  }

  async #point(): Promise<void> {
    this.passPoint()
    await this.#alive()
    const ms = this.#world.latencyMs?.() ?? 0
    if (ms > 0) await this.#world.clock.sleep(ms)
    else await Promise.resolve()
    if (ms > 0 || this.#pause) await this.#alive()
  }

  /** Resolves while the process runs and the network carries; rejects where it does not. */
  async #alive(): Promise<void> {
    while (this.#pause) await this.#pause.over
    if (this.dead) await never()
    if (this.#closed) {
      throw new OperatingError('unavailable', 'Cannot reach the log as the connection must be open: current state is closed', { retry: false })
    }
    if (this.#cut) throw new OperatingError('unavailable', 'Cannot reach the log as the connection must stand: current state is cut')
  }

  hear(subject: string, data: Uint8Array): void {
    if (!this.connected()) return
    if (this.#pause) return void this.#pause.heard.push(() => this.hear(subject, data))
    for (const listener of [...this.#listeners]) if (subjectMatches(listener.subject, subject)) listener.run(data, subject)
  }

  /** Whether the server has a subscription of it for the subject: that of a dead process it drops, that of one that is cut off only where it notices. */
  listensTo(subject: string, { cutIsNoticed }: { cutIsNoticed: boolean }): boolean {
    if (this.dead || this.#closed || (this.#cut && cutIsNoticed)) return false
    return [...this.#listeners].some((listener) => subjectMatches(listener.subject, subject))
  }

  addReader(reader: MemoryReader): void {
    this.#readers.add(reader)
  }

  removeReader(reader: MemoryReader): void {
    this.#readers.delete(reader)
  }

  /** Counts the handing over of a message as an await point. */
  async delivered(): Promise<void> {
    this.passPoint()
    while (this.#pause) await this.#pause.over
    if (this.dead) await never()
  }
}

class MemoryLog implements Log {
  #world: MemoryWorld
  #connection: MemoryConnection

  constructor(world: MemoryWorld, connection: MemoryConnection) {
    this.#world = world
    this.#connection = connection
  }

  publish(subject: string, data: Uint8Array, options: PublishOptions = {}): Promise<{ seq: number }> {
    const timeoutMs = options.timeoutMs ?? PUBLISH_TIMEOUT_MS
    return this.#connection.perform(async () => {
      const fault = this.#world.faultOf(subject, data)
      if (fault === 'unavailable') throw new OperatingError('unavailable', `Cannot store on ${subject} as its stream must be available`)
      if (fault === 'full') throw new OperatingError('full', `Cannot store on ${subject} as its stream must have room`)
      if (fault === 'lost') {
        await this.#world.clock.sleep(timeoutMs)
        throw timedOut(subject, timeoutMs)
      }
      const held = this.#world.heldUntil(subject)
      if (held) {
        // The message is on its way: it arrives when the hold ends, whether or not anyone still waits for the answer.
        const arrival = held.then(() => this.#world.store(subject, data, options.expectLastSubjectSeq))
        const waited = this.#world.clock.sleep(timeoutMs).then(() => 'timeout' as const)
        arrival.catch(() => {})
        const first = await Promise.race([arrival, waited])
        if (first === 'timeout') throw timedOut(subject, timeoutMs)
        return { seq: first }
      }
      const seq = this.#world.store(subject, data, options.expectLastSubjectSeq)
      if (fault === 'lost-ack') {
        await this.#world.clock.sleep(timeoutMs)
        throw timedOut(subject, timeoutMs)
      }
      return { seq }
    })
  }

  read(options: ReadOptions): LogReader {
    const reader = new MemoryReader(this.#world, this.#connection, options)
    this.#connection.addReader(reader)
    return reader
  }

  last(stream: string, subject: string): Promise<LogMessage | null> {
    return this.#connection.perform(() => this.#world.told(stream).bySubject.get(subject)?.at(-1) ?? null)
  }

  at(stream: string, seq: number): Promise<LogMessage | null> {
    return this.#connection.perform(() => {
      const { messages } = this.#world.told(stream)
      const found = messages[firstAtOrAfter(messages, seq)]
      return found?.seq === seq ? found : null
    })
  }

  info(stream: string): Promise<StreamInfo> {
    return this.#connection.perform(() => infoOf(this.#world.told(stream)))
  }

  ensureStream(options: StreamOptions): Promise<StreamInfo> {
    return this.#connection.perform(() => infoOf(this.#world.ensureStream(options)))
  }

  purge(name: string, options: { subject?: string; beforeSeq: number }): Promise<void> {
    return this.#connection.perform(() => {
      const stream = this.#world.stream(name)
      const goes = (m: LogMessage) => m.seq < options.beforeSeq && (options.subject === undefined || m.subject === options.subject)
      for (const message of stream.messages) if (goes(message)) stream.bytes -= message.data.byteLength
      stream.messages = stream.messages.filter((m) => !goes(m))
      for (const [subject, messages] of stream.bySubject) stream.bySubject.set(subject, messages.filter((m) => !goes(m)))
    })
  }
}

class MemoryReader implements LogReader {
  #world: MemoryWorld
  #connection: MemoryConnection
  #options: ReadOptions
  #nextSeq: number
  #closed = false

  constructor(world: MemoryWorld, connection: MemoryConnection, options: ReadOptions) {
    this.#world = world
    this.#connection = connection
    this.#options = options
    this.#nextSeq = Math.max(1, options.fromSeq)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#connection.removeReader(this)
    this.#world.wakeReaders()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<LogMessage> {
    while (!this.#closed) {
      const message = this.#connection.connected() ? this.#find() : null
      if (message === null) {
        await this.#world.signal(this.#options.stream).wait()
        continue
      }
      const delayMs = this.#world.deliverDelayMs + (this.#world.latencyMs?.() ?? 0)
      if (delayMs > 0) await this.#world.clock.sleep(delayMs)
      await this.#connection.delivered()
      if (this.#closed) return
      // A cut may have come while the message was on its way: it comes again after the cut.
      if (!this.#connection.connected()) continue
      this.#nextSeq = message.seq + 1
      yield message
    }
  }

  #find(): LogMessage | null {
    const stream = this.#world.stream(this.#options.stream)
    const messages = this.#options.subject === undefined ? stream.messages : (stream.bySubject.get(this.#options.subject) ?? [])
    const message = messages[firstAtOrAfter(messages, this.#nextSeq)]
    return message === undefined || this.#world.deliveryHeld(message.subject) ? null : message
  }
}
