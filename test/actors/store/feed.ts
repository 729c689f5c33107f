/**
 * A farm, its log and its partition actors without a host: publishes blocks, runs the actors over them, publishes their commits. What
 * the store then finds in the two logs is what the real processes would have left there.
 */

import { encodeBlock, encodeRejects, encodeSettings } from '../../../actors/reading/input.ts'
import type { Reading, Settings } from '../../../actors/reading/input.ts'
import { partitionActor } from '../../../actors/partition/actor.ts'
import type { PartitionState } from '../../../actors/partition/actor.ts'
import { encodeJournal } from '../../../runtime/journal.ts'
import type { JournalHeader, Position, SnapshotRef } from '../../../runtime/journal.ts'
import type { Log, ObjectStore } from '../../../runtime/log.ts'
import { writeSnapshot } from '../../../runtime/snapshots.ts'
import { inputStream, inputStreams, inputSubject, partitionFor, RESULTS, resultsSubject, topologyOf } from '../../../runtime/topology.ts'
import { seeded } from '../../support/random.ts'
import { ManualClock } from '../../support/manual-clock.ts'

export const TENANT = 'default'

export async function makeStreams(log: Log, partitions: number): Promise<void> {
  const topology = topologyOf(partitions)
  for (const name of inputStreams(topology)) {
    const subjects = Array.from({ length: partitions }, (_, p) => p).filter((p) => inputStream(topology, p) === name).map(inputSubject)
    await log.ensureStream({ name, subjects, replicas: 1, bytesMax: -1 })
  }
  await log.ensureStream({ name: RESULTS, subjects: ['results.*'], replicas: 1, bytesMax: -1 })
}

export function blockOf(readings: readonly Reading[], tenant = TENANT): Uint8Array {
  const devices = new Map<string, number>()
  const metrics = new Map<string, number>()
  const series = new Map<string, number>()
  const seriesDevice: number[] = []
  const seriesMetric: number[] = []
  const place = (known: Map<string, number>, name: string) => known.get(name) ?? (known.set(name, known.size), known.size - 1)
  const row = readings.map(({ device, metric }) => {
    const key = `${device}\n${metric}`
    if (!series.has(key)) {
      series.set(key, seriesDevice.push(place(devices, device)) - 1)
      seriesMetric.push(place(metrics, metric))
    }
    return series.get(key)!
  })
  return encodeBlock({
    tenant,
    devices: [...devices.keys()],
    metrics: [...metrics.keys()],
    seriesDevice: Uint16Array.from(seriesDevice),
    seriesMetric: Uint16Array.from(seriesMetric),
    row: Uint16Array.from(row),
    ts: Float64Array.from(readings, (r) => r.ts),
    value: Float64Array.from(readings, (r) => r.value),
    keyed: [],
  })
}

interface Owner {
  state: PartitionState
  position: Position
  snapshots: SnapshotRef[]
  unread: { seq: number; timeMs: number; data: Uint8Array }[]
}

/** Publishes to a log, and drives the actors of all partitions over what it published. */
export class Feed {
  readonly log: Log
  readonly clock: ManualClock
  readonly partitions: number
  /** Readings that were published. */
  published = 0
  rejected = 0
  #owners: Owner[] = []

  constructor({ log, clock, partitions }: { log: Log; clock: ManualClock; partitions: number }) {
    this.log = log
    this.clock = clock
    this.partitions = partitions
  }

  async begin(settings: Settings): Promise<void> {
    for (let p = 0; p < this.partitions; p++) {
      const { created } = await this.log.info(inputStream(topologyOf(this.partitions), p))
      this.#owners[p] = { state: partitionActor.create(), position: { created, seq: 0, timeMs: 0 }, snapshots: [], unread: [] }
      await this.log.publish(resultsSubject(p), encodeJournal(this.#header(p, 'claim')))
      await this.#append(p, encodeSettings(settings))
    }
  }

  /** Publishes readings, a block a partition. */
  async send(readings: readonly Reading[]): Promise<void> {
    const by = new Map<number, Reading[]>()
    for (const reading of readings) {
      const p = partitionFor(topologyOf(this.partitions), TENANT, reading.device)
      by.set(p, [...(by.get(p) ?? []), reading])
    }
    for (const [p, of] of by) {
      await this.#append(p, blockOf(of))
      this.published += of.length
    }
  }

  async reject(device: string, count: number): Promise<void> {
    const p = partitionFor(topologyOf(this.partitions), TENANT, device)
    await this.#append(p, encodeRejects({ tenant: TENANT, counts: [[device, count]], samples: [['value is no number', '{"value":"x"}']] }))
    this.rejected += count
  }

  /** Runs one partition over what it has not read, and publishes the commit, in parts of `partBytes` where that is given. */
  async commit(partition: number, partBytes = Infinity): Promise<void> {
    const owner = this.#owners[partition]
    if (owner.unread.length === 0) return
    const effects = partitionActor.effects()
    for (const message of owner.unread) partitionActor.step(owner.state, message, effects)
    const before = this.#header(partition, 'part')
    const last = owner.unread[owner.unread.length - 1]
    // A position speaks of the log's own time, which is not this clock's where the log is a real one.
    const { timeMs } = (await this.log.at(inputStream(topologyOf(this.partitions), partition), last.seq))!
    owner.position = { ...owner.position, seq: last.seq, timeMs }
    owner.unread = []
    const payload = partitionActor.encode(effects, owner.state)
    let part = 0
    let at = 0
    for (; payload.byteLength - at > partBytes; at += partBytes) await this.log.publish(resultsSubject(partition), encodeJournal({ ...before, part: part++ }, payload.subarray(at, at + partBytes)))
    await this.log.publish(resultsSubject(partition), encodeJournal({ ...this.#header(partition, 'commit'), part }, payload.subarray(at)))
  }

  /** Takes a snapshot of a partition; its next message on RESULTS names it. */
  async snapshot(partition: number, objects: ObjectStore): Promise<SnapshotRef> {
    const { state, position, snapshots } = this.#owners[partition]
    const { name, snapshotVersion } = partitionActor
    const ref = await writeSnapshot(objects, { actor: name, version: snapshotVersion, partition, epoch: 1, position, count: 1, pieces: [partitionActor.snapshot(state)] })
    this.#owners[partition].snapshots = [ref, ...snapshots].slice(0, 2)
    return ref
  }

  async commitAll(): Promise<void> {
    for (let p = 0; p < this.partitions; p++) await this.commit(p)
  }

  /** Lets time pass by ticks until no partition owes a row. */
  async quiet(): Promise<void> {
    await this.commitAll()
    for (let p = 0; p < this.partitions; p++) {
      for (let n = 0; partitionActor.wantsTick(this.#owners[p].state) && n < 1_000; n++) {
        this.clock.stepWall(1_000)
        await this.#append(p, partitionActor.tick())
        await this.commit(p)
      }
    }
  }

  async #append(partition: number, data: Uint8Array): Promise<void> {
    const timeMs = Math.floor(this.clock.now())
    const { seq } = await this.log.publish(inputSubject(partition), data)
    this.#owners[partition].unread.push({ seq, timeMs, data })
  }

  #header(partition: number, kind: JournalHeader['kind']): JournalHeader {
    return { kind, partition, epoch: 1, owner: 'feed', nonce: this.clock.nonce(), position: this.#owners[partition].position, snapshots: this.#owners[partition].snapshots, part: 0 }
  }
}

export interface StreamShape {
  readonly seed: number
  readonly devices: number
  readonly metrics: number
  /** Event time between two readings of a series. */
  readonly stepMs: number
  readonly steps: number
  /** Share of readings that come out of order, by up to `disorderMs`; some of them by much more. */
  readonly disordered: number
  readonly disorderMs: number
  readonly doubled: number
}

/** A seeded stream, batch by batch: each is what one step of the clock brings, with the event time at its end. */
export function* disorderedStream(shape: StreamShape, beginMs: number): Generator<{ nowMs: number; readings: Reading[] }> {
  const random = seeded(shape.seed)
  const later: { atStep: number; reading: Reading }[] = []
  const sent: Reading[] = []
  for (let step = 0; step < shape.steps + 3; step++) {
    const nowMs = beginMs + step * shape.stepMs
    const readings: Reading[] = []
    for (let d = 0; d < shape.devices && step < shape.steps; d++) {
      for (let m = 0; m < shape.metrics; m++) {
        const reading = { device: `field-${d % 7}/probe-${d}`, metric: `metric_${m}`, ts: nowMs - Math.floor(random() * 900), value: Math.round(random() * 4_000) / 100 - 10 }
        if (random() < shape.disordered) {
          const byMs = random() < 0.05 ? shape.disorderMs * 20 : shape.disorderMs
          later.push({ atStep: step + Math.ceil((random() * byMs) / shape.stepMs), reading })
        } else readings.push(reading)
        if (random() < shape.doubled && sent.length > 0) later.push({ atStep: step + 1, reading: sent[Math.floor(random() * sent.length)] })
      }
    }
    const end = step >= shape.steps
    for (let i = later.length - 1; i >= 0; i--) {
      if (later[i].atStep > step && !end) continue
      readings.push(later[i].reading)
      later[i] = later[later.length - 1]
      later.pop()
    }
    for (const reading of readings) {
      if (sent.length < 5_000) sent.push(reading)
      else sent[Math.floor(random() * sent.length)] = reading
    }
    yield { nowMs, readings }
  }
}
