/**
 * Where the rows of a few series lie: their readings, their windows of one size or their anomalies, as SQL that reads these rows alone.
 *
 * DuckDB prunes by the first 8 bytes of a text, which devices of one fleet mostly share, so that a filter on a device reads the names of all. But
 * merged segments say at which row each series begins (their table `series`). The picture is the register of a book: one look, then its pages; and
 * who has looked remembers.
 *
 * - E1 Its rows are those that the plain relation gives under the same conditions: the conditions stay with the caller.
 * - E2 A filter beside that on the row would have DuckDB read all row groups again: names are given as constants, which need no filter,
 *   and times as expressions, which are not pushed down.
 */

import { NARROWED_DEVICES_MAX, NARROWED_PARTS_MAX, PLACES_KNOWN_MAX } from '../../../runtime/limits.ts'
import { FORM, TABLES, WINDOW_SIZES_SQL, WINDOW_TABLES } from '../../store/tables.ts'
import type { TableName } from '../../store/tables.ts'
import { text, unionOf } from './lake.ts'
import type { Attached, Lake, LakeVersion, Within } from './lake.ts'
import type { SeriesFilter } from './series-catalog.ts'

const TIMES = { readings: 'ts', windows: 'start', anomalies: 'ts' } as const

/** The relation of `table` for whoever asks under `tenant` and `filter`, as SQL that follows `FROM`; the caller holds the version. */
export async function relationOf(
  lake: Lake,
  version: LakeVersion,
  table: keyof typeof TIMES,
  { tenant, filter, ...within }: { tenant: string; filter: SeriesFilter } & Within,
): Promise<string> {
  const { devices, metrics, prefix } = filter
  const { size = 0 } = within
  const isOfFew = devices !== null && prefix === null && devices.size <= NARROWED_DEVICES_MAX
  if (!isOfFew || (table === 'windows' && within.size === undefined)) return version.relation(table, within)
  const reached = version.reached(table, within)
  await learnColumns(lake, reached)
  const indexed = reached.filter((of) => (of.segment.rows.series ?? 0) > 0 && (table !== 'anomalies' || hasColumn(of, 'series', 'anomalies_at')))
  if (indexed.length === 0) return version.relation(table, within)
  const rangeOf = (place: Place) => (table === 'windows' ? place.windows[size] : place[table])
  const places = (await placesOf(lake, indexed, { tenant, devices, metrics })).filter(({ place }) => rangeOf(place)[1] > 0)
  if (places.length > NARROWED_PARTS_MAX) return version.relation(table, within)
  const shown = (segment: Attached, own: TableName) =>
    TABLES[table].slice(3).map(([name, type]) => {
      if (name === TIMES[table]) return `"${name}" + INTERVAL 0 SECOND AS "${name}"`
      if (name === 'size' && own !== table) return `${WINDOW_SIZES_SQL[size]} AS size`
      return hasColumn(segment, own, name) ? `"${name}"` : `NULL::${type} AS "${name}"`
    })
  const parts: string[] = []
  for (const { segment, place } of places) {
    const [first, count] = rangeOf(place)
    const own = table !== 'windows' || isOfAllSizes(segment) ? table : WINDOW_TABLES[size]
    parts.push(
      `SELECT ${text(tenant)} AS tenant, ${text(place.device)} AS device, ${text(place.metric)} AS metric, ${shown(segment, own).join(', ')}
       FROM ${segment.alias}.main.${own} WHERE rowid BETWEEN ${first} AND ${first + count - 1}`,
    )
  }
  const plain = new Set(reached.filter((of) => !indexed.includes(of)).map(({ segment }) => segment.file))
  if (plain.size > 0) parts.push(`SELECT * FROM ${version.relation(table, { ...within, files: plain })}`)
  return unionOf(table, parts)
}

/** Columns as `table.column` of segments that another version wrote, which may lack some. */
const columns = new WeakMap<Attached, Set<string>>()

async function learnColumns(lake: Lake, segments: readonly Attached[]): Promise<void> {
  const unknown = new Map(segments.filter((segment) => segment.segment.form !== FORM && !columns.has(segment)).map((segment) => [segment.alias, segment]))
  if (unknown.size === 0) return
  const [aliases, names] = await lake.query(
    `SELECT database_name, table_name || '.' || column_name FROM duckdb_columns() WHERE database_name IN (${[...unknown.keys()].map(text).join(', ')})`,
  )
  for (const segment of unknown.values()) columns.set(segment, new Set())
  for (const [i, alias] of ((aliases ?? []) as string[]).entries()) columns.get(unknown.get(alias)!)!.add(names[i] as string)
}

/** Whether a segment has a column, once its columns are known. */
const hasColumn = (segment: Attached, table: TableName, column: string) => columns.get(segment)?.has(`${table}.${column}`) ?? true

type Rows = readonly [first: number, count: number]

/** Where a series lies in a segment: its first row and how many there are; of windows by size, four times the same where all sizes are in one table. */
interface Place {
  readonly device: string
  readonly metric: string
  readonly readings: Rows
  readonly windows: readonly Rows[]
  readonly anomalies: Rows
}

/** Whether windows of all sizes are in one table, as in segments of earlier versions. */
const isOfAllSizes = ({ segment }: Attached) => (segment.rows.windows ?? 0) > 0

/** What segments said, which never change: by what was asked, which is tenant, device and, where it was named, metric. */
const known = new WeakMap<Attached, Map<string, Place[]>>()

/** The places of what is asked, looked up in those segments that have not been asked so before. */
async function placesOf(
  lake: Lake,
  segments: readonly Attached[],
  { tenant, devices, metrics }: { tenant: string; devices: ReadonlySet<string>; metrics: ReadonlySet<string> | null },
): Promise<{ segment: Attached; place: Place }[]> {
  const keyOf = (device: string, metric: string) => (metrics === null ? `${tenant}\n${device}` : `${tenant}\n${device}\n${metric}`)
  const asked = [...devices].flatMap((device) => [...(metrics ?? [''])].map((metric) => keyOf(device, metric)))
  const found = new Map<Attached, Place[]>()
  for (const segment of segments) {
    const told = asked.map((key) => known.get(segment)?.get(key))
    if (told.every((places) => places !== undefined)) found.set(segment, told.flat())
  }
  const unknown = segments.filter((segment) => !found.has(segment))
  if (unknown.length > 0) {
    const names = (column: string, set: ReadonlySet<string>) => ` AND ${column} IN (${[...set].map(text).join(', ')})`
    const looks = unknown.map((segment, i) => {
      const windows = WINDOW_TABLES.flatMap((own) => (isOfAllSizes(segment) ? ['windows_at', 'windows'] : [`${own}_at`, own]))
      const places = ['readings_at', 'count', ...windows, ...(hasColumn(segment, 'series', 'anomalies_at') ? ['anomalies_at', 'anomalies'] : ['0', '0'])]
      return `SELECT ${i}::DOUBLE AS i, tenant, device, metric, ${places.map((name, p) => `${name}::DOUBLE AS p${p}`).join(', ')} FROM ${segment.alias}.main.series`
    })
    const columns = await lake.query(
      `SELECT * EXCLUDE (tenant) FROM (${looks.join(' UNION ALL ')})
       WHERE tenant = ${text(tenant)}${names('device', devices)}${metrics === null ? '' : names('metric', metrics)}`,
    )
    const told = unknown.map(() => new Map(asked.map((key) => [key, [] as Place[]])))
    for (let n = 0; n < (columns[0]?.length ?? 0); n++) {
      const [i, device, metric, ...places] = columns.map((column) => column[n]) as [number, string, string, ...number[]]
      const rowsAt = (p: number): Rows => [places[2 * p], places[2 * p + 1]]
      told[i].get(keyOf(device, metric))!.push({ device, metric, readings: rowsAt(0), windows: WINDOW_TABLES.map((_, size) => rowsAt(1 + size)), anomalies: rowsAt(1 + WINDOW_TABLES.length) })
    }
    for (const [i, segment] of unknown.entries()) {
      found.set(segment, [...told[i].values()].flat())
      remember(segment, told[i])
    }
  }
  return segments.flatMap((segment) => found.get(segment)!.map((place) => ({ segment, place })))
}

/** At its bound a segment is asked anew: what is looked at again and again is soon known again. */
function remember(segment: Attached, told: ReadonlyMap<string, Place[]>): void {
  let all = known.get(segment)
  if (all === undefined || all.size + told.size > PLACES_KNOWN_MAX) known.set(segment, (all = new Map()))
  for (const [key, places] of told) all.set(key, places)
}
