/** Buckets of values and of objects of the log in memory. Every call is a call of a connection, which may be cut or die at it. */

import { Buffer } from 'node:buffer'
import { OperatingError } from './errors.ts'
import type { KeyValue, ObjectStore } from './log.ts'
import type { MemoryConnection } from './memory-connection.ts'

export interface StoredObject {
  data: Uint8Array
  damaged: boolean
}

interface Entry {
  value: Uint8Array | null
  revision: number
}

/** Entries of one bucket, shared by all who opened it. A deleted key keeps its last revision. */
export class MemoryBucket {
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

/** Writes an entry as a call of a connection: whether its answer comes is the world's affair. */
type Written = (key: string, write: () => number) => Promise<number>

export class MemoryKeyValue implements KeyValue {
  #bucket: MemoryBucket
  #connection: MemoryConnection
  #written: Written

  constructor(bucket: MemoryBucket, connection: MemoryConnection, written: Written) {
    this.#bucket = bucket
    this.#connection = connection
    this.#written = written
  }

  get(key: string): Promise<{ value: Uint8Array; revision: number } | null> {
    return this.#connection.perform(() => {
      const entry = this.#bucket.entries.get(key)
      return entry?.value ? { value: entry.value, revision: entry.revision } : null
    })
  }

  put(key: string, value: Uint8Array, revision: number): Promise<number> {
    return this.#written(key, () => {
      const entry = this.#bucket.entries.get(key)
      const current = entry?.value ? entry.revision : 0
      if (current !== revision) {
        throw new OperatingError('conflict', `Cannot store key ${key} as its revision must be ${revision}: current value is ${current}`)
      }
      return this.#bucket.write(key, value)
    })
  }

  set(key: string, value: Uint8Array): Promise<number> {
    return this.#written(key, () => this.#bucket.write(key, value))
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

/** An odd number, so that nobody relies on where pieces begin. */
const READ_BYTES = 997

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(new Uint8Array(piece))
  return new Uint8Array(Buffer.concat(all))
}

export class MemoryObjects implements ObjectStore {
  #objects: Map<string, StoredObject>
  #connection: MemoryConnection

  constructor(objects: Map<string, StoredObject>, connection: MemoryConnection) {
    this.#objects = objects
    this.#connection = connection
  }

  async put(name: string, data: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    const whole = data instanceof Uint8Array ? data.slice() : await gathered(data)
    return this.#connection.perform(() => void this.#objects.set(name, { data: whole, damaged: false }))
  }

  get(name: string): Promise<Uint8Array | null> {
    return this.#connection.perform(() => {
      const object = this.#objects.get(name)
      return object && !object.damaged ? object.data : null
    })
  }

  async read(name: string, onBytes: (bytes: Uint8Array) => void | Promise<void>): Promise<boolean> {
    const data = await this.get(name)
    if (data === null) return false
    for (let at = 0; at < data.byteLength; at += READ_BYTES) {
      const pause = onBytes(data.subarray(at, at + READ_BYTES))
      if (pause instanceof Promise) await pause
    }
    return true
  }

  delete(name: string): Promise<void> {
    return this.#connection.perform(() => void this.#objects.delete(name))
  }

  list(): Promise<string[]> {
    return this.#connection.perform(() => [...this.#objects.keys()])
  }
}
