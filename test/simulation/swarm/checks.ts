/**
 * What must hold of every message that is stored, and of everything in the end.
 *
 * - While it runs: claims of a partition count on by one; what an epoch says is all of one owner, and nothing of an older epoch comes after a
 *   claim; positions never step back; a commit covers only what is in the log; what a series has closed stays closed.
 * - In the end: the commits of a partition say what one straight run of its actor over the input says, to the byte of each row.
 */

import assert from 'node:assert/strict'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { decodeEffects } from '../../../actors/partition/effects.ts'
import type { PartitionEffects, SeriesName } from '../../../actors/partition/effects.ts'
import { rowsOf } from '../../../actors/partition/forecasts.ts'
import { decodeInput } from '../../../actors/reading/input.ts'
import type { Block } from '../../../actors/reading/input.ts'
import { JournalReader } from '../../../runtime/journal.ts'
import type { JournalHeader, Position } from '../../../runtime/journal.ts'
import type { LogMessage } from '../../../runtime/log.ts'
import { inputSubject } from '../../../runtime/topology.ts'
import { rowOf } from './oracle.ts'

/** A commit as it was stored, and how far the one before it went. */
export interface HeardCommit {
  readonly partition: number
  readonly before: number
  /** Of the commit itself, in RESULTS. */
  readonly seq: number
  readonly position: Position
  readonly effects: PartitionEffects
}

interface Partition {
  epoch: number
  owner: string
  position: Position
  /** Closed until, by series name. */
  readonly closed: Map<string, number>
  /** By series, the greatest time up to which it had closed its windows, where a fate names it. */
  readonly watermarks: Map<string, number>
  readonly told: string[]
  pending: number
  accepted: number
  logTimeMs: number
  /** Sequence of its last commit in RESULTS. */
  commitSeq: number
}

/** Everything that was ever stored, though it may be purged, and the laws of its order. */
export class Recorder {
  readonly input = new Map<string, LogMessage[]>()
  readonly partitions = new Map<number, Partition>()
  /** The first law that was broken, or null. */
  broken: Error | null = null
  readonly onCommit: ((commit: HeardCommit) => void)[] = []
  /** Messages of RESULTS, and what they were. */
  results = 0
  claims = 0
  commits = 0
  #reader = new JournalReader()

  /** To be told of each message at the moment when it is stored. */
  stored(message: LogMessage): void {
    try {
      if (message.subject.startsWith('results.')) this.#result(message)
      else {
        const of = this.input.get(message.subject)
        if (of === undefined) this.input.set(message.subject, [message])
        else of.push(message)
      }
    } catch (error) {
      this.broken ??= error as Error
    }
  }

  inputOf(partition: number): readonly LogMessage[] {
    return this.input.get(inputSubject(partition)) ?? []
  }

  partition(number: number): Partition {
    let of = this.partitions.get(number)
    if (of === undefined) {
      of = { epoch: 0, owner: '', position: { created: '', seq: 0, timeMs: 0 }, closed: new Map(), watermarks: new Map(), told: [], pending: 0, accepted: 0, logTimeMs: 0, commitSeq: 0 }
      this.partitions.set(number, of)
    }
    return of
  }

  #result(message: LogMessage): void {
    this.results++
    const got = this.#reader.accept(message)
    if (got === null) return
    if ('claim' in got) return this.#claim(got.claim)
    const { header, payload, seq } = got.commit
    const of = this.partition(header.partition)
    assert.equal(header.epoch, of.epoch, `a commit of epoch ${header.epoch} after the claim of epoch ${of.epoch}`)
    assert.equal(header.owner, of.owner, 'a commit of another owner under one epoch')
    const before = of.position.seq
    this.#advance(of, header)
    const effects = decodeEffects(payload)
    assert.ok(effects.logTimeMs >= of.logTimeMs, `log time ${effects.logTimeMs} after ${of.logTimeMs}`)
    of.commitSeq = seq
    of.pending = effects.pending
    of.accepted = effects.accepted
    of.logTimeMs = effects.logTimeMs
    this.commits++
    tell(effects, of.told)
    for (const hear of this.onCommit) hear({ partition: header.partition, before, seq, position: header.position, effects })
    this.#closes(of, header.partition, effects)
  }

  #claim(header: JournalHeader): void {
    this.claims++
    const of = this.partition(header.partition)
    assert.equal(header.epoch, of.epoch + 1, `a claim of epoch ${header.epoch} after epoch ${of.epoch}`)
    of.epoch = header.epoch
    of.owner = header.owner
    if (of.position.seq > 0) assert.equal(header.position.seq, of.position.seq, 'a claim with another position than the last commit')
  }

  #advance(of: Partition, { position, partition }: JournalHeader): void {
    assert.ok(position.seq >= of.position.seq, `position ${position.seq} after ${of.position.seq} in partition ${partition}`)
    if (position.seq > 0) {
      const at = this.inputOf(partition).findLast((m) => m.seq <= position.seq)
      assert.equal(at?.seq, position.seq, `a commit covers message ${position.seq} of partition ${partition}, which is not in its log`)
      assert.equal(at?.timeMs, position.timeMs, 'a position with another time than its message')
    }
    of.position = position
  }

  #closes(of: Partition, partition: number, { series, windows, fates }: PartitionEffects): void {
    for (const { series: index, size, start, closedBy } of windows) {
      const key = `${keyOf(series[index])} ${size}`
      const closed = of.closed.get(key) ?? -Infinity
      assert.ok(start > closed, `a window of ${key} at ${start} after the one at ${closed} was closed`)
      if (closedBy !== 'open') of.closed.set(key, start)
    }
    for (const { seq, old, closedUntil } of fates) {
      const block = decodeInput(this.inputOf(partition).find((m) => m.seq === seq)!.data) as Block
      for (const [i, row] of old.entries()) {
        const { tenant, device, metric } = rowOf(block, row)
        const key = `${tenant} ${device} ${metric}`
        const before = of.watermarks.get(key) ?? -Infinity
        assert.ok(closedUntil[i] >= before, `what ${key} has closed went back from ${before} to ${closedUntil[i]}`)
        of.watermarks.set(key, closedUntil[i])
      }
    }
  }

  /** Anomalies told so far, of all partitions. */
  get anomalies(): number {
    let count = 0
    for (const { told } of this.partitions.values()) for (const row of told) if (row.startsWith('a')) count++
    return count
  }

  /** Events of alerts that were told so far, of all partitions. */
  get alerts(): string[] {
    const rows = [...this.partitions.values()].flatMap(({ told }) => told.filter((row) => row.startsWith('l')))
    return rows.map((row) => JSON.parse(row.slice(row.indexOf('{')))).map(({ id, number }) => `${id} ${number}`).sort()
  }

  /** Throws where the commits of a partition differ from a straight run of the actor over all of its input up to the last position. */
  assertPure(partition: number): void {
    const of = this.partition(partition)
    const state = partitionActor.create()
    const effects = partitionActor.effects()
    for (const message of this.inputOf(partition)) {
      if (message.seq <= of.position.seq) partitionActor.step(state, message, effects)
    }
    const wanted: string[] = []
    const straight = decodeEffects(partitionActor.encode(effects, state))
    tell(straight, wanted)
    for (const total of ['accepted', 'pending', 'logTimeMs'] as const) assert.equal(of[total], straight[total], `${total} of partition ${partition}`)
    assert.equal(of.told.length, wanted.length, `partition ${partition} told ${of.told.length} results, a straight run tells ${wanted.length}`)
    // Rows of one kind keep their order; how kinds alternate depends on where commits fall.
    for (const kind of ['w', 'a', 'f', 'l']) {
      const [got, want] = [of.told, wanted].map((rows) => rows.filter((row) => row.startsWith(kind)))
      for (const [i, row] of want.entries()) if (row !== got[i]) assert.fail(`partition ${partition} told ${got[i]} where a straight run tells ${row}`)
    }
  }
}

function keyOf({ tenant, device, metric }: SeriesName): string {
  return `${tenant} ${device} ${metric}`
}

function tell({ series, windows, anomalies, forecasts, alerts, fates }: PartitionEffects, into: string[]): void {
  for (const { series: index, ...row } of windows) into.push(`w ${keyOf(series[index])} ${JSON.stringify(row)}`)
  for (const { series: index, ...row } of anomalies) into.push(`a ${keyOf(series[index])} ${JSON.stringify(row)}`)
  for (const f of forecasts) into.push(`p ${keyOf(series[f.series])} ${JSON.stringify([...rowsOf(f)])}`)
  for (const { series: index, ...row } of alerts) into.push(`l ${keyOf(series[index])} ${JSON.stringify(row)}`)
  for (const f of fates) into.push(`f ${f.seq} ${f.duplicate.join()} ${f.expired.join()} ${f.old.join()} ${f.closedUntil.join()}`)
}
