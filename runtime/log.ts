/**
 * The log port: what Weir needs of a message log, and nothing more.
 *
 * Two implementations keep this contract, and one conformance suite (test/runtime/log.conformance.ts) holds them
 * to it: NATS JetStream (nats-log.ts), and memory with faults (memory-log.ts).
 *
 * Invariants
 * - L1 A publish that resolves is stored; one that rejects with `timeout` may be stored or not; one that rejects
 *   with `conflict`, `full` or `too-large` is not stored.
 * - L2 Sequences of a stream grow strictly; a subject belongs to exactly one stream.
 * - L3 A reader gives the messages of its subjects in order of sequence, each once, with no gap, across
 *   reconnections, until it is closed.
 * - L4 Message time is the server's, in epoch ms. It may step back; who needs more must make it so.
 */

export interface LogMessage {
  readonly subject: string
  /** Sequence in its stream, from 1. */
  readonly seq: number
  /** Server's time of storage, epoch ms. */
  readonly timeMs: number
  readonly data: Uint8Array
}

export interface StreamInfo {
  readonly name: string
  /** Identity of this creation of the stream: its creation time as the server writes it. A deleted and re-made stream has another. */
  readonly created: string
  /** Sequence of the first message still held (0 of an empty stream that never had any; last + 1 when all are purged). */
  readonly firstSeq: number
  /** Sequence of the last message ever stored, 0 when none. */
  readonly lastSeq: number
  readonly bytes: number
  readonly messages: number
  /** Bytes at which the stream refuses; left out, or -1: no bound of its own. */
  readonly bytesMax?: number
  /**
   * Copies that servers keep of it; left out: one. Of several, the one that answers may for a while show an older state than what was
   * acknowledged: it has just begun to lead, or is cut off and does not know that another leads. Who concludes something from what is
   * missing asks again first (identity.ts).
   */
  readonly replicas?: number
  /** Where its copies are; left out where one server keeps it. */
  readonly copies?: readonly StreamCopy[]
}

export interface StreamOptions {
  readonly name: string
  readonly subjects: readonly string[]
  readonly replicas: number
  /** Bytes at which the stream refuses (discard-new); -1 for no bound of its own. */
  readonly bytesMax: number
}

export interface PublishOptions {
  /** Store only if the last sequence on this subject is this one (0: none yet); else rejects with `conflict`. */
  readonly expectLastSubjectSeq?: number
  /** Time to wait for the acknowledgement; 2000 by default. */
  readonly timeoutMs?: number
}

export interface ReadOptions {
  readonly stream: string
  /** Subjects of the stream to read; all of them when left out. One subject at most, or all (older servers take one filter only). */
  readonly subject?: string
  /** First sequence wanted, ≥ 1. */
  readonly fromSeq: number
}

/** A reader: iterate it; `close` ends the iteration. It applies backpressure: what is not asked for is not fetched without bound. */
export interface LogReader extends AsyncIterable<LogMessage> {
  close(): Promise<void>
}

export interface Log {
  publish(subject: string, data: Uint8Array, options?: PublishOptions): Promise<{ seq: number }>
  read(options: ReadOptions): LogReader
  /** Last message on `subject`, or null. */
  last(stream: string, subject: string): Promise<LogMessage | null>
  /** The message at `seq`, or null where it is purged or not yet there. */
  at(stream: string, seq: number): Promise<LogMessage | null>
  /** Throws `OperatingError` `identity` when the stream does not exist. */
  info(stream: string): Promise<StreamInfo>
  /** Makes the stream where there is none; leaves one that is there as it is. */
  ensureStream(options: StreamOptions): Promise<StreamInfo>
  /** Removes the messages of `subject` (of all subjects when left out) with a sequence below `beforeSeq`. Idempotent. */
  purge(stream: string, options: { subject?: string; beforeSeq: number }): Promise<void>
}

/** Named values changed by compare-and-set. */
export interface KeyValue {
  get(key: string): Promise<{ value: Uint8Array; revision: number } | null>
  /** Stores if the key's revision is `revision` (0: the key is absent); else rejects with `conflict`. Gives the new revision. */
  put(key: string, value: Uint8Array, revision: number): Promise<number>
  /** Stores whatever is there. */
  set(key: string, value: Uint8Array): Promise<number>
  delete(key: string): Promise<void>
  keys(): Promise<string[]>
  /** Calls `onChange` with every present entry, then with each change (value null: deleted), until the answer is called. Resolves once the present ones are given. */
  watch(onChange: (key: string, value: Uint8Array | null, revision: number) => void): Promise<() => void>
}

/** Immutable objects by name. */
export interface ObjectStore {
  /** Stores the object, which may come in pieces, each valid until the next is asked for. Where they end with an error, there is no object, and that is the answer. */
  put(name: string, data: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>
  /** The whole object, or null where it is absent or damaged. */
  get(name: string): Promise<Uint8Array | null>
  /**
   * Gives the object's bytes bit by bit, and waits for what `onBytes` promises. Whether they were all of a whole object is known at the end only: false
   * where it is absent or damaged.
   */
  read(name: string, onBytes: (bytes: Uint8Array) => void | Promise<void>): Promise<boolean>
  delete(name: string): Promise<void>
  list(): Promise<string[]>
}

/** Fire and forget: no storage, no promise of delivery. Subjects may end in `>`. */
export interface Bus {
  /**
   * `onNobody` is called, soon and at most once, where the server says that nobody at all listens to the subject: of one that listened, the
   * connection is gone then. That it is not called says nothing.
   */
  send(subject: string, data: Uint8Array, onNobody?: () => void): void
  listen(subject: string, onMessage: (data: Uint8Array, subject: string) => void): () => void
}

/** How a bucket is made where there is none; one that is there stays as it is. */
export interface BucketOptions {
  /** Whether to make the bucket where there is none (the default); else its absence is an `identity` error. */
  readonly create?: boolean
  /** 1 by default. */
  readonly replicas?: number
}

export interface ServerGreeting {
  readonly name: string
  readonly version: string
}

/** One of the copies of a replicated stream. */
export interface StreamCopy {
  /** Name of the server that keeps it. */
  readonly server: string
  /** `behind`: it has not yet caught up with its leader; `away`: its server is not there. */
  readonly state: 'leads' | 'follows' | 'behind' | 'away'
}

/** All that a process holds of the log's servers. */
export interface Connection {
  readonly log: Log
  readonly bus: Bus
  /** Opens the bucket, and makes it where there is none. */
  kv(bucket: string, options?: BucketOptions): Promise<KeyValue>
  objects(bucket: string, options?: BucketOptions): Promise<ObjectStore>
  /** Largest message that the server takes, in bytes; left out: no bound of its own. */
  readonly maxPayloadBytes?: number
  /** Version of the server, `2.9.10`. */
  readonly serverVersion: string
  /** What the servers say of themselves, those that this one knows of and that can be reached now. */
  servers(): Promise<ServerGreeting[]>
  /** Whether the connection stands at this moment. */
  connected(): boolean
  /** Called after each reconnection, until the answer is called. */
  onReconnect(run: () => void): () => void
  /** Flushes what is under way and closes. */
  close(): Promise<void>
}
