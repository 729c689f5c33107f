/**
 * The views of one query: sql/lake.sql over one tenant's rows, those of the lake and those that no segment holds yet.
 *
 * Owns the temporary tables and views of a connection that serves one query. They end with it.
 *
 * - V1 Each reading shows once. One that the actor called old is looked up in the lake: what is there already is not taken twice.
 * - V2 Of a window the newest row shows; but of one that the lake calls the store's own, the lake's, since the actor's rows lack the late readings.
 */

import type { DuckDBConnection } from '@duckdb/node-api'
import { toFloat64, toUint32 } from '../../../runtime/codec.ts'
import { CLOSED_BY, WINDOW_SIZES_MS } from '../../reading/window.ts'
import { stage } from '../../store/database.ts'
import type { StagedColumn } from '../../store/database.ts'
import { windowsViewSql } from '../../store/catalog.ts'
import { ownViewSql } from '../../store/own-views.ts'
import type { OwnViews } from '../../store/own-views.ts'
import { namesOf, PLAIN_TABLES, shownColumns, stagedColumns } from '../../store/plain.ts'
import type { PlainTable } from '../../store/plain.ts'
import { fillSql, readSql } from '../../store/sql.ts'
import { TABLES, WINDOW_SIZES_SQL, emptySql, literal, timestampSql } from '../../store/tables.ts'
import type { TableName } from '../../store/tables.ts'
import { partialSql, shownSql } from '../../view/kept.ts'
import type { KeptView } from '../../view/kept.ts'
import { sourceMacros } from '../../view/sources.ts'
import type { AttachedSegments } from './attached.ts'
import { FRESH_WINDOW_NUMBERS } from './fresh-rows.ts'
import type { FreshPlain, FreshRows } from './fresh-rows.ts'
import { VIEWS } from './views.ts'
import type { ViewName } from './views.ts'

/** Statements of the template by the view that each makes. */
const TEMPLATES = new Map(
  readSql('lake')
    .split(';')
    .flatMap((statement) => {
      const name = /\{\{create\}\}(\w+) AS/.exec(statement)?.[1]
      return name === undefined ? [] : [[name, statement] as const]
    }),
)
for (const view of VIEWS) if (!TEMPLATES.has(view)) throw new Error(`Cannot serve SQL as sql/lake.sql must make each view: ${view} is not in it`)

/** Above every version of the lake, so that a fresh row is the newest. */
const FRESH_VERSION = 2 ** 52

export interface ViewsOf {
  readonly tenant: string
  readonly views: ReadonlySet<ViewName>
  /** Whether times may be shown as they are stored (T3 of attached.ts). */
  readonly plainTimes: boolean
  readonly fresh: FreshRows
  /** Those of own actors that the query reads; `own_rows` is among `views` then. */
  readonly ownViews?: OwnViews
  /** Kept views that the query reads, by name; `readings` is among `views` then. */
  readonly keptViews?: Readonly<Record<string, KeptView>>
  /** Functions of view/sources.ts that it calls; `readings` is among `views` then. */
  readonly sources?: ReadonlySet<string>
}

/** Makes the views on a connection of their own. */
export async function makeViews(connection: DuckDBConnection, segments: AttachedSegments, options: ViewsOf): Promise<void> {
  const { tenant, views, plainTimes, fresh, ownViews = {}, keptViews = {}, sources = new Set() } = options
  const { device, metric } = fresh.names
  const names: StagedColumn[] = [{ name: 'series', kind: 'int', data: Int32Array.from(device.keys()) }, text('device', device), text('metric', metric)]
  if (device.length > 0) await stage(connection, { catalog: 'temp', name: 'fresh_names' }, names, device.length)
  const constant = `${literal(tenant)}::VARCHAR AS tenant`
  const named = (table: string, columns: string) => `SELECT ${constant}, n.device, n.metric, ${columns} FROM temp.main.${table} f JOIN temp.main.fresh_names n ON n.series = f.series`

  const freshReadings: string[] = []
  for (const view of views) {
    const statement = TEMPLATES.get(view)!
    const parts: string[] = []
    if (view === 'readings' && (await stageReadings(connection, segments, tenant, fresh.readings!))) freshReadings.push(named('fresh_readings', 'f.ts, f.value, f.received_at'))
    if (view === 'readings') parts.push(...freshReadings)
    for (const plain of PLAIN_TABLES) if (view === plain && (await stagePlain(connection, plain, fresh[plain]!))) parts.push(named(`fresh_${plain}`, shownColumns(plain)))
    if (view === 'rejects' && (await stageRejects(connection, fresh.rejects!))) parts.push(`SELECT ${constant}, received_at, reason, reading FROM temp.main.fresh_rejects`)
    const values: Record<string, string> = { create: 'CREATE TEMP VIEW ' }
    if (view === 'windows') {
      const hasFresh = await stageWindows(connection, segments, tenant, fresh.windows!)
      const relations: string[] = []
      for (const [size, sql] of WINDOW_SIZES_SQL.entries()) {
        const lake = await segments.relation('windows', tenant, { size, plainTimes })
        relations.push(united('windows', hasFresh ? [...lake, `${named('fresh_windows', WINDOW_COLUMNS)} WHERE f.size = ${sql}`] : lake))
      }
      values.windows = windowsViewSql((size) => relations[size])
    } else if (statement.includes(`{{${view}}}`)) values[view] = united(view as TableName, [...(await segments.relation(view as TableName, tenant, { plainTimes })), ...parts])
    await connection.run(fillSql(statement, values))
  }
  for (const [actor, columns] of Object.entries(ownViews)) await connection.run(`CREATE TEMP VIEW ${actor} AS ${ownViewSql(actor, columns, 'own_rows')}`)
  const macros = sourceMacros('CREATE TEMP MACRO ', 'readings')
  for (const source of sources) await connection.run(macros[source])
  for (const [name, view] of Object.entries(keptViews)) {
    const { stored, open } = await segments.parts(view.id, tenant)
    // What has no parts yet, and what no segment holds, is computed now.
    const readings = [...(await segments.relation('readings', tenant, { only: open, plainTimes: false })), ...freshReadings]
    await connection.run(`CREATE TEMP VIEW "${name}" AS ${shownSql(view, readings.length === 0 ? stored : [...stored, partialSql(view, united('readings', readings))])}`)
  }
}

const united = (table: TableName, parts: readonly string[]) => (parts.length === 0 ? emptySql(table) : `(${parts.join(' UNION ALL ')})`)
const text = (name: string, data: readonly string[]): StagedColumn => ({ name, kind: 'text', data })
const signed = (bytes: Uint8Array): Int32Array => {
  const { buffer, byteOffset, length } = toUint32(bytes)
  return new Int32Array(buffer, byteOffset, length)
}

/** Whether there are any. */
async function stageReadings(connection: DuckDBConnection, segments: AttachedSegments, tenant: string, rows: NonNullable<FreshRows['readings']>): Promise<boolean> {
  const { old } = rows
  if (old.length === 0) return false
  const all = { series: signed(rows.series), ts: toFloat64(rows.ts), value: toFloat64(rows.value), receivedAt: toFloat64(rows.receivedAt) }
  const stageThose = async (name: string, take: (i: number) => boolean) => {
    const at = Int32Array.from(old.keys()).filter(take)
    const columns: StagedColumn[] = [
      { name: 'series', kind: 'int', data: Int32Array.from(at, (i) => all.series[i]) },
      { name: 'ts', kind: 'time', data: Float64Array.from(at, (i) => all.ts[i]) },
      { name: 'value', kind: 'double', data: Float64Array.from(at, (i) => all.value[i]) },
      { name: 'received_at', kind: 'time', data: Float64Array.from(at, (i) => all.receivedAt[i]) },
    ]
    await stage(connection, { catalog: 'temp', name }, columns, at.length)
  }
  if (!old.includes(1)) {
    await stage(connection, { catalog: 'temp', name: 'fresh_readings' }, [
      { name: 'series', kind: 'int', data: all.series },
      { name: 'ts', kind: 'time', data: all.ts },
      { name: 'value', kind: 'double', data: all.value },
      { name: 'received_at', kind: 'time', data: all.receivedAt },
    ], old.length)
    return true
  }
  await stageThose('fresh_readings', (i) => old[i] === 0)
  await stageThose('fresh_old', (i) => old[i] === 1)
  let from = Infinity
  let to = -Infinity
  for (let i = 0; i < old.length; i++) {
    if (old[i] === 0) continue
    from = Math.min(from, all.ts[i])
    to = Math.max(to, all.ts[i])
  }
  const lake = united('readings', await segments.relation('readings', tenant, { within: { from, to }, plainTimes: true }))
  await connection.run(`
    INSERT INTO temp.main.fresh_readings
    SELECT o.series, o.ts, o.value, min(o.received_at) FROM temp.main.fresh_old o
    ANTI JOIN temp.main.fresh_readings f ON f.series = o.series AND f.ts = o.ts AND f.value = o.value
    ANTI JOIN (
      SELECT DISTINCT n.series, r.ts, r.value FROM ${lake} r
      JOIN (SELECT DISTINCT n.series, n.device, n.metric, o.ts, o.value FROM temp.main.fresh_old o JOIN temp.main.fresh_names n ON n.series = o.series) n
        ON r.device = n.device AND r.metric = n.metric AND r.ts = n.ts AND r.value = n.value
      WHERE r.ts BETWEEN ${timestampSql(from)} AND ${timestampSql(to)}
    ) l ON l.series = o.series AND l.ts = o.ts AND l.value = o.value
    GROUP BY o.series, o.ts, o.value`)
  return true
}

const WINDOW_COLUMNS = TABLES.windows.slice(3).map(([name]) => `f."${name}"`).join(', ')

async function stageWindows(connection: DuckDBConnection, segments: AttachedSegments, tenant: string, rows: NonNullable<FreshRows['windows']>): Promise<boolean> {
  const { size, closedBy } = rows
  const n = size.length
  if (n === 0) return false
  const numbers = toFloat64(rows.numbers)
  const columns: StagedColumn[] = [
    { name: 'series', kind: 'int', data: signed(rows.series) },
    { name: 'minutes', kind: 'int', data: Int32Array.from(size, (s) => WINDOW_SIZES_MS[s] / 60_000) },
    { name: 'closed', kind: 'int', data: Int32Array.from(closedBy) },
    { name: 'version', kind: 'whole', data: Float64Array.from(size.keys(), (i) => FRESH_VERSION + i) },
    ...numbered(FRESH_WINDOW_NUMBERS, numbers, n, ['start', 'updated_at']),
  ]
  await stage(connection, { catalog: 'temp', name: 'fresh_window_rows' }, columns, n)
  const closed = CLOSED_BY.map((name, code) => `WHEN ${code} THEN '${name}'`).join(' ')
  await connection.run(`
    CREATE TEMP TABLE fresh_windows AS
    SELECT series, to_minutes(minutes) AS size, start, count::BIGINT AS count, sum, min, max, sum / count AS mean, CASE WHEN isnan(stddev) THEN NULL ELSE stddev END AS stddev,
      first, last, p50, p95, p99, CASE closed ${closed} END AS closed_by, updated_at, version
    FROM temp.main.fresh_window_rows`)
  let from = Infinity
  let to = -Infinity
  for (let i = 0; i < numbers.length; i += FRESH_WINDOW_NUMBERS.length) {
    from = Math.min(from, numbers[i])
    to = Math.max(to, numbers[i])
  }
  const owned = await segments.relation('owned_windows', tenant, { plainTimes: true })
  if (owned.length === 0) return true
  await connection.run(`
    DELETE FROM temp.main.fresh_windows WHERE rowid IN (
      SELECT f.rowid FROM temp.main.fresh_windows f JOIN temp.main.fresh_names n ON n.series = f.series
      JOIN ${united('owned_windows', owned)} o ON o.device = n.device AND o.metric = n.metric AND o.size = f.size AND o.start = f.start
      WHERE o.start BETWEEN ${timestampSql(from)} AND ${timestampSql(to)})`)
  return true
}

async function stagePlain(connection: DuckDBConnection, table: PlainTable, { series, numbers, texts }: FreshPlain): Promise<boolean> {
  const ids = signed(series)
  if (ids.length === 0) return false
  const all = toFloat64(numbers)
  const width = namesOf(table).numbers.length
  const columns = Array.from({ length: width }, (_, c) => Float64Array.from(ids, (_, i) => all[i * width + c]))
  await stage(connection, { catalog: 'temp', name: `fresh_${table}` }, stagedColumns(table, ids, columns, texts), ids.length)
  return true
}

async function stageRejects(connection: DuckDBConnection, { receivedAt, reason, reading }: NonNullable<FreshRows['rejects']>): Promise<boolean> {
  const n = reason.length
  if (n === 0) return false
  await stage(connection, { catalog: 'temp', name: 'fresh_rejects' }, [{ name: 'received_at', kind: 'time', data: toFloat64(receivedAt) }, text('reason', reason), text('reading', reading)], n)
  return true
}

/** Numbers that stand row by row, as columns; those of `times` are times. */
function numbered(names: readonly string[], numbers: Float64Array, rows: number, times: readonly string[]): StagedColumn[] {
  return names.map((name, at) => {
    const data = new Float64Array(rows)
    for (let i = 0; i < rows; i++) data[i] = numbers[i * names.length + at]
    return { name, kind: times.includes(name) ? ('time' as const) : ('double' as const), data }
  })
}
