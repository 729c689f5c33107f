/**
 * The log port in memory, with faults that a test switches on.
 *
 * Owns one world: streams, buckets of values and of objects, a bus, and the server's time. Many connections share it, as many
 * processes share a server. Leaves what the port means to log.ts, whose laws (L1 to L4) it keeps; the same conformance suite
 * holds it and NATS to them.
 *
 * - W1 Deterministic: with a deterministic clock the same calls give the same answers in the same order. Nothing here waits for
 *   anything but the clock it was given and the microtasks of the program.
 * - W2 A fault only does what a real network or server can do: lose an acknowledgement, delay a message beyond its time-out,
 *   refuse, cut a connection, damage an object, step the clock, re-create a stream.
 */

import { PAYLOAD_MAX_BYTES } from './limits.ts'
import { OperatingError } from './errors.ts'
import type { Clock } from './clock.ts'
import type {
  Bus,
  Connection,
  KeyValue,
  Log,
  LogMessage,
  LogReader,
  ObjectStore,
  PublishOptions,
  ReadOptions,
  StreamInfo,
  StreamOptions,
} from './log.ts'

const PUBLISH_TIMEOUT_MS = 2_000

/**
 * What happens to a publish:
 * - `lost-ack`    stored, but the answer never comes: rejects with `timeout`
 * - `lost`        not stored, and no answer: rejects with `timeout`
 * - `unavailable` refused at once, not stored
 * - `full`        refused as a full stream refuses
 */
export type PublishFault = 'lost-ack' | 'lost' | 'unavailable' | 'full'

interface Stream {
  readonly options: StreamOptions
  readonly created: string
  messages: LogMessage[]
  bySubject: Map<string, LogMessage[]>
  lastSeq: number
  bytes: number
}

interface StoredObject {
  data: Uint8Array
  damaged: boolean
}

/** Wakes all that wait. */
class Signal {
  #waiting: (() => void)[] = []

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  fire(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

const NEVER = new Promise<never>(() => {})

export class MemoryWorld {
  readonly clock: Clock
  readonly serverVersion: string
  readonly payloadMaxBytes: number
  /** Added to the clock for the server's time; set it lower to step the server's clock back. */
  timeOffsetMs = 0
  /** How long a message takes from storage to a reader; 0: the next microtask. */
  deliverDelayMs = 0
  /** How long a message of the bus takes. */
  busDelayMs = 0
  /** Asked for each publish that no queued fault applies to; null or no answer: it goes well. */
  publishFault: ((subject: string, data: Uint8Array) => PublishFault | null) | null = null

  #streams = new Map<string, Stream>()
  #streamSignals = new Map<string, Signal>()
  #creations = 0
  #kv = new Map<string, MemoryBucket>()
  #objects = new Map<string, Map<string, StoredObject>>()
  #connections = new Set<MemoryConnection>()
  #queuedFaults: { subject: string; fault: PublishFault; left: number }[] = []
  #holds = new Set<{ matches: (subject: string) => boolean; released: Promise<void> }>()
  #deliveryHolds = new Set<(subject: string) => boolean>()

  constructor({ clock, serverVersion = '2.10.27', payloadMaxBytes = PAYLOAD_MAX_BYTES }: { clock: Clock; serverVersion?: string; payloadMaxBytes?: number }) {
    this.clock = clock
    this.serverVersion = serverVersion
    this.payloadMaxBytes = payloadMaxBytes
  }

  connect(): MemoryConnection {
    const connection = new MemoryConnection(this)
    this.#connections.add(connection)
    return connection
  }

  // Faults ------------------------------------------------------------------------------------------------------------------

  /** The next `times` publishes on `subject` (wildcards allowed) meet with `fault`. */
  failNext(subject: string, fault: PublishFault, times = 1): void {
    this.#queuedFaults.push({ subject, fault, left: times })
  }

  /** Publishes on `subject` stay under way until the answer is called, even beyond their time-out: then they reach the stream. */
  holdPublishes(subject: string): () => void {
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    const hold = { matches: (s: string) => subjectMatches(subject, s), released }
    this.#holds.add(hold)
    return () => {
      this.#holds.delete(hold)
      release()
    }
  }

  /** Messages on `subject` are stored but reach no reader until the answer is called. */
  holdDeliveries(subject: string): () => void {
    const hold = (s: string) => subjectMatches(subject, s)
    this.#deliveryHolds.add(hold)
    return () => {
      this.#deliveryHolds.delete(hold)
      this.wakeReaders()
    }
  }

  /** Deletes the stream and makes it anew, empty, with another `created`. */
  recreateStream(name: string): void {
    const stream = this.stream(name)
    this.#streams.set(name, this.#newStream(stream.options))
    this.wakeReaders()
  }

  deleteStream(name: string): void {
    this.#streams.delete(name)
  }

  /** Forgets the newest messages, from `fromSeq` on, as a power cut does to what was not synced. */
  truncateStream(name: string, fromSeq: number): void {
    const stream = this.stream(name)
    const kept = stream.messages.filter((m) => m.seq < fromSeq)
    const fresh = this.#newStream(stream.options, stream.created)
    for (const message of kept) append(fresh, message)
    fresh.lastSeq = fromSeq - 1
    this.#streams.set(name, fresh)
  }

  /** A whole object becomes unreadable (`damaged`: the store notices; `flipped`: a byte differs and the store does not), or is gone. */
  harmObject(bucket: string, name: string, how: 'damaged' | 'flipped' | 'lost'): void {
    const objects = this.objectBucket(bucket)
    const object = objects.get(name)
    if (!object) throw new RangeError(`Cannot harm object ${name} as it must exist in ${bucket}: current names are ${[...objects.keys()].join(', ')}`)
    if (how === 'lost') objects.delete(name)
    else if (how === 'damaged') object.damaged = true
    else {
      object.data = object.data.slice()
      object.data[object.data.length >> 1] ^= 0x40
    }
  }

  /** Cuts every connection, as a server that dies does; heal with `restartServer`. */
  killServer(): void {
    for (const connection of this.#connections) connection.cut()
  }

  restartServer(): void {
    for (const connection of this.#connections) connection.heal()
  }

  // What connections do -----------------------------------------------------------------------------------------------------

  /** All messages of a stream, for a test to look at. */
  messages(name: string): readonly LogMessage[] {
    return this.stream(name).messages
  }

  ensureStream(options: StreamOptions): Stream {
    const present = this.#streams.get(options.name)
    if (present) return present
    const stream = this.#newStream(options)
    this.#streams.set(options.name, stream)
    return stream
  }

  stream(name: string): Stream {
    const stream = this.#streams.get(name)
    if (!stream) throw new OperatingError('identity', `Cannot use stream ${name} as it must exist: current streams are ${[...this.#streams.keys()].join(', ') || 'none'}`)
    return stream
  }

  signal(stream: string): Signal {
    let signal = this.#streamSignals.get(stream)
    if (!signal) this.#streamSignals.set(stream, (signal = new Signal()))
    return signal
  }

  wakeReaders(): void {
    for (const signal of this.#streamSignals.values()) signal.fire()
  }

  faultOf(subject: string, data: Uint8Array): PublishFault | null {
    for (let i = 0; i < this.#queuedFaults.length; i++) {
      const queued = this.#queuedFaults[i]
      if (!subjectMatches(queued.subject, subject)) continue
      if (--queued.left === 0) this.#queuedFaults.splice(i, 1)
      return queued.fault
    }
    return this.publishFault?.(subject, data) ?? null
  }

  heldUntil(subject: string): Promise<void> | null {
    for (const hold of this.#holds) if (hold.matches(subject)) return hold.released
    return null
  }

  deliveryHeld(subject: string): boolean {
    for (const hold of this.#deliveryHolds) if (hold(subject)) return true
    return false
  }

  store(subject: string, data: Uint8Array, expectLastSubjectSeq: number | undefined): number {
    if (data.byteLength > this.payloadMaxBytes) {
      throw new OperatingError('too-large', `Cannot store a message as its bytes must be at most ${this.payloadMaxBytes}: current value is ${data.byteLength}`)
    }
    let stream: Stream | null = null
    for (const s of this.#streams.values()) if (s.options.subjects.some((pattern) => subjectMatches(pattern, subject))) stream = s
    if (!stream) throw new OperatingError('unavailable', `Cannot store a message as a stream must take its subject: current subject is ${subject}`)
    const last = stream.bySubject.get(subject)?.at(-1)?.seq ?? 0
    if (expectLastSubjectSeq !== undefined && last !== expectLastSubjectSeq) {
      throw new OperatingError('conflict', `Cannot store on ${subject} as its last sequence must be ${expectLastSubjectSeq}: current value is ${last}`)
    }
    if (stream.options.bytesMax >= 0 && stream.bytes + data.byteLength > stream.options.bytesMax) {
      throw new OperatingError('full', `Cannot store on ${subject} as its stream must hold at most ${stream.options.bytesMax} bytes: current value is ${stream.bytes}`)
    }
    const seq = stream.lastSeq + 1
    append(stream, { subject, seq, timeMs: Math.floor(this.clock.now() + this.timeOffsetMs), data: data.slice() })
    this.signal(stream.options.name).fire()
    return seq
  }

  bucket(name: string): MemoryBucket {
    let bucket = this.#kv.get(name)
    if (!bucket) this.#kv.set(name, (bucket = new MemoryBucket()))
    return bucket
  }

  objectBucket(name: string): Map<string, StoredObject> {
    let bucket = this.#objects.get(name)
    if (!bucket) this.#objects.set(name, (bucket = new Map()))
    return bucket
  }

  broadcast(subject: string, data: Uint8Array): void {
    const copy = data.slice()
    const deliver = () => {
      for (const connection of this.#connections) connection.hear(subject, copy)
    }
    if (this.busDelayMs > 0) this.clock.after(this.busDelayMs, deliver)
    else queueMicrotask(deliver)
  }

  forget(connection: MemoryConnection): void {
    this.#connections.delete(connection)
  }

  #newStream(options: StreamOptions, created = `${new Date(this.clock.now()).toISOString()}#${++this.#creations}`): Stream {
    return { options, created, messages: [], bySubject: new Map(), lastSeq: 0, bytes: 0 }
  }
}

/** One process's connection to a world. */
export class MemoryConnection implements Connection {
  readonly log: Log
  readonly bus: Bus
  readonly serverVersion: string
  #world: MemoryWorld
  #cut = false
  #closed = false
  #dead = false
  #readers = new Set<MemoryReader>()
  #listeners = new Set<{ subject: string; run: (data: Uint8Array, subject: string) => void }>()
  #reconnects = new Set<() => void>()
  #points = 0
  #diesAt = Infinity

  constructor(world: MemoryWorld) {
    this.#world = world
    this.serverVersion = world.serverVersion
    this.log = new MemoryLog(world, this)
    this.bus = {
      send: (subject, data) => {
        if (!this.#cut && !this.#closed && !this.#dead) world.broadcast(subject, data)
      },
      listen: (subject, run) => {
        const listener = { subject, run }
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
    }
  }

  async kv(bucket: string): Promise<KeyValue> {
    return this.perform(() => new MemoryKeyValue(this.#world.bucket(bucket), this))
  }

  async objects(bucket: string): Promise<ObjectStore> {
    return this.perform(() => new MemoryObjects(this.#world.objectBucket(bucket), this))
  }

  connected(): boolean {
    return !this.#cut && !this.#closed && !this.#dead
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

  /** The process is killed: from now on no call of it reaches the world, and none is answered. */
  die(): void {
    this.#dead = true
  }

  /**
   * Dies at the `point`th await of this connection, counted from 1. Each call passes two: before it reaches the server, and before
   * its answer comes back.
   */
  dieAt(point: number): void {
    this.#diesAt = point
  }

  get dead(): boolean {
    return this.#dead
  }

  /** Await points passed so far. */
  get points(): number {
    return this.#points
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
    if (++this.#points >= this.#diesAt) this.#dead = true
    if (this.#dead) await NEVER
    if (this.#closed) throw new OperatingError('unavailable', 'Cannot reach the log as the connection must be open: current state is closed', { retry: false })
    if (this.#cut) throw new OperatingError('unavailable', 'Cannot reach the log as the connection must stand: current state is cut')
    await Promise.resolve()
  }

  hear(subject: string, data: Uint8Array): void {
    if (!this.connected()) return
    for (const listener of [...this.#listeners]) if (subjectMatches(listener.subject, subject)) listener.run(data, subject)
  }

  addReader(reader: MemoryReader): void {
    this.#readers.add(reader)
  }

  removeReader(reader: MemoryReader): void {
    this.#readers.delete(reader)
  }

  /** Counts the handing over of a message as an await point. */
  async delivered(): Promise<void> {
    if (++this.#points >= this.#diesAt) this.#dead = true
    if (this.#dead) await NEVER
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
    const timedOut = () => new OperatingError('timeout', `Cannot tell whether a message on ${subject} is stored as the answer must come within ${timeoutMs} ms`)
    return this.#connection.perform(async () => {
      const fault = this.#world.faultOf(subject, data)
      if (fault === 'unavailable') throw new OperatingError('unavailable', `Cannot store on ${subject} as its stream must be available`)
      if (fault === 'full') throw new OperatingError('full', `Cannot store on ${subject} as its stream must have room`)
      if (fault === 'lost') {
        await this.#world.clock.sleep(timeoutMs)
        throw timedOut()
      }
      const held = this.#world.heldUntil(subject)
      if (held) {
        // The message is on its way: it arrives when the hold ends, whether or not anyone still waits for the answer.
        const arrival = held.then(() => this.#world.store(subject, data, options.expectLastSubjectSeq))
        const waited = this.#world.clock.sleep(timeoutMs).then(() => 'timeout' as const)
        arrival.catch(() => {})
        const first = await Promise.race([arrival, waited])
        if (first === 'timeout') throw timedOut()
        return { seq: first }
      }
      const seq = this.#world.store(subject, data, options.expectLastSubjectSeq)
      if (fault === 'lost-ack') {
        await this.#world.clock.sleep(timeoutMs)
        throw timedOut()
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
    return this.#connection.perform(() => this.#world.stream(stream).bySubject.get(subject)?.at(-1) ?? null)
  }

  at(stream: string, seq: number): Promise<LogMessage | null> {
    return this.#connection.perform(() => {
      const { messages } = this.#world.stream(stream)
      const found = messages[firstAtOrAfter(messages, seq)]
      return found?.seq === seq ? found : null
    })
  }

  info(stream: string): Promise<StreamInfo> {
    return this.#connection.perform(() => infoOf(this.#world.stream(stream)))
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
      if (this.#world.deliverDelayMs > 0) await this.#world.clock.sleep(this.#world.deliverDelayMs)
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

interface Entry {
  value: Uint8Array | null
  revision: number
}

class MemoryBucket {
  readonly entries = new Map<string, Entry>()
  readonly watchers = new Set<(key: string, value: Uint8Array | null, revision: number) => void>()
  #revision = 0

  write(key: string, value: Uint8Array | null): number {
    const entry = { value: value?.slice() ?? null, revision: ++this.#revision }
    this.entries.set(key, entry)
    for (const watcher of [...this.watchers]) queueMicrotask(() => this.watchers.has(watcher) && watcher(key, entry.value, entry.revision))
    return entry.revision
  }
}

class MemoryKeyValue implements KeyValue {
  #bucket: MemoryBucket
  #connection: MemoryConnection

  constructor(bucket: MemoryBucket, connection: MemoryConnection) {
    this.#bucket = bucket
    this.#connection = connection
  }

  get(key: string): Promise<{ value: Uint8Array; revision: number } | null> {
    return this.#connection.perform(() => {
      const entry = this.#bucket.entries.get(key)
      return entry?.value ? { value: entry.value, revision: entry.revision } : null
    })
  }

  put(key: string, value: Uint8Array, revision: number): Promise<number> {
    return this.#connection.perform(() => {
      const entry = this.#bucket.entries.get(key)
      const current = entry?.value ? entry.revision : 0
      if (current !== revision) throw new OperatingError('conflict', `Cannot store key ${key} as its revision must be ${revision}: current value is ${current}`)
      return this.#bucket.write(key, value)
    })
  }

  set(key: string, value: Uint8Array): Promise<number> {
    return this.#connection.perform(() => this.#bucket.write(key, value))
  }

  delete(key: string): Promise<void> {
    return this.#connection.perform(() => {
      if (this.#bucket.entries.get(key)?.value) this.#bucket.write(key, null)
    })
  }

  keys(): Promise<string[]> {
    return this.#connection.perform(() => [...this.#bucket.entries].filter(([, entry]) => entry.value !== null).map(([key]) => key))
  }

  watch(onChange: (key: string, value: Uint8Array | null, revision: number) => void): Promise<() => void> {
    return this.#connection.perform(() => {
      for (const [key, entry] of this.#bucket.entries) if (entry.value) onChange(key, entry.value, entry.revision)
      const watcher = (key: string, value: Uint8Array | null, revision: number) => onChange(key, value, revision)
      this.#bucket.watchers.add(watcher)
      return () => void this.#bucket.watchers.delete(watcher)
    })
  }
}

class MemoryObjects implements ObjectStore {
  #objects: Map<string, StoredObject>
  #connection: MemoryConnection

  constructor(objects: Map<string, StoredObject>, connection: MemoryConnection) {
    this.#objects = objects
    this.#connection = connection
  }

  put(name: string, data: Uint8Array): Promise<void> {
    return this.#connection.perform(() => void this.#objects.set(name, { data: data.slice(), damaged: false }))
  }

  get(name: string): Promise<Uint8Array | null> {
    return this.#connection.perform(() => {
      const object = this.#objects.get(name)
      return object && !object.damaged ? object.data : null
    })
  }

  delete(name: string): Promise<void> {
    return this.#connection.perform(() => void this.#objects.delete(name))
  }

  list(): Promise<string[]> {
    return this.#connection.perform(() => [...this.#objects.keys()])
  }
}

function append(stream: Stream, message: LogMessage): void {
  stream.messages.push(message)
  let ofSubject = stream.bySubject.get(message.subject)
  if (!ofSubject) stream.bySubject.set(message.subject, (ofSubject = []))
  ofSubject.push(message)
  stream.lastSeq = message.seq
  stream.bytes += message.data.byteLength
}

function infoOf(stream: Stream): StreamInfo {
  return {
    name: stream.options.name,
    created: stream.created,
    firstSeq: stream.messages[0]?.seq ?? (stream.lastSeq === 0 ? 0 : stream.lastSeq + 1),
    lastSeq: stream.lastSeq,
    bytes: stream.bytes,
    messages: stream.messages.length,
  }
}

/** Index of the first message whose sequence is at least `seq`. */
function firstAtOrAfter(messages: readonly LogMessage[], seq: number): number {
  let low = 0
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (messages[middle].seq < seq) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether `subject` falls under `pattern`: `*` stands for one token, a final `>` for one or more. */
export function subjectMatches(pattern: string, subject: string): boolean {
  if (pattern === subject) return true
  const wanted = pattern.split('.')
  const given = subject.split('.')
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return given.length > i
    if (given[i] === undefined || (wanted[i] !== '*' && wanted[i] !== given[i])) return false
  }
  return wanted.length === given.length
}
