/**
 * Reads the results log as it grows, and keeps of each claim and commit who wrote it, when by the log's own time, and how far it went:
 * what is said of take-overs is measured from that, and from nothing that a member says of itself.
 *
 * It also holds the log to its own law: in a partition, epochs never step back, and positions never do.
 */

import { decodeJournal } from '../../runtime/journal.ts'
import type { Log, LogReader } from '../../runtime/log.ts'
import { RESULTS } from '../../runtime/topology.ts'

export interface Entry {
  readonly kind: 'claim' | 'commit'
  readonly partition: number
  readonly owner: string
  readonly epoch: number
  /** Time of the log, epoch ms. */
  readonly timeMs: number
  /** Covered up to this sequence of the input. */
  readonly reached: number
  /** Whether it covers more of the input than the one before. */
  readonly onward: boolean
}

export class JournalWatch {
  /** All of it, in the order of the log. */
  readonly entries: Entry[] = []
  /** What must not be, in words; empty where all is right. */
  readonly breaches: string[] = []
  #newest = new Map<number, Entry>()
  #reader: LogReader
  #done: Promise<void>

  constructor(log: Log) {
    this.#reader = log.read({ stream: RESULTS, fromSeq: 1 })
    this.#done = this.#read()
  }

  async close(): Promise<void> {
    await this.#reader.close()
    await this.#done
  }

  /** Last claim or commit of each partition. */
  get newest(): ReadonlyMap<number, Entry> {
    return this.#newest
  }

  /** Partitions whose last claim is of `owner`. */
  ownedBy(owner: string): number[] {
    return [...this.#newest.values()].filter((entry) => entry.owner === owner).map((entry) => entry.partition)
  }

  /** Claims, from the entry `from` on. */
  claimsFrom(from: number): Entry[] {
    return this.entries.slice(from).filter((entry) => entry.kind === 'claim')
  }

  /** The first commit of a partition, from the entry `from` on, by another than `owner` and with something new in it. */
  firstByAnother(partition: number, owner: string, from: number): Entry | null {
    for (let i = from; i < this.entries.length; i++) {
      const entry = this.entries[i]
      if (entry.partition === partition && entry.kind === 'commit' && entry.onward && entry.owner !== owner) return entry
    }
    return null
  }

  /** The last commit of a partition before `entry`, with something new in it. */
  lastBefore(entry: Entry): Entry | null {
    for (let i = this.entries.indexOf(entry) - 1; i >= 0; i--) {
      const before = this.entries[i]
      if (before.partition === entry.partition && before.kind === 'commit' && before.onward) return before
    }
    return null
  }

  async #read(): Promise<void> {
    for await (const { timeMs, seq, data } of this.#reader) {
      const { header } = decodeJournal(data)
      const { kind, partition, owner, epoch, position } = header
      if (kind === 'part') continue
      const before = this.#newest.get(partition)
      const entry = { kind, partition, owner, epoch, timeMs, reached: position.seq, onward: position.seq > (before?.reached ?? 0) }
      if (before && (epoch < before.epoch || (kind === 'claim' && epoch === before.epoch))) this.breaches.push(`epoch of partition ${partition} steps back at ${seq}`)
      if (before && epoch === before.epoch && owner !== before.owner) this.breaches.push(`two owners of partition ${partition} in epoch ${epoch} at ${seq}`)
      if (before && position.seq < before.reached) this.breaches.push(`position of partition ${partition} steps back at ${seq}`)
      if (kind === 'claim' && entry.onward && before) this.breaches.push(`a claim of partition ${partition} covers input at ${seq}`)
      this.#newest.set(partition, entry)
      this.entries.push(entry)
    }
  }
}
