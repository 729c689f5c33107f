/** What a query is about, and what of it DuckDB is told: whose series and which, and a range of times. */

import type { Range } from '../data/fresh.ts'
import { text, timestamp } from '../data/lake.ts'
import type { SeriesFilter } from '../data/series-catalog.ts'

/** Whose series, and which. */
export interface Scope {
  readonly tenant: string
  readonly filter: SeriesFilter
}

/** A scope as conditions of SQL. */
export function scopeSql({ tenant, filter }: Scope): string {
  const conditions = [`tenant = ${text(tenant)}`]
  const names = (column: string, set: ReadonlySet<string>) => conditions.push(`${column} IN (${[...set].map(text).join(', ')})`)
  if (filter.devices !== null) names('device', filter.devices)
  if (filter.metrics !== null) names('metric', filter.metrics)
  if (filter.prefix !== null) conditions.push(`device >= ${text(filter.prefix)}`, `starts_with(device, ${text(filter.prefix)})`)
  return conditions.join(' AND ')
}

/** A range of times as conditions of SQL, with a leading AND where there is one. */
export function rangeSql(column: string, { from, to }: Range): string {
  const least = Number.isFinite(from) ? ` AND ${column} >= ${timestamp(from)}` : ''
  return Number.isFinite(to) ? `${least} AND ${column} < ${timestamp(to)}` : least
}
