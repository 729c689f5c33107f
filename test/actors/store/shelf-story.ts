/**
 * A story told to the lake's writer on some shelf: readings on time, late by seconds or days, doubled; seals, merges, retention, restarts and
 * streams made anew, all drawn from a seed. Gives what the lake holds at its stations.
 */

import { LakeWriter } from '../../../actors/store/writer.ts'
import { TABLE_NAMES } from '../../../actors/store/tables.ts'
import type { TableName } from '../../../actors/store/tables.ts'
import type { LakeRow } from '../../../actors/store/memory-rows.ts'
import type { Segment } from '../../../actors/store/manifest.ts'
import type { Reading } from '../../../actors/reading/input.ts'
import { decodeJournal } from '../../../runtime/journal.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { inputStreams, RESULTS, topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { seeded } from '../../support/random.ts'
import { Feed, makeStreams } from './feed.ts'
import type { ShelfHouse } from './shelf.conformance.ts'

const PARTITIONS = 2
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const quiet = { info() {}, warn() {}, error() {} }

export interface Station {
  readonly told: string
  /** Entries of the manifest, but for names and bytes, which each shelf has its own of. */
  readonly segments: readonly Omit<Segment, 'file' | 'bytes'>[]
  readonly tables: Readonly<Record<TableName, readonly LakeRow[]>>
}

export async function tellStory(house: ShelfHouse, seed: number): Promise<Station[]> {
  const draw = seeded(seed * 7_919)
  const chance = (p: number) => draw() < p
  const upTo = (n: number) => Math.floor(draw() * n)
  const pick = <T>(list: readonly T[]): T => list[upTo(list.length)]
  const clock = new ManualClock({ nowMs: 1_767_225_600_000 + upTo(DAY_MS), seed })
  const world = new MemoryWorld({ clock })
  const { log } = world.connect()
  const topology = topologyOf(PARTITIONS)
  await makeStreams(log, PARTITIONS)
  const feed = new Feed({ log, clock, partitions: PARTITIONS })
  const settings = { latenessMs: pick([0, 5_000, 20 * MINUTE_MS]), idleMs: pick([1_000, 60_000]), retentionMs: 0 }
  await feed.begin(settings)

  const retentionMs = chance(0.4) ? 30 * HOUR_MS : 0
  const openWriter = async () => {
    const writer = await LakeWriter.open({
      lakeDir: house.lakeDir, log, topology, clock, logger: quiet, disk: house.disk, shelf: house.port,
      compaction: false, sealIntervalMs: 1e12, retentionMs, keepSupersededMs: pick([0, HOUR_MS]),
      onFailure: (error) => {
        throw error
      },
    })
    await writer.start()
    return writer
  }
  let writer = await openWriter()
  const seal = async () => {
    const last = world.messages(RESULTS).findLast((m) => decodeJournal(m.data).header.kind === 'commit')?.seq ?? 0
    while (Math.max(...writer.status().lag.map((l) => l.resultsSeq)) < last) await new Promise((resolve) => setImmediate(resolve))
    await writer.seal()
  }

  const sent: Reading[] = []
  const reading = (): Reading => {
    if (sent.length > 0 && chance(0.2)) return pick(sent)
    const lateMs = chance(0.6) ? upTo(3_000) : pick([upTo(2 * MINUTE_MS), upTo(HOUR_MS), upTo(30 * HOUR_MS), -upTo(3 * MINUTE_MS)])
    const ts = Math.floor(clock.now()) - lateMs
    // Few values, and whole seconds, so that equal times and equal values meet; and some of many digits.
    const value = chance(0.6) ? pick([0, -0, 1, 0.1, 2]) : draw() * 1e3 - 300
    const made = { device: `d${upTo(3)}`, metric: pick(['a', 'a', 'b']), ts: chance(0.6) ? ts - (ts % 1_000) : ts, value }
    sent.push(made)
    return made
  }
  let told = ''
  const stations: Station[] = []
  const look = async () => {
    const tables = {} as Record<TableName, LakeRow[]>
    for (const table of TABLE_NAMES) tables[table] = await house.rows(writer.manifest, table)
    const segments = writer.manifest.segments.map(({ file: _file, bytes: _bytes, ...rest }) => rest)
    stations.push({ told, segments, tables })
  }
  const deeds: Record<string, () => Promise<unknown>> = {
    commit: () => feed.commitAll(),
    seal: async () => (await feed.commitAll(), await seal()),
    sealAgain: async () => (await feed.commitAll(), await seal()),
    quiet: async () => (await feed.quiet(), await seal()),
    merge: () => writer.upkeep(clock.now() + pick([0, 2 * MINUTE_MS, 2 * HOUR_MS, 50 * HOUR_MS])),
    reject: () => feed.reject(`d${upTo(3)}`, 1 + upTo(3)),
    gap: async () => clock.stepWall(pick([upTo(3 * MINUTE_MS), upTo(2 * HOUR_MS), upTo(30 * HOUR_MS)])),
    restart: async () => {
      await seal()
      await writer.stop()
      writer = await openWriter()
    },
  }
  for (let part = 0; part < 2; part++) {
    for (let round = 0; round < 40; round++) {
      for (let i = upTo(4); i > 0; i--) await feed.send(Array.from({ length: 1 + upTo(8) }, reading))
      const deed = pick(Object.keys(deeds))
      told += ` ${deed}`
      await deeds[deed]()
      clock.stepWall(upTo(20_000))
    }
    await feed.quiet()
    await seal()
    await look()
    if (part === 0 && retentionMs === 0 && chance(0.6)) {
      told += ' anew'
      await writer.stop()
      for (const name of inputStreams(topology)) world.recreateStream(name)
      if (chance(0.5)) world.recreateStream(RESULTS)
      await feed.begin(settings)
      writer = await openWriter()
    }
  }
  while (await writer.upkeep(clock.now() + 3 * DAY_MS));
  told += ' end'
  await look()
  await writer.stop()
  return stations
}
