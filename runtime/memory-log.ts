/**
 * The log port in memory, with faults that a test switches on.
 *
 * Owns one world: streams, buckets of values and of objects, a bus, and the server's time. Many connections share it, as many
 * processes share a server. Leaves what the port means to log.ts, whose laws (L1 to L4) it keeps; the same conformance suite
 * holds it and NATS to them. Connections are in memory-connection.ts.
 *
 * - W1 Deterministic: with a deterministic clock the same calls give the same answers in the same order. Nothing here waits for
 *   anything but the clock it was given and the microtasks of the program.
 * - W2 A fault only does what a real network or server can do: lose an acknowledgement, delay a message beyond its time-out,
 *   refuse, cut a connection, tell an older state of a stream, damage an object, step the clock, re-create a stream.
 */

import { PAYLOAD_MAX_BYTES } from './limits.ts'
import { OperatingError } from './errors.ts'
import type { Clock } from './clock.ts'
import type { LogMessage, StreamOptions } from './log.ts'
import { MemoryBucket } from './memory-buckets.ts'
import type { StoredObject } from './memory-buckets.ts'
import { MemoryConnection } from './memory-connection.ts'
import { append, Signal, subjectMatches } from './memory-stream.ts'
import type { MemoryStream } from './memory-stream.ts'

export { MemoryConnection } from './memory-connection.ts'

/**
 * What happens to a publish:
 * - `lost-ack`    stored, but the answer never comes: rejects with `timeout`
 * - `lost`        not stored, and no answer: rejects with `timeout`
 * - `unavailable` refused at once, not stored
 * - `full`        refused as a full stream refuses
 */
export type PublishFault = 'lost-ack' | 'lost' | 'unavailable' | 'full'

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
  /** Asked for each leg of each call, and for each message to a reader: how long it is on its way. Left out: no time passes. */
  latencyMs: (() => number) | null = null
  /** Told of each message that is stored, at that moment. */
  onStored: ((message: LogMessage) => void) | null = null
  /** Whether the server knows of a cut connection that it is cut, and so that nobody listens there; it always knows of a dead one. */
  cutIsNoticed = false
  /** Asked for each publish that no queued fault applies to; null or no answer: it goes well. */
  publishFault: ((subject: string, data: Uint8Array) => PublishFault | null) | null = null
  /** The same for each entry that is written to a bucket of values, by its key. */
  entryFault: ((key: string) => PublishFault | null) | null = null

  #streams = new Map<string, MemoryStream>()
  #lagging = new Map<string, MemoryStream>()
  #streamSignals = new Map<string, Signal>()
  #creations = 0
  #kv = new Map<string, MemoryBucket>()
  #objects = new Map<string, Map<string, StoredObject>>()
  #connections = new Set<MemoryConnection>()
  #queuedFaults: { subject: string; fault: PublishFault; left: number }[] = []
  #holds = new Set<{ matches: (subject: string) => boolean; released: Promise<void> }>()
  #deliveryHolds = new Set<(subject: string) => boolean>()

  constructor(options: { clock: Clock; serverVersion?: string; payloadMaxBytes?: number }) {
    this.clock = options.clock
    this.serverVersion = options.serverVersion ?? '2.10.27'
    this.payloadMaxBytes = options.payloadMaxBytes ?? PAYLOAD_MAX_BYTES
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

  /** Until the answer is called, whoever asks about the stream is told its state as it is now, as a replica tells it that lags and leads. */
  lagAnswers(name: string): () => void {
    const { options, created, messages, lastSeq, bytes } = this.stream(name)
    const bySubject = new Map([...this.stream(name).bySubject].map(([subject, of]) => [subject, [...of]]))
    this.#lagging.set(name, { options, created, messages: [...messages], bySubject, lastSeq, bytes })
    return () => void this.#lagging.delete(name)
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
    if (!object) throw new RangeError(`Cannot harm object ${name} as it must exist: current names are ${[...objects.keys()].join(', ')}`)
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

  ensureStream(options: StreamOptions): MemoryStream {
    const present = this.#streams.get(options.name)
    if (present) return present
    const stream = this.#newStream(options)
    this.#streams.set(options.name, stream)
    return stream
  }

  stream(name: string): MemoryStream {
    const stream = this.#streams.get(name)
    if (stream) return stream
    const names = [...this.#streams.keys()].join(', ') || 'none'
    throw new OperatingError('identity', `Cannot use stream ${name} as it must exist: current streams are ${names}`)
  }

  /** What is told of the stream to who asks. */
  told(name: string): MemoryStream {
    return this.#lagging.get(name) ?? this.stream(name)
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
      const { byteLength } = data
      throw new OperatingError('too-large', `Cannot store a message as its bytes must be at most ${this.payloadMaxBytes}: current value is ${byteLength}`)
    }
    let stream: MemoryStream | null = null
    for (const s of this.#streams.values()) if (s.options.subjects.some((pattern) => subjectMatches(pattern, subject))) stream = s
    if (!stream) throw new OperatingError('unavailable', `Cannot store a message as a stream must take its subject: current value is ${subject}`)
    const last = stream.bySubject.get(subject)?.at(-1)?.seq ?? 0
    if (expectLastSubjectSeq !== undefined && last !== expectLastSubjectSeq) {
      const expected = expectLastSubjectSeq
      throw new OperatingError('conflict', `Cannot store on ${subject} as its last sequence must be ${expected}: current value is ${last}`)
    }
    const { bytesMax } = stream.options
    if (bytesMax >= 0 && stream.bytes + data.byteLength > bytesMax) {
      throw new OperatingError('full', `Cannot store on ${subject} as its stream must hold at most ${bytesMax} bytes: current value is ${stream.bytes}`)
    }
    const seq = stream.lastSeq + 1
    const message = { subject, seq, timeMs: Math.floor(this.clock.now() + this.timeOffsetMs), data: data.slice() }
    append(stream, message)
    this.onStored?.(message)
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

  broadcast(subject: string, data: Uint8Array, onNobody: () => void = () => {}): void {
    const copy = data.slice()
    const deliver = () => {
      const { cutIsNoticed } = this
      if (![...this.#connections].some((connection) => connection.listensTo(subject, { cutIsNoticed }))) return onNobody()
      for (const connection of this.#connections) connection.hear(subject, copy)
    }
    if (this.busDelayMs > 0) this.clock.after(this.busDelayMs, deliver)
    else queueMicrotask(deliver)
  }

  forget(connection: MemoryConnection): void {
    this.#connections.delete(connection)
  }

  #newStream(options: StreamOptions, created = `${new Date(this.clock.now()).toISOString()}#${++this.#creations}`): MemoryStream {
    return { options, created, messages: [], bySubject: new Map(), lastSeq: 0, bytes: 0 }
  }
}
