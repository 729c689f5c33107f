/**
 * Object buckets on JetStream.
 *
 * An object is chunks under a name of their own, then one message that names them: it exists when that one does. However large it is, only what is under
 * way of it is held here, both ways.
 */

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { headers } from '@nats-io/nats-core'
import { ErrorCode, isOperating } from './errors.ts'
import type { BucketOptions, ObjectStore } from './log.ts'
import { openBucket, readPresent } from './nats-buckets.ts'
import type { NatsClient } from './nats-client.ts'
import { storedMessage } from './nats-streams.ts'

const CHUNK_BYTES = 128 * 1024
/** Chunks published and not yet acknowledged. */
const CHUNKS_UNDER_WAY = 32
const CHUNK_TIMEOUT_MS = 10_000

export async function openObjects(client: NatsClient, bucket: string, options: BucketOptions): Promise<ObjectStore> {
  await openBucket(client, `OBJ_${bucket}`, [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`], options, {})
  return new NatsObjects(client, bucket)
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

  async put(name: string, data: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    const before = await this.#meta(name)
    const nuid = this.#client.clock.nonce(11)
    const subject = `$O.${this.#bucket}.C.${nuid}`
    const hash = createHash('sha256')
    const underWay = new Set<Promise<void>>()
    let [size, chunks, first] = [0, 0, Number.MAX_SAFE_INTEGER]
    let failure: unknown = null
    try {
      for await (const chunk of chunksOf(data)) {
        hash.update(chunk)
        size += chunk.byteLength
        chunks++
        const stored: Promise<void> = this.#client.publish(subject, chunk, { timeoutMs: CHUNK_TIMEOUT_MS }).then(
          ({ seq }) => {
            first = Math.min(first, seq)
            underWay.delete(stored)
          },
          (error) => {
            failure ??= error
            underWay.delete(stored)
          },
        )
        underWay.add(stored)
        if (underWay.size >= CHUNKS_UNDER_WAY) await Promise.race(underWay)
        if (failure !== null) throw failure
      }
      await Promise.all(underWay)
      if (failure !== null) throw failure
      const options = { max_chunk_size: CHUNK_BYTES }
      const what = { nuid, size, chunks, digest: digestOf(hash), options, first: chunks === 0 ? 1 : first }
      const meta: ObjectMeta = { name, bucket: this.#bucket, ...what }
      const named = Buffer.from(JSON.stringify(meta))
      await this.#client.publish(this.#metaSubject(name), named, { headers: rollup(), timeoutMs: CHUNK_TIMEOUT_MS })
    } catch (error) {
      await Promise.all(underWay)
      // Unless the naming message may be there after all, its chunks are of no use to anyone.
      if (!isOperating(error, ErrorCode.timeout)) await this.#purge(subject).catch(() => {})
      throw error
    }
    if (before !== null) await this.#purge(`$O.${this.#bucket}.C.${before.nuid}`)
  }

  async get(name: string): Promise<Uint8Array | null> {
    const all: Uint8Array[] = []
    return (await this.read(name, (bytes) => void all.push(bytes))) ? new Uint8Array(Buffer.concat(all)) : null
  }

  async read(name: string, onBytes: (bytes: Uint8Array) => void | Promise<void>): Promise<boolean> {
    const meta = await this.#meta(name)
    if (meta === null || meta.deleted === true) return false
    const hash = createHash('sha256')
    let [size, chunks] = [0, 0]
    const subject = `$O.${this.#bucket}.C.${meta.nuid}`
    await readPresent(this.#client, this.#stream, { subject, fromSeq: meta.first ?? 1, count: meta.chunks }, (message) => {
      chunks++
      size += message.data.byteLength
      hash.update(message.data)
      return onBytes(message.data)
    })
    return chunks === meta.chunks && size === meta.size && digestOf(hash) === meta.digest
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

function rollup(): ReturnType<typeof headers> {
  const h = headers()
  h.set('Nats-Rollup', 'sub')
  return h
}

function urlSafe(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_')
}

function digestOf(hash: Hash): string {
  return `SHA-256=${urlSafe(hash.digest('base64'))}`
}

/** All of it in chunks of one size, the last of what is left: memory of their own, since they are on their way for a while. */
async function* chunksOf(data: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (data instanceof Uint8Array) {
    for (let at = 0; at < data.byteLength; at += CHUNK_BYTES) yield data.subarray(at, at + CHUNK_BYTES)
    return
  }
  let chunk = new Uint8Array(CHUNK_BYTES)
  let filled = 0
  for await (const piece of data) {
    for (let at = 0; at < piece.byteLength; ) {
      const some = piece.subarray(at, at + CHUNK_BYTES - filled)
      chunk.set(some, filled)
      filled += some.byteLength
      at += some.byteLength
      if (filled < CHUNK_BYTES) continue
      yield chunk
      chunk = new Uint8Array(CHUNK_BYTES)
      filled = 0
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled)
}
