/**
 * Where the rows of a few series lie: their table `readings` or `windows` as SQL that reads these rows alone.
 *
 * DuckDB prunes by the first 8 bytes of a text, which devices of one fleet mostly share, so that a filter on a device reads the names of all. But
 * merged segments say at which row each series begins (their table `series`). The picture is the register of a book: one look, then its pages.
 *
 * - E1 Its rows are those that the plain relation gives under the same conditions: the conditions stay with the caller.
 * - E2 A filter beside that on the row would have DuckDB read all row groups again: names are given as constants, which need no filter,
 *   and times as expressions, which are not pushed down.
 */

import { NARROWED_DEVICES_MAX, NARROWED_PARTS_MAX } from '../../runtime/limits.ts'
import { TABLES } from '../store/tables.ts'
import { text, unionOf } from './lake.ts'
import type { Lake, LakeVersion, Within } from './lake.ts'
import type { SeriesFilter } from './series-catalog.ts'

const TIMES = { readings: 'ts', windows: 'start' } as const

/** The relation of `table` for whoever asks under `tenant` and `filter`, as SQL that follows `FROM`; the caller holds the version. */
export async function relationOf(
  lake: Lake,
  version: LakeVersion,
  table: 'readings' | 'windows',
  { tenant, filter, ...within }: { tenant: string; filter: SeriesFilter } & Within,
): Promise<string> {
  const { devices, metrics, prefix } = filter
  const reached = version.reached(table, within)
  const indexed = reached.filter(({ segment }) => (segment.rows.series ?? 0) > 0)
  if (devices === null || prefix !== null || devices.size > NARROWED_DEVICES_MAX || indexed.length === 0) return version.relation(table, within)
  const [at, rows] = table === 'readings' ? ['readings_at', 'count'] : ['windows_at', 'windows']
  const names = (column: string, set: ReadonlySet<string>) => ` AND ${column} IN (${[...set].map(text).join(', ')})`
  const looks = indexed.map(({ alias }, i) => `SELECT ${i}::DOUBLE AS i, tenant, device, metric, ${at}::DOUBLE AS first_row, ${rows}::DOUBLE AS row_count FROM ${alias}.main.series`)
  const columns = await lake.query(
    `SELECT i, device, metric, first_row, row_count FROM (${looks.join(' UNION ALL ')})
     WHERE tenant = ${text(tenant)}${names('device', devices)}${metrics === null ? '' : names('metric', metrics)} AND row_count > 0`,
  )
  const found = columns[0]?.length ?? 0
  if (found > NARROWED_PARTS_MAX) return version.relation(table, within)
  const shown = TABLES[table].slice(3).map(([name]) => (name === TIMES[table] ? `"${name}" + INTERVAL 0 SECOND AS "${name}"` : `"${name}"`))
  const parts: string[] = []
  for (let n = 0; n < found; n++) {
    const [i, device, metric, first, count] = columns.map((column) => column[n]) as [number, string, string, number, number]
    parts.push(
      `SELECT ${text(tenant)} AS tenant, ${text(device)} AS device, ${text(metric)} AS metric, ${shown.join(', ')}
       FROM ${indexed[i].alias}.main.${table} WHERE rowid BETWEEN ${first} AND ${first + count - 1}`,
    )
  }
  const plain = new Set(reached.filter((of) => !indexed.includes(of)).map(({ segment }) => segment.file))
  if (plain.size > 0) parts.push(`SELECT * FROM ${version.relation(table, { ...within, files: plain })}`)
  return unionOf(table, parts)
}
