/** The lake of a test: what was committed, written into segments by plain SQL, so that nothing of the store's own writer is needed to read it. */

import { DuckDBInstance } from '@duckdb/node-api'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { rowsOf } from '../../../actors/partition/forecasts.ts'
import { WINDOW_SIZES_MS } from '../../../actors/reading/window.ts'
import { readNewestManifest, segmentsDir, writeManifest } from '../../../actors/store/manifest.ts'
import type { Covered, Manifest, Segment } from '../../../actors/store/manifest.ts'
import { duckdbShelf } from '../../../actors/store/duckdb-shelf.ts'
import { makeParts, partsFilesOf, viewsById } from '../../../actors/store/parts.ts'
import { TABLES, TABLE_NAMES, WINDOW_TABLES, columnsSql, literal } from '../../../actors/store/tables.ts'
import type { TableName } from '../../../actors/store/tables.ts'
import type { KeptViews } from '../../../actors/view/kept.ts'
import type { Committed } from './house-log.ts'
import { MINUTE, T0 } from './named-rows.ts'
import type { NamedWindow } from './named-rows.ts'

/** A window that is the store's own from then on. */
export type OwnedWindow = Pick<NamedWindow, 'device' | 'metric' | 'size' | 'start'>

export class HouseLake {
  readonly #dir: string
  readonly #resultsCreated: () => Promise<string>
  readonly #onManifest: (manifest: Manifest) => Promise<void>
  #segments = 0

  constructor(options: { dir: string; resultsCreated: () => Promise<string>; onManifest: (manifest: Manifest) => Promise<void> }) {
    this.#dir = options.dir
    this.#resultsCreated = options.resultsCreated
    this.#onManifest = options.onManifest
  }

  /**
   * Seals what was committed into one segment. Old rows that are in the lake already are dropped. The windows `owned` are
   * the store's own from then on.
   */
  async seal(committed: readonly Committed[], { owned = [] }: { owned?: readonly OwnedWindow[] } = {}): Promise<Manifest> {
    const before = await readNewestManifest(this.#dir)
    const file = `segment-${++this.#segments}.duckdb`
    const values = noRows()
    const times: number[] = []
    const covered: Record<string, Covered> = { ...before?.covered }
    const time = (ms: number) => `make_timestamp(${ms * 1000})`
    for (const w of owned) values.owned_windows.push(`('default', ${literal(w.device)}, ${literal(w.metric)}, to_minutes(${WINDOW_SIZES_MS[w.size] / MINUTE}), ${time(w.start)})`)
    const known = await this.#known(before)
    for (const c of committed) {
      covered[c.partition] = { input: c.position, resultsSeq: c.seq, accepted: c.accepted, pending: c.pending }
      for (const { message, fates } of c.messages) {
        const counts = { late: 0, duplicate: 0, expired: 0 }
        for (const [i, r] of message.rows.entries()) {
          const key = `${message.tenant} ${r.device} ${r.metric} ${r.ts} ${r.value}`
          if (fates?.duplicate.includes(i)) counts.duplicate++
          else if (fates?.expired.includes(i)) counts.expired++
          else if (fates?.old.includes(i) && known.has(key)) counts.duplicate++
          else {
            if (fates?.old.includes(i)) counts.late++
            known.add(key)
            times.push(r.ts)
            values.readings.push(`(${literal(message.tenant)}, ${literal(r.device)}, ${literal(r.metric)}, ${time(r.ts)}, '${r.value}'::DOUBLE, ${time(message.timeMs)})`)
          }
        }
        for (const [reason, reading] of message.samples ?? []) values.rejects.push(`(${literal(message.tenant)}, ${time(message.timeMs)}, ${literal(reason)}, ${literal(reading)})`)
        const { late, duplicate, expired } = counts
        const n = message.rows.length
        const device = message.rows[0]?.device ?? 'unknown'
        values.ledger.push(
          `(${literal(message.tenant)}, ${literal(device)}, ${time(Math.floor(message.timeMs / MINUTE) * MINUTE)}, ${n}, ${message.rejected}, ${n - late - duplicate - expired}, ${late}, ${duplicate}, ${expired})`,
        )
      }
      // Every third segment has windows as earlier versions wrote them.
      for (const w of c.windows) values[this.#segments % 3 === 0 ? 'windows' : WINDOW_TABLES[w.size]].push(windowSql(c.tenant, w, c.seq, time, this.#segments % 3 === 0))
      times.push(...c.windows.map((w) => w.start))
      for (const a of c.anomalies) {
        values.anomalies.push(`(${literal(c.tenant)}, ${literal(a.device)}, ${literal(a.metric)}, ${time(a.ts)}, ${a.value}, ${a.score}, ${a.expected}, ${a.lower}, ${a.upper}, ${literal(a.reason)}, ${a.kind === undefined ? 'NULL, NULL' : `${literal(a.kind)}, ${literal(a.part ?? '')}`})`)
      }
      for (const f of c.forecasts) {
        for (const row of rowsOf({ ...f, series: 0 })) {
          const numbers = [row.lower80, row.upper80, row.coverage, row.error].map((n) => (Number.isNaN(n) ? 'NULL' : `${n}`))
          values.forecasts.push(`(${literal(c.tenant)}, ${literal(f.device)}, ${literal(f.metric)}, ${time(row.madeAt)}, ${time(row.ts)}, ${row.mean}, ${row.lower}, ${row.upper}, ${literal(row.model)}, ${numbers.join(', ')})`)
        }
      }
      for (const f of c.feedback) values.feedback.push(`(${literal(c.tenant)}, ${literal(f.device)}, ${literal(f.metric)}, ${time(f.ts)}, ${f.value}, ${f.useful}, ${f.factor}, ${time(T0 + c.seq)})`)
      for (const d of c.drivers) values.drivers.push(`(${literal(c.tenant)}, ${literal(d.device)}, ${literal(d.metric)}, ${time(d.at)}, ${literal(d.driverDevice)}, ${literal(d.driverMetric)}, ${[...d.effects, ...d.errors, d.gain, d.hours].join(', ')})`)
      for (const a of c.alerts) values.alerts.push(`(${[c.tenant, a.device, a.metric].map(literal).join(', ')}, ${time(a.at)}, ${Number.isNaN(a.value) ? 'NULL' : a.value}, ${a.number}, ${[a.id, a.rule, a.severity, a.event, a.message].map(literal).join(', ')}, ${a.by === null ? 'NULL' : literal(a.by)})`)
      for (const p of c.profiles) values.profiles.push(`(${literal(c.tenant)}, ${literal(p.device)}, ${literal(p.metric)}, ${time(p.day)}, ${p.level}, ${p.amplitude}, ${p.cluster < 0 ? 'NULL' : p.cluster}, ${Number.isNaN(p.distance) ? 'NULL' : p.distance})`)
    }
    return this.#publish(before, covered, [await this.#write(file, values, times, 0)])
  }

  /** Writes a window's row as the store does for a window that it owns: later versions win, and are the store's. */
  async sealWindow(row: NamedWindow, version: number): Promise<Manifest> {
    const before = await readNewestManifest(this.#dir)
    const values = noRows()
    values[WINDOW_TABLES[row.size]].push(windowSql('default', row, version, (ms) => `make_timestamp(${ms * 1000})`))
    return this.#publish(before, before?.covered ?? {}, [await this.#write(`segment-${++this.#segments}.duckdb`, values, [row.start], 0)])
  }

  /** Seals `n` readings of value −5 straight into the lake, as no log could in the time of a test. */
  async fillSeries(device: string, from: number, n: number, stepMs: number): Promise<Manifest> {
    const before = (await readNewestManifest(this.#dir))!
    const values = noRows()
    const select = `SELECT 'default', ${literal(device)}, 'm', make_timestamp((${from} + i * ${stepMs}) * 1000), -5, make_timestamp(${from * 1000}) FROM range(${n}) t(i)`
    const segment = await this.#write(`segment-${++this.#segments}.duckdb`, values, [from, from + n * stepMs], 0, select)
    return this.#publish(before, before.covered, [{ ...segment, rows: { ...segment.rows, readings: n } }])
  }

  /** Replaces all segments by one that holds the readings that `keep` (SQL) lets pass, as compaction and retention do. */
  async rewrite(keep = 'true'): Promise<Manifest> {
    const before = (await readNewestManifest(this.#dir))!
    const file = `segment-${++this.#segments}.duckdb`
    const instance = await DuckDBInstance.create(join(segmentsDir(this.#dir), file))
    const connection = await instance.connect()
    const rows: Record<string, number> = {}
    for (const table of TABLE_NAMES) {
      await connection.run(`CREATE TABLE ${table} (${columnsSql(table)})`)
      for (const [i, segment] of before.segments.entries()) {
        await connection.run(`ATTACH IF NOT EXISTS ${literal(join(segmentsDir(this.#dir), segment.file))} AS a${i} (READ_ONLY)`)
        await connection.run(`INSERT INTO ${table} SELECT * FROM a${i}.main.${table} ${table === 'readings' ? `WHERE ${keep}` : ''}`)
      }
      rows[table] = Number((await connection.runAndReadAll(`SELECT count(*)::DOUBLE FROM ${table}`)).getRows()[0][0])
    }
    connection.closeSync()
    instance.closeSync()
    const ranged = before.segments.filter((s) => s.tsMin !== null)
    const segment: Segment = {
      file, level: 1, sealedFrom: 0, sealedTo: 0, bytes: (await stat(join(segmentsDir(this.#dir), file))).size, rows,
      tsMin: Math.min(...ranged.map((s) => s.tsMin!)), tsMax: Math.max(...ranged.map((s) => s.tsMax!)), readingsMin: null, readingsMax: null,
    }
    return this.#publish({ ...before, segments: [] }, before.covered, [segment])
  }

  /** Makes the parts of views of some segments, as the store does. */
  async keep(views: KeptViews, of: (segment: Segment, i: number) => boolean = () => true): Promise<Manifest> {
    const before = (await readNewestManifest(this.#dir))!
    const segments: Segment[] = []
    for (const [i, segment] of before.segments.entries()) {
      const missing = of(segment, i) ? [...viewsById(views).values()].filter(({ view }) => partsFilesOf(segment, view.id) === null) : []
      const job = { lakeDir: this.#dir, file: `parts-${i}-${before.version}.duckdb`, segment, views: missing }
      segments.push(missing.length === 0 ? segment : { ...segment, ...(await makeParts(job, { shelf: duckdbShelf })) })
    }
    return this.#publish({ ...before, segments }, before.covered, [])
  }

  async #known(manifest: Manifest | null): Promise<Set<string>> {
    const known = new Set<string>()
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    for (const [i, segment] of (manifest?.segments ?? []).entries()) {
      await connection.run(`ATTACH ${literal(join(segmentsDir(this.#dir), segment.file))} AS a${i} (READ_ONLY)`)
      const reader = await connection.runAndReadAll(`SELECT tenant, device, metric, epoch_ms(ts)::DOUBLE, value FROM a${i}.main.readings`)
      for (const row of reader.getRows()) known.add(row.join(' '))
    }
    connection.closeSync()
    instance.closeSync()
    return known
  }

  async #write(file: string, values: Record<TableName, string[]>, times: number[], level: number, readings?: string): Promise<Segment> {
    const path = join(segmentsDir(this.#dir), file)
    const instance = await DuckDBInstance.create(path)
    const connection = await instance.connect()
    for (const table of TABLE_NAMES) {
      await connection.run(`CREATE TABLE ${table} (${columnsSql(table)})`)
      if (values[table].length > 0) await connection.run(`INSERT INTO ${table} (${TABLES[table].map(([n]) => `"${n}"`).join(', ')}) VALUES ${values[table].join(', ')}`)
    }
    if (readings !== undefined) await connection.run(`INSERT INTO readings ${readings}`)
    connection.closeSync()
    instance.closeSync()
    const [tsMin, tsMax] = times.length === 0 ? [null, null] : [Math.min(...times), Math.max(...times)]
    const rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, values[table].length]))
    return { file, level, sealedFrom: 0, sealedTo: 0, bytes: (await stat(path)).size, rows, tsMin, tsMax, readingsMin: null, readingsMax: null }
  }

  async #publish(before: Manifest | null, covered: Record<string, Covered>, added: Segment[]): Promise<Manifest> {
    const manifest: Manifest = {
      format: 1, version: (before?.version ?? 0) + 1, madeAt: 0, resultsCreated: await this.#resultsCreated(), resultsBase: 0,
      resultsFrom: 1, inputFrom: {}, settleUntil: null, covered, segments: [...(before?.segments ?? []), ...added], superseded: [],
    }
    await writeManifest(this.#dir, manifest)
    await this.#onManifest(manifest)
    return manifest
  }
}

const noRows = () => Object.fromEntries(TABLE_NAMES.map((table) => [table, [] as string[]])) as Record<TableName, string[]>

function windowSql(tenant: string, w: NamedWindow, version: number, time: (ms: number) => string, sized = false): string {
  const minutes = WINDOW_SIZES_MS[w.size] / MINUTE
  const numbers = [w.count, w.sum, w.min, w.max, w.sum / w.count, Number.isNaN(w.stddev) ? 'NULL' : w.stddev, w.first, w.last, w.p50, w.p95, w.p99]
  return `(${literal(tenant)}, ${literal(w.device)}, ${literal(w.metric)}, ${sized ? `to_minutes(${minutes}), ` : ''}${time(w.start)}, ${numbers.join(', ')}, ${literal(w.closedBy)}, ${time(0)}, ${version})`
}

