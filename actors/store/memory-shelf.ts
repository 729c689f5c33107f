/**
 * A shelf without DuckDB, for simulations: segments are small files of rows, and everything is done the plainest way.
 *
 * Owns nothing of its own but the rows of the seal under way. It is meant to be obviously right rather than fast, and to need nothing
 * but the disk, the clock and the log that it is given: no I/O, no timers, so that a run comes again by its seed.
 */

import { join } from 'node:path'
import { pack } from '../../runtime/codec.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Disk } from '../../runtime/disk.ts'
import { STORE_LOCK_WAIT_MS } from '../../runtime/limits.ts'
import { CLOSED_BY, WINDOW_SIZES_MS, windowStart } from '../reading/window.ts'
import { LEDGER_COUNTS } from './buffer.ts'
import type { Shown } from './catalog.ts'
import type { CompactionJob } from './compaction.ts'
import { lakeTaken, LOCK_RETRY_MS } from './lock.ts'
import { segmentsDir } from './manifest.ts'
import type { Segment } from './manifest.ts'
import { bySize, countsOf, newestWindows, ofAllSizes, readingKey, seriesOf, statisticsOf, sumLedger, windowKey } from './memory-rows.ts'
import type { LakeRow, Point } from './memory-rows.ts'
import { packSegment, readSegment } from './memory-segment.ts'
import type { SegmentTables } from './memory-segment.ts'
import type { PartsFacts, PartsJob } from './parts.ts'
import type { DirtyWindow } from './recompute.ts'
import type { Candidates, LakeLock, OwnedRow, SealContent, SealedReadings, SegmentFacts, Shelf, ShelfPort } from './shelf.ts'
import { ageOf, namesOf, PLAIN_TABLES } from './plain.ts'
import type { PlainTable } from './plain.ts'
import { TABLE_NAMES } from './tables.ts'

/** A disk that also has locks, which end with the process that the disk was opened for; as a `DiskView` has. */
export interface LockingDisk extends Disk {
  lock(name: string): (() => void) | null
}

class MemoryShelf implements Shelf {
  #disk: Disk
  #lakeDir: string
  #names: LakeRow[] = []
  #readings: LakeRow[] = []
  #computed: LakeRow[] = []
  #held = new Map<string, SegmentTables>()

  constructor(disk: Disk, lakeDir: string) {
    this.#disk = disk
    this.#lakeDir = lakeDir
  }

  async begin(keys: readonly string[]): Promise<void> {
    this.#names = keys.map((key) => {
      const [tenant, device, metric] = key.split('\n')
      return { tenant, device, metric }
    })
    this.#readings = []
    this.#computed = []
  }

  async known({ n, series, ts, value }: Candidates, segments: readonly Segment[]): Promise<ReadonlySet<number>> {
    const lake = new Set<string>()
    for (const segment of segments) for (const row of (await this.#tables(segment)).readings) lake.add(readingKey(row))
    const known = new Set<number>()
    for (let i = 0; i < n.length; i++) if (lake.has(readingKey({ ...this.#names[series[i]], ts: ts[i], value: value[i] }))) known.add(n[i])
    return known
  }

  async stage({ rows, series, ts, value, receivedAt }: SealedReadings): Promise<void> {
    for (let i = 0; i < rows; i++) this.#readings.push({ ...this.#names[series[i]], ts: ts[i], value: value[i], received_at: receivedAt[i] })
  }

  async compute(windows: readonly DirtyWindow[], { reached }: { reached: readonly (readonly Segment[])[]; last: boolean }): Promise<ReadonlyMap<number, number>> {
    const lastTs = new Map<number, number>()
    for (const [size, sizeMs] of WINDOW_SIZES_MS.entries()) {
      const points = new Map<string, Point[]>()
      const put = (row: LakeRow) => {
        const key = windowKey({ ...row, size, start: windowStart(Number(row.ts), sizeMs) })
        if (!points.has(key)) points.set(key, [])
        points.get(key)!.push({ ts: Number(row.ts), value: Number(row.value) })
      }
      if (!windows.some((w) => w.size === size)) continue
      this.#readings.forEach(put)
      for (const segment of reached[size]) (await this.#tables(segment)).readings.forEach(put)
      for (const [k, window] of windows.entries()) {
        if (window.size !== size) continue
        const names = this.#names[window.series]
        const of = points.get(windowKey({ ...names, size, start: window.start }))
        if (of === undefined) continue
        this.#computed.push({
          ...names,
          size: sizeMs,
          start: window.start,
          ...statisticsOf(of),
          closed_by: CLOSED_BY[window.closedBy],
          updated_at: window.updatedAt,
          version: window.version,
        })
        lastTs.set(k, of.reduce((last, p) => Math.max(last, p.ts), -Infinity))
      }
    }
    return lastTs
  }

  async write(path: string, { buffer, rank, kept, owned }: SealContent): Promise<SegmentFacts> {
    const named = (series: number) => this.#names[rank[series]]
    const { windows, plain, rejects, ledger } = buffer
    const sent = Array.from(kept, (i): LakeRow => {
      const { start, count, sum, min, max, stddev, first, last, p50, p95, p99, updated_at, version } = windows.double
      return {
        ...named(windows.int.series[i]),
        size: WINDOW_SIZES_MS[windows.int.size[i]],
        start: start[i],
        count: count[i],
        sum: sum[i],
        min: min[i],
        max: max[i],
        mean: sum[i] / count[i],
        stddev: Number.isNaN(stddev[i]) ? null : stddev[i],
        first: first[i],
        last: last[i],
        p50: p50[i],
        p95: p95[i],
        p99: p99[i],
        closed_by: CLOSED_BY[windows.int.closed_by[i]],
        updated_at: updated_at[i],
        version: version[i],
      }
    })
    const plainRows = (table: PlainTable) => {
      const { series, numbers, texts } = plain[table]
      const names = namesOf(table)
      const known = (n: number) => (Number.isNaN(n) ? null : n)
      return series.map((of, i): LakeRow => ({
        ...named(of),
        ...Object.fromEntries(names.numbers.map((name, c) => [name, known(numbers[c][i])])),
        ...Object.fromEntries(names.texts.map((name, c) => [name, texts[c][i]])),
      }))
    }
    return this.#writeFile(path, {
      readings: this.#readings,
      windows: [],
      ...bySize([...sent, ...this.#computed]),
      owned_windows: owned.map(({ series, size, start }) => ({ ...this.#names[series], size: WINDOW_SIZES_MS[size], start })),
      ...(Object.fromEntries(PLAIN_TABLES.map((table) => [table, plainRows(table)])) as Record<PlainTable, LakeRow[]>),
      rejects: rejects.tenant.map((tenant, i) => ({ tenant, received_at: rejects.receivedAt[i], reason: rejects.reason[i], reading: rejects.reading[i] })),
      ledger: ledger.minute.map((minute, i) => {
        const counts = Object.fromEntries(LEDGER_COUNTS.map((name, what) => [name, ledger.counts[i * LEDGER_COUNTS.length + what]]))
        const accepted = counts.on_time + counts.late + counts.duplicate + counts.expired
        return { tenant: ledger.tenant[i], device: ledger.device[i], minute, accepted, ...counts }
      }),
      series: [],
    })
  }

  async owned(segments: readonly Segment[]): Promise<OwnedRow[]> {
    const listed = new Map<string, LakeRow>()
    const windows: LakeRow[] = []
    for (const segment of segments) {
      const tables = await this.#tables(segment)
      for (const row of tables.owned_windows) listed.set(windowKey(row), row)
      for (const row of ofAllSizes(tables)) windows.push(row)
    }
    for (const row of newestWindows(windows)) if (row.closed_by === 'watermark' || row.closed_by === 'idle') listed.delete(windowKey(row))
    return [...listed.values()].map(({ tenant, device, metric, size, start }) => ({
      key: `${tenant}\n${device}\n${metric}`,
      size: WINDOW_SIZES_MS.findIndex((sizeMs) => sizeMs === size),
      start: Number(start),
    }))
  }

  async writeViews(path: string, manifest: Shown, folder: string): Promise<void> {
    await this.#disk.write(path, pack(manifest.segments.map((s) => join(folder, s.file))))
  }

  async letGo(keep: ReadonlySet<string>): Promise<void> {
    for (const file of this.#held.keys()) if (!keep.has(file)) this.#held.delete(file)
  }

  close(): void {
    this.#held.clear()
  }

  /** Merges the inputs of a job, read afresh. */
  async merge({ inputs, dropBeforeMs }: CompactionJob, path: string, signal?: AbortSignal): Promise<SegmentFacts> {
    const all = Object.fromEntries(TABLE_NAMES.map((table) => [table, []])) as unknown as Record<keyof SegmentTables, LakeRow[]>
    for (const segment of inputs) {
      signal?.throwIfAborted()
      const tables = await readSegment(this.#disk, join(segmentsDir(this.#lakeDir), segment.file))
      for (const table of TABLE_NAMES) for (const row of tables[table]) all[table].push(row)
    }
    const since = (column: string) => (row: LakeRow) => dropBeforeMs === null || Number(row[column]) >= dropBeforeMs
    signal?.throwIfAborted()
    const readings = all.readings.filter(since('ts'))
    const plain = Object.fromEntries(PLAIN_TABLES.map((table) => [table, all[table].filter(since(ageOf(table)))])) as Record<PlainTable, LakeRow[]>
    const windows = bySize(newestWindows(ofAllSizes(all).filter(since('start'))))
    return this.#writeFile(path, {
      readings,
      windows: [],
      ...windows,
      owned_windows: [...new Map(all.owned_windows.filter(since('start')).map((row) => [windowKey(row), row])).values()],
      ...plain,
      rejects: all.rejects.filter(since('received_at')),
      ledger: sumLedger(all.ledger),
      series: seriesOf(readings, { ...windows, anomalies: plain.anomalies }),
    })
  }

  /** It knows no SQL: the parts of every view are how many readings there are of each series, and their sum. */
  async parts({ segment, views }: PartsJob, path: string, signal?: AbortSignal): Promise<PartsFacts> {
    const { readings } = await readSegment(this.#disk, join(segmentsDir(this.#lakeDir), segment.file))
    signal?.throwIfAborted()
    const made = Object.fromEntries(views.map(({ tenant, view }) => [view.id, countsOf(readings.filter((row) => row.tenant === tenant))]))
    await this.#disk.write(path, pack(made))
    return { rows: Object.fromEntries(Object.entries(made).map(([id, of]) => [id, of.length])), failed: {} }
  }

  async #tables({ file }: Segment): Promise<SegmentTables> {
    const held = this.#held.get(file) ?? (await readSegment(this.#disk, join(segmentsDir(this.#lakeDir), file)))
    this.#held.set(file, held)
    return held
  }

  async #writeFile(path: string, tables: SegmentTables): Promise<SegmentFacts> {
    await this.#disk.write(path, packSegment(tables))
    const readings = tables.readings.map((row) => Number(row.ts))
    const both = [...readings, ...ofAllSizes(tables).map((row) => Number(row.start))]
    const least = (of: number[]) => (of.length === 0 ? null : of.reduce((a, b) => Math.min(a, b)))
    const greatest = (of: number[]) => (of.length === 0 ? null : of.reduce((a, b) => Math.max(a, b)))
    const rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, tables[table].length]))
    const tenants = new Set(TABLE_NAMES.flatMap((table) => tables[table].map((row) => String(row.tenant))))
    return { ...(tenants.size === 1 ? { tenant: [...tenants][0] } : {}), rows, tsMin: least(both), tsMax: greatest(both), readingsMin: least(readings), readingsMax: greatest(readings) }
  }
}

/** A shelf on `disk`, which the lake's writer must be given too. */
export function memoryShelf(disk: LockingDisk): ShelfPort {
  return {
    lock: (lakeDir, clock) => lock(disk, lakeDir, clock),
    open: async (lakeDir) => new MemoryShelf(disk, lakeDir),
    merge: (job, path, signal) => new MemoryShelf(disk, job.lakeDir).merge(job, path, signal),
    parts: (job, path, signal) => new MemoryShelf(disk, job.lakeDir).parts(job, path, signal),
  }
}

async function lock(disk: LockingDisk, lakeDir: string, clock: Clock): Promise<LakeLock> {
  await disk.makeFolder(lakeDir)
  const until = clock.monotonic() + STORE_LOCK_WAIT_MS
  for (;;) {
    const release = disk.lock(lakeDir)
    if (release !== null) return { release }
    if (clock.monotonic() >= until) throw lakeTaken(lakeDir, null)
    await clock.sleep(LOCK_RETRY_MS)
  }
}
