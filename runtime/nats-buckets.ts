/**
 * Key-value buckets and object buckets on JetStream streams, in the wire format of NATS' own (ADR-8 and ADR-20), so that the
 * `nats kv` and `nats object` tools read them.
 *
 * Owns the two formats. They go through the client's publish and the one reader, so that they recover from a server's death
 * as the logs do.
 *
 * Invariants
 * - B1 A bucket keeps one value a key; every entry, deletions included, is a message, and its sequence is the revision.
 * - B2 An object is chunks under a name of their own, then one message that names them: it exists when that one does.
 */

import { createHash } from 'node:crypto'
import { headers } from '@nats-io/nats-core'
import { ErrorCode, isOperating, OperatingError } from './errors.ts'
import type { BucketOptions, KeyValue, ObjectStore } from './log.ts'
import { expecting } from './nats-client.ts'
import type { NatsClient } from './nats-client.ts'
import { NatsReader } from './nats-reader.ts'
import type { ReadMessage } from './nats-reader.ts'
import { ensureStream, storedMessage, streamInfo } from './nats-streams.ts'

const CHUNK_BYTES = 128 * 1024
/** Chunks published and not yet acknowledged. */
const CHUNKS_UNDER_WAY = 32
const CHUNK_TIMEOUT_MS = 10_000
/** An object's next chunk must come within this. */
const STALLED_MS = 5_000

export async function openKeyValue(client: NatsClient, bucket: string, options: BucketOptions): Promise<KeyValue> {
  await openBucket(client, `KV_${bucket}`, [`$KV.${bucket}.>`], options, { max_msgs_per_subject: 1 })
  return new NatsKeyValue(client, bucket)
}

export async function openObjects(client: NatsClient, bucket: string, options: BucketOptions): Promise<ObjectStore> {
  await openBucket(client, `OBJ_${bucket}`, [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`], options, {})
  return new NatsObjects(client, bucket)
}

async function openBucket(client: NatsClient, name: string, subjects: string[], options: BucketOptions, more: object): Promise<void> {
  if (options.create === false) return void (await streamInfo(client, name))
  await ensureStream(client, {
    name,
    subjects,
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    num_replicas: options.replicas ?? 1,
    max_bytes: -1,
    max_msgs: -1,
    allow_rollup_hdrs: true,
    allow_direct: true,
    ...more,
  })
}

class NatsKeyValue implements KeyValue {
  #client: NatsClient
  #stream: string
  #prefix: string

  constructor(client: NatsClient, bucket: string) {
    this.#client = client
    this.#stream = `KV_${bucket}`
    this.#prefix = `$KV.${bucket}.`
  }

  async get(key: string): Promise<{ value: Uint8Array; revision: number } | null> {
    const last = await storedMessage(this.#client, this.#stream, { last_by_subj: this.#subject(key) })
    return last === null || last.operation !== '' ? null : { value: last.data, revision: last.seq }
  }

  async put(key: string, value: Uint8Array, revision: number): Promise<number> {
    const subject = this.#subject(key)
    try {
      return (await this.#client.publish(subject, value, { headers: expecting(revision) })).seq
    } catch (error) {
      if (revision !== 0 || !isOperating(error, ErrorCode.conflict)) throw error
      // Absent is also what was deleted: there the last message is the deletion.
      const last = await storedMessage(this.#client, this.#stream, { last_by_subj: subject })
      if (last === null || last.operation === '') throw error
      return (await this.#client.publish(subject, value, { headers: expecting(last.seq) })).seq
    }
  }

  async set(key: string, value: Uint8Array): Promise<number> {
    return (await this.#client.publish(this.#subject(key), value)).seq
  }

  async delete(key: string): Promise<void> {
    const marker = headers()
    marker.set('KV-Operation', 'DEL')
    await this.#client.publish(this.#subject(key), new Uint8Array(0), { headers: marker })
  }

  async keys(): Promise<string[]> {
    const keys = new Set<string>()
    await readPresent(this.#client, this.#stream, undefined, (message) => {
      const key = message.subject.slice(this.#prefix.length)
      if (message.operation === '') keys.add(key)
      else keys.delete(key)
    })
    return [...keys].sort()
  }

  watch(onChange: (key: string, value: Uint8Array | null, revision: number) => void): Promise<() => void> {
    let live = false
    const given = new Set<string>()
    const give = (message: ReadMessage): void => {
      const key = message.subject.slice(this.#prefix.length)
      const deleted = message.operation !== ''
      // Of what was deleted before the watch nothing is told.
      if (deleted && !live && !given.has(key)) return
      given.add(key)
      onChange(key, deleted ? null : message.data, message.seq)
    }
    return new Promise((resolve, reject) => {
      const stop = (): void => void reader.close()
      const isLive = (): void => {
        live = true
        given.clear()
        resolve(stop)
      }
      const reader = new NatsReader(this.#client, { stream: this.#stream, fromSeq: 1 }, (pending) => {
        if (pending === 0) isLive()
      })
      const run = async (): Promise<void> => {
        for await (const message of reader) {
          give(message)
          if (!live && message.pending === 0) isLive()
        }
        if (!live) throw new OperatingError(ErrorCode.unavailable, `Cannot watch ${this.#stream}: the connection was closed`)
      }
      run().catch(reject)
    })
  }

  #subject(key: string): string {
    if (!/^[-/_=.a-zA-Z0-9]+$/.test(key) || key.startsWith('.') || key.endsWith('.')) {
      throw new RangeError(`Cannot use a key as it must be of letters, digits and - / _ = . with no dot at an end: current value is ${JSON.stringify(key)}`)
    }
    return this.#prefix + key
  }
}

/** What an object's naming message says. */
interface ObjectMeta {
  readonly name: string
  readonly bucket: string
  readonly nuid: string
  readonly size: number
  readonly chunks: number
  /** `SHA-256=` and the digest in padded base64url. */
  readonly digest: string
  readonly options: { readonly max_chunk_size: number }
  readonly deleted?: boolean
  /** Sequence of the first chunk: where to start reading. Others' objects lack it. */
  readonly first?: number
}

class NatsObjects implements ObjectStore {
  #client: NatsClient
  #bucket: string
  #stream: string

  constructor(client: NatsClient, bucket: string) {
    this.#client = client
    this.#bucket = bucket
    this.#stream = `OBJ_${bucket}`
  }

  async put(name: string, data: Uint8Array): Promise<void> {
    const before = await this.#meta(name)
    const nuid = this.#client.clock.nonce(11)
    const subject = `$O.${this.#bucket}.C.${nuid}`
    const chunks = Math.ceil(data.byteLength / CHUNK_BYTES)
    try {
      let first = Number.MAX_SAFE_INTEGER
      for (let from = 0; from < chunks; from += CHUNKS_UNDER_WAY) {
        const some = Array.from({ length: Math.min(CHUNKS_UNDER_WAY, chunks - from) }, (_, i) =>
          this.#client.publish(subject, data.subarray((from + i) * CHUNK_BYTES, (from + i + 1) * CHUNK_BYTES), { timeoutMs: CHUNK_TIMEOUT_MS }),
        )
        for (const { seq } of await Promise.all(some)) first = Math.min(first, seq)
      }
      const options = { max_chunk_size: CHUNK_BYTES }
      const meta: ObjectMeta = { name, bucket: this.#bucket, nuid, size: data.byteLength, chunks, digest: digestOf(data), options, first: chunks === 0 ? 1 : first }
      await this.#client.publish(this.#metaSubject(name), Buffer.from(JSON.stringify(meta)), { headers: rollup(), timeoutMs: CHUNK_TIMEOUT_MS })
    } catch (error) {
      // Unless the naming message may be there after all, its chunks are of no use to anyone.
      if (!isOperating(error, ErrorCode.timeout)) await this.#purge(subject).catch(() => {})
      throw error
    }
    if (before !== null) await this.#purge(`$O.${this.#bucket}.C.${before.nuid}`)
  }

  async get(name: string): Promise<Uint8Array | null> {
    const meta = await this.#meta(name)
    if (meta === null || meta.deleted === true) return null
    const data = new Uint8Array(meta.size)
    let at = 0
    let chunks = 0
    const subject = `$O.${this.#bucket}.C.${meta.nuid}`
    await readPresent(this.#client, this.#stream, { subject, fromSeq: meta.first ?? 1, count: meta.chunks }, (message) => {
      chunks++
      if (at + message.data.byteLength <= data.byteLength) data.set(message.data, at)
      at += message.data.byteLength
    })
    return chunks === meta.chunks && at === meta.size && digestOf(data) === meta.digest ? data : null
  }

  async delete(name: string): Promise<void> {
    const meta = await this.#meta(name)
    if (meta === null) return
    // The name goes first, so that no one finds an object without its chunks.
    await this.#purge(this.#metaSubject(name))
    await this.#purge(`$O.${this.#bucket}.C.${meta.nuid}`)
  }

  async list(): Promise<string[]> {
    const names: string[] = []
    await readPresent(this.#client, this.#stream, { subject: `$O.${this.#bucket}.M.>`, fromSeq: 1 }, (message) => {
      const meta = JSON.parse(Buffer.from(message.data).toString()) as ObjectMeta
      if (meta.deleted !== true) names.push(meta.name)
    })
    return names.sort()
  }

  async #meta(name: string): Promise<ObjectMeta | null> {
    const last = await storedMessage(this.#client, this.#stream, { last_by_subj: this.#metaSubject(name) })
    return last === null ? null : (JSON.parse(Buffer.from(last.data).toString()) as ObjectMeta)
  }

  #metaSubject(name: string): string {
    return `$O.${this.#bucket}.M.${urlSafe(Buffer.from(name).toString('base64'))}`
  }

  async #purge(subject: string): Promise<void> {
    await this.#client.api(`STREAM.PURGE.${this.#stream}`, { filter: subject })
  }
}

/** Reads what the stream holds at the start of the call: until nothing is pending, or `count` messages have come. */
async function readPresent(
  client: NatsClient,
  stream: string,
  selection: { subject: string; fromSeq: number; count?: number } | undefined,
  onMessage: (message: ReadMessage) => void,
): Promise<void> {
  let left = selection?.count ?? Infinity
  if (left === 0) return
  const reader: NatsReader = new NatsReader(client, { stream, subject: selection?.subject, fromSeq: selection?.fromSeq ?? 1 }, (pending) => {
    if (pending === 0) void reader.close()
  })
  let stalled = false
  const stall = (): void => {
    stalled = true
    void reader.close()
  }
  let cancel = client.clock.after(STALLED_MS, stall)
  try {
    for await (const message of reader) {
      cancel()
      onMessage(message)
      if (--left === 0 || message.pending === 0) return
      cancel = client.clock.after(STALLED_MS, stall)
    }
  } finally {
    cancel()
  }
  if (stalled || client.closed) throw new OperatingError(ErrorCode.timeout, `Cannot read ${stream}: nothing came for ${STALLED_MS} ms`)
}

function rollup(): ReturnType<typeof headers> {
  const h = headers()
  h.set('Nats-Rollup', 'sub')
  return h
}

function urlSafe(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_')
}

function digestOf(data: Uint8Array): string {
  return `SHA-256=${urlSafe(createHash('sha256').update(data).digest('base64'))}`
}
