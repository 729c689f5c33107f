/**
 * A small house for tests of analytics: a log in memory, a lake in a temporary folder, and hands to post, to commit and to seal,
 * so that a test decides what is read, what is committed and what is sealed.
 */

import { DuckDBInstance } from '@duckdb/node-api'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAnalytics } from '../../../actors/analytics/start.ts'
import type { Analytics } from '../../../actors/analytics/start.ts'
import type { MemberView } from '../../../actors/analytics/data/status.ts'
import { EffectsBuilder } from '../../../actors/partition/effects.ts'
import type { AnomalyRow, BlockFates, DriverRow, FeedbackRow, ProfileRow, WindowRow } from '../../../actors/partition/effects.ts'
import { rowsOf } from '../../../actors/partition/forecasts.ts'
import type { Forecast } from '../../../actors/partition/forecasts.ts'
import { encodeBlock, encodeRejects } from '../../../actors/reading/input.ts'
import type { Reading } from '../../../actors/reading/input.ts'
import { WINDOW_SIZES_MS } from '../../../actors/reading/window.ts'
import { makeLake, readNewestManifest, segmentsDir, writeManifest } from '../../../actors/store/manifest.ts'
import type { Covered, Manifest, Segment } from '../../../actors/store/manifest.ts'
import { TABLES, TABLE_NAMES, WINDOW_TABLES, columnsSql, literal } from '../../../actors/store/tables.ts'
import type { TableName } from '../../../actors/store/tables.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { encodeJournal } from '../../../runtime/journal.ts'
import type { Position } from '../../../runtime/journal.ts'
import { Keyring } from '../../../runtime/keys.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { Connection } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/telemetry.ts'
import type { Metrics } from '../../../runtime/telemetry.ts'
import { BUCKET_KEYS, RESULTS, inputStream, inputStreams, inputSubject, partitionFor, resultsSubject, topologyOf } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'

export const T0 = Date.UTC(2026, 0, 1)
export const MINUTE = 60_000

const quiet = { info: () => {}, warn: () => {}, error: (fields: object, message: string) => console.error(message, fields) }

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never came true: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export type NamedWindow = Omit<WindowRow, 'series'> & { device: string; metric: string }
export type NamedForecast = Omit<Forecast, 'series'> & { device: string; metric: string }
export type NamedFeedback = Omit<FeedbackRow, 'series'> & { device: string; metric: string }
export type NamedProfile = Omit<ProfileRow, 'series'> & { device: string; metric: string }
export type NamedDriver = Omit<DriverRow, 'series'> & { device: string; metric: string }
export type NamedAnomaly = Omit<AnomalyRow, 'series'> & { device: string; metric: string }

/** A forecast of some hours: the mean climbs by one an hour from `from`, its bounds are 2 and 1 away. */
export function forecastRow(device: string, madeAt: number, steps: number, from: number, options: Partial<NamedForecast> = {}): NamedForecast {
  const column = (by: number) => Float64Array.from({ length: steps }, (_, i) => from + i + by)
  return { device, metric: 'm', madeAt, steps, mean: column(0), lower: column(-2), upper: column(2), lower80: column(-1), upper80: column(1), model: 'theta', coverage: NaN, error: NaN, ...options }
}

/** A window's row with plain numbers. */
export function windowRow(device: string, start: number, values: number[], options: Partial<NamedWindow> = {}): NamedWindow {
  const sorted = [...values].sort((a, b) => a - b)
  const sum = values.reduce((a, b) => a + b, 0)
  const at = (q: number) => sorted[Math.ceil(q * sorted.length) - 1]
  const mean = sum / values.length
  const variance = values.reduce((a, v) => a + (v - mean) ** 2, 0) / (values.length - 1)
  return {
    device, metric: 'm', size: 0, start, count: values.length, sum, min: sorted[0], max: sorted.at(-1)!, stddev: values.length > 1 ? Math.sqrt(variance) : NaN,
    first: values[0], last: values.at(-1)!, p50: at(0.5), p95: at(0.95), p99: at(0.99), closedBy: 'watermark', ...options,
  }
}

interface Message {
  seq: number
  timeMs: number
  tenant: string
  rows: Reading[]
  rejected: number
  samples?: [reason: string, reading: string][]
}

interface Committed {
  partition: number
  /** Of the windows and anomalies. */
  tenant: string
  seq: number
  messages: { message: Message; fates: BlockFates | null }[]
  windows: NamedWindow[]
  anomalies: NamedAnomaly[]
  forecasts: NamedForecast[]
  feedback: NamedFeedback[]
  profiles: NamedProfile[]
  drivers: NamedDriver[]
  position: { created: string; seq: number; timeMs: number }
  accepted: number
  pending: number
}

export class House {
  topology: Topology = topologyOf(4)
  readonly world = new MemoryWorld({ clock: systemClock })
  readonly connection: Connection = this.world.connect()
  readonly keys: Record<string, string> = {}
  members: MemberView[] = []
  dir = ''
  analytics!: Analytics
  metrics!: Metrics
  keyring!: Keyring
  #waiting = new Map<number, Message[]>()
  #committed: Committed[] = []
  #accepted = new Map<number, number>()
  #position = new Map<number, Position>()
  #last = new Map<number, number>()
  #segments = 0
  #freshRowsMax: number | undefined
  #sql: { memoryMiB?: number; rssMaxMiB?: number } | undefined

  /** Four partitions, in as many streams unless `streams` says fewer. */
  static async open(options: { freshRowsMax?: number; streams?: number; sql?: { memoryMiB?: number; rssMaxMiB?: number } } = {}): Promise<House> {
    const house = new House()
    house.#freshRowsMax = options.freshRowsMax
    house.#sql = options.sql
    house.topology = { ...house.topology, streams: options.streams ?? house.topology.streams }
    house.dir = await mkdtemp(join(tmpdir(), 'weir-analytics-'))
    const { log } = house.connection
    for (const name of inputStreams(house.topology)) {
      const subjects = [0, 1, 2, 3].filter((partition) => inputStream(house.topology, partition) === name).map(inputSubject)
      await log.ensureStream({ name, subjects, replicas: 1, bytesMax: -1 })
    }
    await log.ensureStream({ name: RESULTS, subjects: ['results.*'], replicas: 1, bytesMax: -1 })
    house.keyring = await Keyring.open(await house.connection.kv(BUCKET_KEYS), systemClock)
    for (const tenant of ['default', 'other']) {
      for (const role of ['analyst', 'device'] as const) house.keys[`${tenant} ${role}`] = (await house.keyring.create({ tenant, role })).secret
    }
    await makeLake(join(house.dir, 'lake'))
    await house.start()
    return house
  }

  async start(): Promise<void> {
    this.metrics = createMetrics({ process: false })
    this.analytics = await startAnalytics({
      connection: this.connection,
      topology: this.topology,
      dataDir: this.dir,
      keyring: this.keyring,
      membership: { view: (role) => this.members.filter((member) => member.role === role) },
      clock: systemClock,
      logger: quiet,
      metrics: this.metrics,
      freshRowsMax: this.#freshRowsMax,
      sql: this.#sql,
    })
    await until('the tail has caught up', () => this.analytics.ready() === true)
  }

  async restart(): Promise<void> {
    await this.analytics.stop()
    await this.start()
  }

  async close(): Promise<void> {
    await this.analytics.stop()
    this.keyring.close()
    await this.connection.close()
    await rm(this.dir, { recursive: true, force: true })
  }

  /** Readings into the log, one block a partition. */
  async post(rows: readonly { device: string; metric?: string; ts: number; value: number }[], tenant = 'default'): Promise<void> {
    const byPartition = Map.groupBy(rows, (row) => partitionFor(this.topology, tenant, row.device))
    for (const [partition, part] of byPartition) {
      const readings = part.map((row) => ({ metric: 'm', ...row }))
      const devices = [...new Set(readings.map((r) => r.device))]
      const metrics = [...new Set(readings.map((r) => r.metric))]
      const series = [...new Set(readings.map((r) => `${r.device} ${r.metric}`))]
      const data = encodeBlock({
        tenant,
        devices,
        metrics,
        seriesDevice: Uint16Array.from(series, (s) => devices.indexOf(s.split(' ')[0])),
        seriesMetric: Uint16Array.from(series, (s) => metrics.indexOf(s.split(' ')[1])),
        row: Uint16Array.from(readings, (r) => series.indexOf(`${r.device} ${r.metric}`)),
        ts: Float64Array.from(readings, (r) => r.ts),
        value: Float64Array.from(readings, (r) => r.value),
        keyed: [],
      })
      const { seq } = await this.connection.log.publish(inputSubject(partition), data)
      await this.#hang(partition, { seq, tenant, rows: readings, rejected: 0 })
    }
  }

  async reject(device: string, count: number, tenant = 'default', samples: [reason: string, reading: string][] = []): Promise<void> {
    const partition = partitionFor(this.topology, tenant, device)
    const { seq } = await this.connection.log.publish(inputSubject(partition), encodeRejects({ tenant, counts: [[device, count]], samples }))
    await this.#hang(partition, { seq, tenant, rows: [], rejected: count, samples })
  }

  async #hang(partition: number, message: Omit<Message, 'timeMs'>): Promise<void> {
    const stored = await this.connection.log.at(inputStream(this.topology, partition), message.seq)
    this.#waiting.set(partition, [...(this.#waiting.get(partition) ?? []), { ...message, timeMs: stored!.timeMs }])
  }

  /** Commits all that waits. `fates` names rows by their value; the partitions `empty` commit although they have nothing to say. */
  async commit(
    options: { fates?: Partial<Record<'duplicate' | 'expired' | 'old', number[]>>; windows?: NamedWindow[]; anomalies?: NamedAnomaly[]; forecasts?: NamedForecast[]; feedback?: NamedFeedback[]; profiles?: NamedProfile[]; drivers?: NamedDriver[]; pending?: number; tenant?: string; awaited?: boolean; empty?: number[] } = {},
  ): Promise<void> {
    const { fates = {}, windows = [], anomalies = [], forecasts = [], feedback = [], profiles = [], drivers = [], pending = 0, tenant = 'default', awaited = true, empty = [] } = options
    const touched = new Set([...empty, ...this.#waiting.keys(), ...[...windows, ...anomalies, ...forecasts, ...feedback, ...profiles, ...drivers].map((w) => partitionFor(this.topology, tenant, w.device))])
    for (const partition of touched) {
      const messages = this.#waiting.get(partition) ?? []
      this.#waiting.delete(partition)
      const builder = new EffectsBuilder()
      const seriesOf = (row: { device: string; metric: string }) => builder.addSeries({ tenant, device: row.device, metric: row.metric })
      const mine = (row: { device: string }) => partitionFor(this.topology, tenant, row.device) === partition
      for (const window of windows.filter(mine)) builder.addWindow({ ...window, series: seriesOf(window) })
      for (const anomaly of anomalies.filter(mine)) builder.anomalies.push({ ...anomaly, series: seriesOf(anomaly) })
      for (const forecast of forecasts.filter(mine)) builder.forecasts.add({ ...forecast, series: seriesOf(forecast) })
      for (const answer of feedback.filter(mine)) builder.feedback.push({ ...answer, series: seriesOf(answer) })
      for (const profile of profiles.filter(mine)) builder.profiles.push({ ...profile, series: seriesOf(profile) })
      for (const driver of drivers.filter(mine)) builder.drivers.push({ ...driver, series: seriesOf(driver) })
      const covered: Committed['messages'] = []
      for (const message of messages) {
        const rowsOf = (values: number[] = []) => Uint32Array.from(message.rows.flatMap((row, i) => (values.includes(row.value) ? [i] : [])))
        const old = rowsOf(fates.old)
        const of = { seq: message.seq, duplicate: rowsOf(fates.duplicate), expired: rowsOf(fates.expired), old, closedUntil: new Float64Array(old.length) }
        const any = of.duplicate.length + of.expired.length + of.old.length > 0
        if (any) builder.fates.push(of)
        covered.push({ message, fates: any ? of : null })
      }
      const accepted = (this.#accepted.get(partition) ?? 0) + messages.reduce((sum, m) => sum + m.rows.length, 0)
      this.#accepted.set(partition, accepted)
      const info = await this.connection.log.info(inputStream(this.topology, partition))
      const newest = messages.at(-1)
      const position = newest ? { created: info.created, seq: newest.seq, timeMs: newest.timeMs } : (this.#position.get(partition) ?? { created: info.created, seq: 0, timeMs: 0 })
      this.#position.set(partition, position)
      const header = { kind: 'commit' as const, partition, epoch: 1, owner: 'worker-1', nonce: 'n', position, snapshots: [], part: 0 }
      const { seq } = await this.connection.log.publish(resultsSubject(partition), encodeJournal(header, builder.encode({ accepted, pending, logTimeMs: systemClock.now() })))
      this.#last.set(partition, seq)
      this.#committed.push({
        partition, tenant, seq, messages: covered, position, accepted, pending,
        windows: windows.filter(mine), anomalies: anomalies.filter(mine), forecasts: forecasts.filter(mine), feedback: feedback.filter(mine), profiles: profiles.filter(mine), drivers: drivers.filter(mine),
      })
    }
    if (awaited) await until('the tail has the commits', () => [...this.#last].every(([p, seq]) => this.analytics.tail.partitions[p].resultsSeq >= seq))
  }

  /**
   * Seals all that is committed into one segment, and tells analytics. Old rows that are in the lake already are dropped. The windows `owned` are
   * the store's own from then on.
   */
  async seal({ owned = [] }: { owned?: Pick<NamedWindow, 'device' | 'metric' | 'size' | 'start'>[] } = {}): Promise<Manifest> {
    const lakeDir = join(this.dir, 'lake')
    const before = await readNewestManifest(lakeDir)
    const file = `segment-${++this.#segments}.duckdb`
    const values = noRows()
    const times: number[] = []
    const covered: Record<string, Covered> = { ...before?.covered }
    const time = (ms: number) => `make_timestamp(${ms * 1000})`
    for (const w of owned) values.owned_windows.push(`('default', ${literal(w.device)}, ${literal(w.metric)}, to_minutes(${WINDOW_SIZES_MS[w.size] / MINUTE}), ${time(w.start)})`)
    const known = await this.#known(before)
    for (const c of this.#committed) {
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
      for (const p of c.profiles) values.profiles.push(`(${literal(c.tenant)}, ${literal(p.device)}, ${literal(p.metric)}, ${time(p.day)}, ${p.level}, ${p.amplitude}, ${p.cluster < 0 ? 'NULL' : p.cluster}, ${Number.isNaN(p.distance) ? 'NULL' : p.distance})`)
    }
    this.#committed = []
    return this.#publish(before, covered, [await this.#write(file, values, times, 0)])
  }

  /** Writes a window's row as the store does for a window that it owns: later versions win, and are the store's. */
  async sealWindow(row: NamedWindow, version: number): Promise<Manifest> {
    const before = await readNewestManifest(join(this.dir, 'lake'))
    const values = noRows()
    values[WINDOW_TABLES[row.size]].push(windowSql('default', row, version, (ms) => `make_timestamp(${ms * 1000})`))
    return this.#publish(before, before?.covered ?? {}, [await this.#write(`segment-${++this.#segments}.duckdb`, values, [row.start], 0)])
  }

  /** Seals `n` readings of value −5 straight into the lake, as no log could in the time of a test. */
  async fillSeries(device: string, from: number, n: number, stepMs: number): Promise<Manifest> {
    const lakeDir = join(this.dir, 'lake')
    const before = (await readNewestManifest(lakeDir))!
    const values = noRows()
    const select = `SELECT 'default', ${literal(device)}, 'm', make_timestamp((${from} + i * ${stepMs}) * 1000), -5, make_timestamp(${from * 1000}) FROM range(${n}) t(i)`
    const segment = await this.#write(`segment-${++this.#segments}.duckdb`, values, [from, from + n * stepMs], 0, select)
    return this.#publish(before, before.covered, [{ ...segment, rows: { ...segment.rows, readings: n } }])
  }

  /** Replaces all segments by one that holds the readings that `keep` (SQL) lets pass, as compaction and retention do. */
  async rewrite(keep = 'true'): Promise<Manifest> {
    const lakeDir = join(this.dir, 'lake')
    const before = (await readNewestManifest(lakeDir))!
    const file = `segment-${++this.#segments}.duckdb`
    const instance = await DuckDBInstance.create(join(segmentsDir(lakeDir), file))
    const connection = await instance.connect()
    const rows: Record<string, number> = {}
    for (const table of TABLE_NAMES) {
      await connection.run(`CREATE TABLE ${table} (${columnsSql(table)})`)
      for (const [i, segment] of before.segments.entries()) {
        await connection.run(`ATTACH IF NOT EXISTS ${literal(join(segmentsDir(lakeDir), segment.file))} AS a${i} (READ_ONLY)`)
        await connection.run(`INSERT INTO ${table} SELECT * FROM a${i}.main.${table} ${table === 'readings' ? `WHERE ${keep}` : ''}`)
      }
      rows[table] = Number((await connection.runAndReadAll(`SELECT count(*)::DOUBLE FROM ${table}`)).getRows()[0][0])
    }
    connection.closeSync()
    instance.closeSync()
    const ranged = before.segments.filter((s) => s.tsMin !== null)
    const segment: Segment = {
      file, level: 1, sealedFrom: 0, sealedTo: 0, bytes: (await stat(join(segmentsDir(lakeDir), file))).size, rows,
      tsMin: Math.min(...ranged.map((s) => s.tsMin!)), tsMax: Math.max(...ranged.map((s) => s.tsMax!)), readingsMin: null, readingsMax: null,
    }
    return this.#publish({ ...before, segments: [] }, before.covered, [segment])
  }

  async #known(manifest: Manifest | null): Promise<Set<string>> {
    const known = new Set<string>()
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    for (const [i, segment] of (manifest?.segments ?? []).entries()) {
      await connection.run(`ATTACH ${literal(join(segmentsDir(join(this.dir, 'lake')), segment.file))} AS a${i} (READ_ONLY)`)
      const reader = await connection.runAndReadAll(`SELECT tenant, device, metric, epoch_ms(ts)::DOUBLE, value FROM a${i}.main.readings`)
      for (const row of reader.getRows()) known.add(row.join(' '))
    }
    connection.closeSync()
    instance.closeSync()
    return known
  }

  async #write(file: string, values: Record<TableName, string[]>, times: number[], level: number, readings?: string): Promise<Segment> {
    const path = join(segmentsDir(join(this.dir, 'lake')), file)
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
    const lakeDir = join(this.dir, 'lake')
    const manifest: Manifest = {
      format: 1, version: (before?.version ?? 0) + 1, madeAt: 0, resultsCreated: (await this.connection.log.info(RESULTS)).created, resultsBase: 0,
      resultsFrom: 1, inputFrom: {}, settleUntil: null, covered, segments: [...(before?.segments ?? []), ...added], superseded: [],
    }
    await writeManifest(lakeDir, manifest)
    await this.analytics.onManifest(manifest)
    return manifest
  }

  async get(path: string, options: { key?: string; headers?: Record<string, string> } = {}): Promise<Response> {
    const { key = this.keys['default analyst'], headers = {} } = options
    return this.analytics.app.request(path, { headers: { ...(key === '' ? {} : { authorization: `Bearer ${key}` }), ...headers } })
  }

  async json(path: string, options: { key?: string } = {}): Promise<any> {
    const answer = await this.get(path, options)
    const body = await answer.json()
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(body)}`)
    return body
  }
}

const noRows = () => Object.fromEntries(TABLE_NAMES.map((table) => [table, [] as string[]])) as Record<TableName, string[]>

function windowSql(tenant: string, w: NamedWindow, version: number, time: (ms: number) => string, sized = false): string {
  const minutes = WINDOW_SIZES_MS[w.size] / MINUTE
  const numbers = [w.count, w.sum, w.min, w.max, w.sum / w.count, Number.isNaN(w.stddev) ? 'NULL' : w.stddev, w.first, w.last, w.p50, w.p95, w.p99]
  return `(${literal(tenant)}, ${literal(w.device)}, ${literal(w.metric)}, ${sized ? `to_minutes(${minutes}), ` : ''}${time(w.start)}, ${numbers.join(', ')}, ${literal(w.closedBy)}, ${time(0)}, ${version})`
}

