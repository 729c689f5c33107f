/**
 * Purges the logs of what nobody needs any more, so that a healthy system never fills its disk, and a stuck one never loses what is unread.
 *
 * Owns the rule, this store's entry among the readers, and the marks by which the age of messages is told. Any number of janitors may
 * work at once, since purging twice is purging once.
 *
 * - J1 Input of a partition goes only below the older of the two snapshots that the partition's last journal message names, both of them
 *   read back whole; below what every registered reader has behind it; and only when it is older than `keepLogMs`.
 * - J2 Results of a partition go only below what every registered reader has behind it, when older than `keepLogMs`; the last
 *   message of a subject stays for ever.
 * - J3 A reader whose entry can't be read, or speaks of another creation of a stream, needs everything.
 */

import type { Clock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import { decodeJournal } from '../../runtime/journal.ts'
import { KEEP_LOG_MS, PURGE_INTERVAL_MS, REGISTER_INTERVAL_MS } from '../../runtime/limits.ts'
import type { Connection, KeyValue, ObjectStore, StreamInfo } from '../../runtime/log.ts'
import { readSnapshot } from '../../runtime/snapshots.ts'
import { BUCKET_META, BUCKET_SNAPSHOTS, inputStream, inputStreams, inputSubject, OWN, ownPartitions, RESULTS, resultsSubject } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import type { FollowerLogger } from './follow.ts'
import type { Manifest } from './manifest.ts'
import { entryOf, listReaders, readReader, writeReader } from './readers.ts'
import type { ReaderEntry } from './readers.ts'

export interface JanitorOptions {
  readonly connection: Connection
  readonly topology: Topology
  readonly clock: Clock
  readonly logger: FollowerLogger
  /** Name of this store among the readers. */
  readonly name: string
  /** The oldest manifest that the lake may go back to. */
  readonly manifest: () => Manifest
  readonly keepLogMs?: number
}

/** Marks a stream has at most: the age of a message is told to a twenty-fourth of `keepLogMs`. */
const MARKS = 24

interface Marks {
  created: string
  at: (readonly [timeMs: number, seq: number])[]
}

export class Janitor {
  #options: JanitorOptions
  #kv: KeyValue
  #objects: ObjectStore
  #marks = new Map<string, Marks>()
  /** Snapshots that were read back whole. */
  #whole = new Set<string>()
  #ending = new AbortController()
  #loops: Promise<void>[] = []

  private constructor(options: JanitorOptions, kv: KeyValue, objects: ObjectStore) {
    this.#options = options
    this.#kv = kv
    this.#objects = objects
  }

  /** Registers this reader, so that from now on nothing is purged that it needs. */
  static async open(options: JanitorOptions): Promise<Janitor> {
    const janitor = new Janitor(options, await options.connection.kv(BUCKET_META, { create: false }), await options.connection.objects(BUCKET_SNAPSHOTS, { create: false }))
    const before = await readReader(janitor.#kv, options.name)
    for (const [stream, { created, at }] of Object.entries(before?.marks ?? {})) janitor.#marks.set(stream, { created, at: [...at] })
    await janitor.register()
    return janitor
  }

  start(): void {
    this.#loops.push(this.#every(REGISTER_INTERVAL_MS, () => this.register()), this.#every(PURGE_INTERVAL_MS, () => this.purge()))
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await Promise.all(this.#loops)
  }

  /** Notes how far this reader is. */
  async register(): Promise<void> {
    const { clock, manifest, name } = this.#options
    await writeReader(this.#kv, entryOf(name, manifest(), { atMs: Math.floor(clock.now()), marks: Object.fromEntries(this.#marks) }))
  }

  /** Purges what may go now; gives the sequence below which each subject was purged. */
  async purge(): Promise<Record<string, number>> {
    const { connection, topology, keepLogMs = KEEP_LOG_MS } = this.#options
    const { log } = connection
    const infos = new Map<string, StreamInfo>()
    for (const stream of [...inputStreams(topology), RESULTS]) infos.set(stream, await log.info(stream))
    // An installation of before own actors may lack their stream.
    const ownInfo = await log.info(OWN).catch(() => null)
    if (ownInfo !== null) infos.set(OWN, ownInfo)
    for (const info of infos.values()) this.#mark(info, keepLogMs)
    const readers = await listReaders(this.#kv)
    const purged: Record<string, number> = {}
    const entries = readers.map((r) => r.entry)
    const input = entries.map((entry) => (p: number) => neededInput(entry, p, infos.get(inputStream(topology, p))!))
    const results = entries.map((entry) => (p: number) => neededResults(entry, p, infos.get(RESULTS)!))
    const seen = new Set<string>()
    const own = infos.has(OWN) ? ownPartitions() : []
    for (const p of [...Array(topology.partitions).keys(), ...own]) {
      const last = await log.last(RESULTS, resultsSubject(p))
      if (last === null) continue
      const inputInfo = infos.get(inputStream(topology, p))!
      const replayed = await this.#replayedFrom(last.data, inputInfo, seen)
      const inputBefore = Math.min(this.#oldBefore(inputInfo), replayed, ...input.map((needed) => needed(p)))
      if (inputBefore > 1) {
        await log.purge(inputInfo.name, { subject: inputSubject(p), beforeSeq: inputBefore })
        purged[inputSubject(p)] = inputBefore
      }
      const resultsBefore = Math.min(this.#oldBefore(infos.get(RESULTS)!), last.seq, ...results.map((needed) => needed(p)))
      if (resultsBefore > 1) {
        await log.purge(RESULTS, { subject: resultsSubject(p), beforeSeq: resultsBefore })
        purged[resultsSubject(p)] = resultsBefore
      }
    }
    for (const name of this.#whole) if (!seen.has(name)) this.#whole.delete(name)
    return purged
  }

  /** First sequence of a partition's input that a new owner may have to read; 0 where that can't be told. */
  async #replayedFrom(data: Uint8Array, info: StreamInfo, seen: Set<string>): Promise<number> {
    const { snapshots } = decodeJournal(data).header
    if (snapshots.length < 2) return 0
    for (const ref of snapshots) {
      seen.add(ref.name)
      if (ref.position.created !== info.created) return 0
      if (this.#whole.has(ref.name)) continue
      // Of whichever actor; and one of a later version is as good a place to begin from, for a worker of that version.
      if (!(await readSnapshot(this.#objects, ref, { name: ref.name.split('.')[0], snapshotVersion: Infinity }))) return 0
      this.#whole.add(ref.name)
    }
    // The message at the position itself stays: it is what the position's identity is checked by.
    return Math.min(...snapshots.map((ref) => ref.position.seq))
  }

  #mark(info: StreamInfo, keepLogMs: number): void {
    const nowMs = Math.floor(this.#options.clock.now())
    let marks = this.#marks.get(info.name)
    if (marks === undefined || marks.created !== info.created) this.#marks.set(info.name, (marks = { created: info.created, at: [] }))
    const { at } = marks
    if (at.length > 0 && nowMs - at[at.length - 1][0] < keepLogMs / MARKS) return
    at.push([nowMs, info.lastSeq])
    // Of those that are old enough the newest alone still says something.
    while (at.length > 1 && at[1][0] <= nowMs - keepLogMs) at.shift()
  }

  /** Messages below this sequence are older than `keepLogMs`. */
  #oldBefore(info: StreamInfo): number {
    const { clock, keepLogMs = KEEP_LOG_MS } = this.#options
    const limitMs = clock.now() - keepLogMs
    let before = 0
    for (const [timeMs, seq] of this.#marks.get(info.name)?.at ?? []) if (timeMs <= limitMs) before = seq + 1
    return before
  }

  async #every(intervalMs: number, run: () => Promise<unknown>): Promise<void> {
    const { clock, logger } = this.#options
    while (!this.#ending.signal.aborted) {
      await clock.sleep(intervalMs, this.#ending.signal)
      if (this.#ending.signal.aborted) return
      await run().catch((error) => {
        if (isOperating(error)) logger.warn({ code: error.code }, `the logs could not be purged this time: ${error.message}`)
        else throw error
      })
    }
  }
}

function neededInput(entry: ReaderEntry | null, partition: number, info: StreamInfo): number {
  if (entry === null) return 0
  const whole = entry.inputFrom[info.name]
  const own = entry.covered[partition]
  return Math.max(whole?.created === info.created ? whole.seq : 0, own?.created === info.created ? own.seq : 0)
}

function neededResults(entry: ReaderEntry | null, partition: number, info: StreamInfo): number {
  if (entry === null || entry.resultsCreated !== info.created) return 0
  return Math.max(entry.resultsFrom, (entry.covered[partition]?.resultsSeq ?? 0) + 1)
}
