/**
 * The shelf of DuckDB: one instance in memory, the lake's segments attached to it.
 *
 * Owns the statements by which a seal is looked up, computed and shown. Leaves the files of seals and merges to duckdb-segment.ts and
 * duckdb-merge.ts, and the instance to database.ts. Series are named by rank until the very last step, which joins the names in.
 */

import { WINDOW_SIZES_MS } from '../reading/window.ts'
import { lakeViews } from './catalog.ts'
import type { Shown } from './catalog.ts'
import { LakeDatabase } from './database.ts'
import type { StagedColumn } from './database.ts'
import { mergeSegments } from './duckdb-merge.ts'
import { writeParts } from './duckdb-parts.ts'
import { writeSeal } from './duckdb-segment.ts'
import { lockLake } from './lock.ts'
import type { Segment } from './manifest.ts'
import type { DirtyWindow } from './recompute.ts'
import type { Candidates, OwnedRow, SealContent, SealedReadings, SegmentFacts, Shelf, ShelfPort } from './shelf.ts'
import { fillSql, readSql } from './sql.ts'
import { literal, timestampSql } from './tables.ts'

const SETTLE = readSql('settle')
const RECOMPUTE = readSql('recompute')
const READING = 'tenant, device, metric, ts, value'

class DuckDbShelf implements Shelf {
  #db: LakeDatabase
  #names = 0
  #readings = 0
  #computed = false
  #catalogs = 0

  constructor(db: LakeDatabase) {
    this.#db = db
  }

  async begin(keys: readonly string[]): Promise<void> {
    this.#names = keys.length
    this.#readings = 0
    this.#computed = false
    const tenant: string[] = new Array(keys.length)
    const device: string[] = new Array(keys.length)
    const metric: string[] = new Array(keys.length)
    for (let i = 0; i < keys.length; i++) [tenant[i], device[i], metric[i]] = keys[i].split('\n')
    const columns: StagedColumn[] = [
      { name: 'id', kind: 'int', data: Int32Array.from(keys, (_, i) => i) },
      { name: 'tenant', kind: 'text', data: tenant },
      { name: 'device', kind: 'text', data: device },
      { name: 'metric', kind: 'text', data: metric },
    ]
    await this.#db.stage('names', columns, keys.length)
  }

  async known({ n, series, ts, value }: Candidates, segments: readonly Segment[]): Promise<ReadonlySet<number>> {
    const lake = await this.#db.relation('readings', segments, READING)
    if (lake === null) return new Set()
    const columns: StagedColumn[] = [
      { name: 'n', kind: 'int', data: n },
      { name: 'series', kind: 'int', data: series },
      { name: 'ts', kind: 'time', data: ts },
      { name: 'value', kind: 'double', data: value },
    ]
    await this.#db.stage('candidates', columns, n.length)
    const times = ts.slice().sort()
    const found = await this.#db.rows(fillSql(SETTLE, { lake, from: timestampSql(times[0]), to: timestampSql(times[times.length - 1]) }))
    return new Set(found.map(([of]) => Number(of)))
  }

  async stage({ rows, series, ts, value, receivedAt }: SealedReadings): Promise<void> {
    this.#readings = rows
    const columns: StagedColumn[] = [
      { name: 'series', kind: 'int', data: series },
      { name: 'ts', kind: 'time', data: ts },
      { name: 'value', kind: 'double', data: value },
      { name: 'received_at', kind: 'time', data: receivedAt },
    ]
    await this.#db.stage('sealed', columns, rows)
  }

  /** Computes into the table `recomputed`. */
  async compute(windows: readonly DirtyWindow[], { reached, last }: { reached: readonly (readonly Segment[])[]; last: boolean }): Promise<ReadonlyMap<number, number>> {
    this.#computed = true
    const column = (pick: (w: DirtyWindow) => number) => Float64Array.from(windows, pick)
    await this.#db.stage(
      'dirty',
      [
        { name: 'k', kind: 'int', data: Int32Array.from(windows, (_, k) => k) },
        { name: 'series', kind: 'int', data: Int32Array.from(windows, (w) => w.series) },
        { name: 'size', kind: 'int', data: Int32Array.from(windows, (w) => w.size) },
        { name: 'bucket', kind: 'whole', data: column((w) => w.start / WINDOW_SIZES_MS[w.size]) },
        { name: 'start', kind: 'time', data: column((w) => w.start) },
        { name: 'closed_by', kind: 'int', data: Int32Array.from(windows, (w) => w.closedBy) },
        { name: 'version', kind: 'double', data: column((w) => w.version) },
        { name: 'updated_at', kind: 'time', data: column((w) => w.updatedAt) },
      ],
      windows.length,
    )
    const matched: string[] = []
    for (const [size, sizeMs] of WINDOW_SIZES_MS.entries()) {
      const starts = Float64Array.from(windows.filter((w) => w.size === size), (w) => w.start).sort()
      if (starts.length === 0) continue
      const bucket = `epoch_ms(r.ts) // ${sizeMs}`
      matched.push(`SELECT d.k, r.ts, r.value FROM memory.main.sealed r JOIN memory.main.dirty d ON d.size = ${size} AND d.series = r.series AND d.bucket = ${bucket}`)
      const lake = await this.#db.relation('readings', reached[size], READING)
      if (lake === null) continue
      matched.push(
        `SELECT d.k, r.ts, r.value FROM ${lake} r JOIN (SELECT d.k, d.bucket, n.tenant, n.device, n.metric FROM memory.main.dirty d JOIN memory.main.names n ON n.id = d.series WHERE d.size = ${size}) d ` +
          `ON r.device = d.device AND r.metric = d.metric AND r.tenant = d.tenant AND d.bucket = ${bucket} ` +
          `WHERE r.ts >= ${timestampSql(starts[0])} AND r.ts < ${timestampSql(starts[starts.length - 1] + sizeMs)}`,
      )
    }
    await this.#db.run(fillSql(RECOMPUTE, { matched: matched.join('\nUNION ALL\n') }))
    if (!last) return new Map()
    const rows = await this.#db.rows('SELECT k, epoch_ms(last_ts)::DOUBLE FROM memory.main.recomputed')
    return new Map(rows.map(([k, ts]) => [Number(k), Number(ts)]))
  }

  write(path: string, content: SealContent): Promise<SegmentFacts> {
    return writeSeal(this.#db, path, { ...content, names: this.#names, readings: this.#readings, computed: this.#computed })
  }

  async owned(segments: readonly Segment[]): Promise<OwnedRow[]> {
    const listed = await this.#db.relation('owned_windows', segments, '*')
    if (listed === null) return []
    const windows = await this.#db.relation('windows', segments, 'tenant, device, metric, size, start, closed_by, version')
    const keys = 'tenant, device, metric, size, start'
    const closed =
      windows === null
        ? ''
        : `ANTI JOIN (SELECT ${keys} FROM (SELECT w.* FROM ${windows} w SEMI JOIN ${listed} o USING (${keys})) GROUP BY ALL HAVING arg_max(closed_by, version) IN ('watermark', 'idle')) c USING (${keys})`
    const rows = await this.#db.rows(`SELECT DISTINCT tenant || chr(10) || device || chr(10) || metric, epoch_ms(size)::DOUBLE, epoch_ms(start)::DOUBLE FROM ${listed} o ${closed}`)
    return rows.flatMap(([key, sizeMs, start]) => {
      const size = WINDOW_SIZES_MS.indexOf(Number(sizeMs) as (typeof WINDOW_SIZES_MS)[number])
      return size < 0 ? [] : [{ key: String(key), size, start: Number(start) }]
    })
  }

  async writeViews(path: string, manifest: Shown, folder: string): Promise<void> {
    const alias = `catalog${++this.#catalogs}`
    await this.#db.run(`ATTACH ${literal(path)} AS ${alias} (BLOCK_SIZE 16384)`)
    try {
      await this.#db.run(lakeViews(manifest, { create: `CREATE VIEW ${alias}.main.`, path: (file) => `${folder}/${file}` }))
    } finally {
      await this.#db.run(`DETACH ${alias}`)
    }
  }

  letGo(keep: ReadonlySet<string>): Promise<void> {
    return this.#db.detachAllBut(keep)
  }

  close(): void {
    this.#db.close()
  }
}

/** DuckDB goes to the machine's own files by itself: it serves no other disk. */
export const duckdbShelf: ShelfPort = {
  lock: (lakeDir, clock) => lockLake(lakeDir, clock),
  open: async (lakeDir, options) => new DuckDbShelf(await LakeDatabase.open(lakeDir, options)),
  merge: mergeSegments,
  parts: writeParts,
}
