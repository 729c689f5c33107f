/**
 * Key-value buckets on JetStream.
 *
 * A bucket keeps one value a key; every entry, deletions included, is a message, and its sequence is the revision.
 */

import { headers } from '@nats-io/nats-core'
import { ErrorCode, isOperating, OperatingError } from './errors.ts'
import type { BucketOptions, KeyValue } from './log.ts'
import { missingUntil, openBucket, readPresent } from './nats-buckets.ts'
import { expecting } from './nats-client.ts'
import type { NatsClient } from './nats-client.ts'
import { NatsReader } from './nats-reader.ts'
import type { Present, ReadMessage } from './nats-reader.ts'
import { storedMessage } from './nats-streams.ts'

/** Pause before a watch that was broken off begins again. */
const REWATCH_MS = 500

export async function openKeyValue(client: NatsClient, bucket: string, options: BucketOptions): Promise<KeyValue> {
  await openBucket(client, `KV_${bucket}`, [`$KV.${bucket}.>`], options, { max_msgs_per_subject: 1 })
  return new NatsKeyValue(client, bucket)
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
      let reader: NatsReader
      let stopped = false
      const stop = (): void => {
        stopped = true
        void reader.close()
      }
      const isLive = (): void => {
        live = true
        given.clear()
        resolve(stop)
      }
      const follow = async (): Promise<void> => {
        let present: Present = { pending: 0, lastSeq: 0, replicas: 1 }
        let untilSeq = Infinity
        let seenSeq = 0
        const atEnd = async (): Promise<void> => {
          const seq = await missingUntil(this.#client, this.#stream, present, seenSeq)
          if (live) return
          if (seq > seenSeq) untilSeq = seq
          else isLive()
        }
        reader = new NatsReader(this.#client, { stream: this.#stream, fromSeq: 1 }, (found) => {
          present = found
          // Where the leader can't be asked now, the reader begins again, as after any other error.
          if (found.pending === 0) void atEnd().catch(() => void reader.close())
        })
        for await (const message of reader) {
          give(message)
          seenSeq = message.seq
          if (live) continue
          if (seenSeq >= present.lastSeq || seenSeq >= untilSeq) isLive()
          else if (message.pending === 0) await atEnd()
        }
      }
      const run = async (): Promise<void> => {
        while (!stopped && !this.#client.closed) {
          try {
            await follow()
          } catch (error) {
            if (!isOperating(error) || (!live && !error.retry)) throw error
          }
          // The bucket was made anew, or its leader could not be asked: its entries are given again.
          if (!stopped) await this.#client.clock.sleep(REWATCH_MS)
        }
        if (!live) throw new OperatingError(ErrorCode.unavailable, `Cannot watch ${this.#stream}: the connection was closed`)
      }
      run().catch((error) => {
        reject(error)
        // Once the caller has its answer, an error of `onChange` is a bug that must not pass unseen.
        if (live) {
          queueMicrotask(() => {
            throw error
          })
        }
      })
    })
  }

  #subject(key: string): string {
    if (!/^[-/_=.a-zA-Z0-9]+$/.test(key) || key.startsWith('.') || key.endsWith('.')) {
      throw new RangeError(
        `Cannot use a key as it must be of letters, digits and - / _ = . with no dot at an end: current value is ${JSON.stringify(key)}`,
      )
    }
    return this.#prefix + key
  }
}
