/**
 * The lake's writer on a disk in memory: killed at any call, cut from its power, its disk full or failing, all drawn from a seed. What it has
 * said to be the lake stays so, and in the end the lake holds every reading once.
 *
 * `WEIR_POWER_SEED` chooses the first seed, `WEIR_POWER_SEEDS` how many.
 */

import { describe, expect, it } from 'vitest'
import { MANIFESTS_KEPT } from '../../../actors/store/manifest.ts'
import type { Manifest } from '../../../actors/store/manifest.ts'
import { lakeRows, lakeWindows } from '../../../actors/store/memory-segment.ts'
import type { LakeRow } from '../../../actors/store/memory-rows.ts'
import { memoryShelf } from '../../../actors/store/memory-shelf.ts'
import { LakeWriter } from '../../../actors/store/writer.ts'
import type { Reading } from '../../../actors/reading/input.ts'
import { WINDOW_SIZES_MS, windowStart } from '../../../actors/reading/window.ts'
import { codeOf } from '../../../runtime/disk.ts'
import { isOperating } from '../../../runtime/errors.ts'
import { decodeJournal } from '../../../runtime/journal.ts'
import { MemoryDisk } from '../../../runtime/memory-disk.ts'
import type { DiskFault, DiskOperation, DiskView } from '../../../runtime/memory-disk.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { MemoryConnection } from '../../../runtime/memory-log.ts'
import { RESULTS, topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { seeded } from '../../support/random.ts'
import { Feed, makeStreams } from './feed.ts'

const SEEDS = Number(process.env.WEIR_POWER_SEEDS ?? 25)
const FIRST_SEED = Number(process.env.WEIR_POWER_SEED ?? 1)
const LAKE = '/data/lake'
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const READS: readonly DiskOperation[] = ['list', 'read', 'size']
const quiet = { info() {}, warn() {}, error() {} }

interface Life {
  readonly view: DiskView
  readonly connection: MemoryConnection
  writer: LakeWriter | null
  failure: unknown
}

interface Ended {
  /** Every call that reached the disk, in order. */
  readonly trace: string[]
  readonly manifest: Manifest
  readonly readings: readonly LakeRow[]
  readonly windows: readonly LakeRow[]
  readonly deaths: number
}

async function live(seed: number): Promise<Ended> {
  const draw = seeded(seed * 15_485_863)
  const chance = (p: number) => draw() < p
  const upTo = (n: number) => Math.floor(draw() * n)
  const pick = <T>(list: readonly T[]): T => list[upTo(list.length)]
  const clock = new ManualClock({ seed })
  const world = new MemoryWorld({ clock })
  const { log } = world.connect()
  await makeStreams(log, 1)
  const feed = new Feed({ log, clock, partitions: 1 })
  await feed.begin({ latenessMs: pick([0, 20_000]), idleMs: 5_000, retentionMs: 0 })
  const machine = new MemoryDisk()
  const trace: string[] = []
  let faultShare = 0
  /** Reads that failed in the newest life: for them it may go back to a manifest before the newest. */
  let unread = 0
  machine.faults = (operation, path) => {
    trace.push(`${operation} ${path}`)
    if (faultShare === 0 || !chance(faultShare)) return null
    if (!READS.includes(operation)) return pick<DiskFault>(['full', 'io'])
    unread++
    return 'io'
  }

  /** The newest manifest that any writer has said to be the lake. */
  let told = 0
  let deaths = 0
  const begin = (): Life => {
    unread = 0
    const view = machine.open()
    const connection = world.connect()
    const life: Life = { view, connection, writer: null, failure: null }
    const fail = (error: unknown) => (life.failure = error)
    if (faultShare > 0 && chance(0.5)) view.dieAt(1 + upTo(300))
    LakeWriter.open({
      lakeDir: LAKE,
      log: connection.log,
      topology: topologyOf(1),
      clock,
      logger: quiet,
      disk: view,
      shelf: memoryShelf(view),
      keepSupersededMs: pick([0, MINUTE_MS]),
      onManifest: ({ version }) => void (told = version),
      onFailure: fail,
    })
      .then((writer) => {
        expect(writer.manifest.version).toBeGreaterThanOrEqual(unread === 0 ? told : told - MANIFESTS_KEPT + 1)
        life.writer = writer
        return writer.start()
      })
      .catch(fail)
    return life
  }
  const kill = (life: Life) => {
    deaths++
    life.view.die()
    life.connection.die()
    // It never ends, as its disk answers no more; but its timers do.
    void life.writer?.stop({ seal: false })
  }

  faultShare = pick([0, 0.001, 0.01])
  let life = begin()
  const sent = new Set<string>()
  const before: Reading[] = []
  for (let round = 0; round < 60; round++) {
    const readings = Array.from({ length: 1 + upTo(5) }, () => {
      if (before.length > 0 && chance(0.2)) return pick(before)
      const ts = Math.floor((clock.now() - (chance(0.6) ? upTo(2_000) : upTo(pick([MINUTE_MS, HOUR_MS])))) / 500) * 500
      return { device: `d${upTo(2)}`, metric: 'm', ts, value: upTo(5) }
    })
    before.push(...readings)
    for (const { device, ts, value } of readings) sent.add(`${device} ${ts} ${value}`)
    await feed.send(readings)
    if (chance(0.7)) await feed.commitAll()
    await clock.advance(upTo(3_000))
    if (chance(0.05)) clock.stepWall(upTo(HOUR_MS))
    if (chance(0.1)) kill(life)
    if (chance(0.1)) machine.powerCut(draw)
    if (life.failure !== null || life.view.dead) {
      const meant = life.failure === null || ['ENOSPC', 'EIO'].includes(codeOf(life.failure)!) || (unread > 0 && isOperating(life.failure, 'config'))
      if (!meant) throw life.failure
      kill(life)
      life = begin()
    }
  }
  kill(life)
  machine.powerCut(draw)
  faultShare = 0
  await feed.quiet()
  life = begin()
  const last = world.messages(RESULTS).findLast((m) => decodeJournal(m.data).header.kind === 'commit')!.seq
  const covered = () => Math.max(...(life.writer?.status().lag ?? []).map((l) => l.resultsSeq), 0)
  await clock.until(() => covered() >= last || life.failure !== null, { what: 'the writer has read all', stepMs: 100 })
  expect(life.failure).toBeNull()
  await life.writer!.seal()
  const lake = { lakeDir: LAKE, manifest: life.writer!.manifest }
  const disk = machine.open()
  const [readings, windows, ledger] = [await lakeRows(disk, { ...lake, table: 'readings' }), await lakeWindows(disk, lake), await lakeRows(disk, { ...lake, table: 'ledger' })]
  expect(readings.map(({ device, ts, value }) => `${device} ${ts} ${value}`).sort()).toEqual([...sent].sort())
  expect(ledger.reduce((sum, row) => sum + Number(row.accepted), 0)).toBe(feed.published)
  const { manifest } = life.writer!
  kill(life)
  return { trace, manifest, readings, windows, deaths }
}

/** Of each window what is counted from the readings alone. */
function counted(rows: readonly LakeRow[]): Record<string, string> {
  const of = new Map<string, number[]>()
  for (const { device, ts, value } of rows) {
    for (const size of WINDOW_SIZES_MS) {
      const key = `${device} ${size} ${windowStart(Number(ts), size)}`
      of.set(key, [...(of.get(key) ?? []), Number(value)])
    }
  }
  return Object.fromEntries([...of].sort().map(([key, values]) => [key, `${values.length} ${values.reduce((a, b) => a + b)} ${Math.min(...values)} ${Math.max(...values)}`]))
}

describe('the lake on a disk that may lose what was not synced', () => {
  let deaths = 0
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    it(`keeps what it said to be the lake, and ends with every reading once, seed ${seed}`, async () => {
      const ended = await live(seed)
      deaths += ended.deaths
      const shown = ended.windows.map((w) => [`${w.device} ${w.size} ${w.start}`, `${w.count} ${w.sum} ${w.min} ${w.max}`] as const)
      expect(Object.fromEntries([...shown].sort())).toEqual(counted(ended.readings))
    })
  }

  it('was killed in these runs many times', () => {
    expect(deaths).toBeGreaterThan(5 * SEEDS)
  })

  it('comes again by its seed, call by call and row by row', async () => {
    const [first, second] = [await live(FIRST_SEED), await live(FIRST_SEED)]
    expect(first.trace.length).toBeGreaterThan(500)
    expect(second).toEqual(first)
  })
})
