/**
 * What an analyst opens: `weir.duckdb`, a file of views over the segments of one manifest, and `open.sql`, the same for a copied lake.
 *
 * Owns making both from one template (sql/lake.sql) and swapping them in by rename. They are caches of the manifest: made anew with
 * each, never synced, never read back.
 *
 * - K1 `weir.duckdb` names segments by absolute path, in a list, so it opens from any folder; it is replaced, never written.
 * - K2 Who holds an older one open reads on: its segments stay for as long as superseded ones are kept.
 * - K3 The views go through `read_duckdb`, which serves one statement at a time of a process: analysts ask one query at a time a
 *   connection. Servers attach the segments instead.
 * - K4 Segments of earlier versions stay readable beside newer ones: a column that they lack is null.
 */

import { join, resolve } from 'node:path'
import type { Disk } from '../../runtime/disk.ts'
import { partialSql, partsTable, shownSql } from '../view/kept.ts'
import type { KeptView } from '../view/kept.ts'
import { sourceMacros } from '../view/sources.ts'
import { segmentsDir } from './manifest.ts'
import type { Manifest, Segment } from './manifest.ts'
import { ownViewSql } from './own-views.ts'
import { partsFilesOf } from './parts.ts'
import { PLAIN_TABLES } from './plain.ts'
import type { Shelf } from './shelf.ts'
import { fillSql, readSql } from './sql.ts'
import { emptySql, FORM, literal, ofSizeSql, pieceSql, tablesOf, unionSql, WINDOW_SIZES_SQL } from './tables.ts'
import type { TableName } from './tables.ts'

const TEMPLATE = readSql('lake')
const WINDOWS_TEMPLATE = readSql('windows').trimEnd()
const SHOWN = ['readings', ...PLAIN_TABLES, 'rejects'] as const satisfies readonly TableName[]

/** What the view of windows is, of relations that hold those of a size (an index), in whatever versions. */
export function windowsViewSql(relationOf: (size: number) => string): string {
  return WINDOW_SIZES_SQL.map((sql, size) => fillSql(WINDOWS_TEMPLATE, { size: sql, windows: relationOf(size) })).join('\nUNION ALL\n')
}

/** What of a manifest its views depend on. */
export type Shown = Pick<Manifest, 'segments' | 'ownViews' | 'views'>

/** The views as statements. `create` begins a view's statement, up to its name; `path` says where a segment lies. */
export function lakeViews(manifest: Shown, { create, path }: { create: string; path: (file: string) => string }): string {
  const relation = (table: TableName, size?: number) => relationOf(table, manifest.segments, path, size)
  const relations = Object.fromEntries(SHOWN.map((table) => [table, relation(table)]))
  const fixed = fillSql(TEMPLATE, { create, ...relations, windows: windowsViewSql((size) => relation('windows', size)) }).trimEnd()
  const rows = `(SELECT tenant, metric AS actor, device AS key, made_at AS "at", body FROM ${relations.own_rows})`
  const own = Object.entries(manifest.ownViews ?? {}).map(([actor, columns]) => `\n\n${create}${actor} AS\n${ownViewSql(actor, columns, rows)};`)
  const macros = Object.values(sourceMacros(create.replace('VIEW', 'MACRO'), relations.readings)).map((macro) => `\n\n${macro};`)
  return `${fixed}${fixed.endsWith(';') ? '' : ';'}${own.join('')}${macros.join('')}${keptViews(manifest, { create, path }).join('')}\n`
}

/** The views that are kept. A name that two tenants have given is none here, as nobody could tell whose it is. */
function keptViews({ views = {}, ownViews = {}, segments }: Shown, { create, path }: { create: string; path: (file: string) => string }): string[] {
  const named = Object.entries(views).flatMap(([tenant, of]) => Object.entries(of).map(([name, view]) => ({ tenant, name, view })))
  const isFree = (name: string) => !Object.hasOwn(ownViews, name) && named.filter((other) => other.name === name).length === 1
  return named.filter(({ name }) => isFree(name)).map(({ tenant, name, view }) => `\n\n${create}"${name}" AS\n${shownSql(view, keptParts(tenant, view, segments, path))};`)
}

/** The parts of a view: those that are stored, and those of the segments that have none. */
function keptParts(tenant: string, view: KeptView, segments: readonly Segment[], path: (file: string) => string): string[] {
  const files = segments.flatMap((segment) => partsFilesOf(segment, view.id) ?? [])
  const stored = files.length === 0 ? [] : [`SELECT * FROM read_duckdb([${files.map((file) => literal(path(file))).join(', ')}], table_name = '${partsTable(view.id)}')`]
  const open = segments.filter((segment) => partsFilesOf(segment, view.id) === null && (segment.tenant ?? tenant) === tenant)
  const relation = relationOf('readings', open, path)
  return open.length === 0 ? stored : [...stored, partialSql(view, `(SELECT * FROM ${relation} WHERE tenant = ${literal(tenant)})`)]
}

/** A table of some segments, as it follows FROM. */
function relationOf(table: TableName, segments: readonly Segment[], path: (file: string) => string, size?: number): string {
  const parts = listsOf(table, segments, size).map(({ name, tenant, segments }) => {
    const files = segments.map(({ file }) => literal(path(file))).join(', ')
    // Where all have the same columns, only one of them is opened to learn which.
    const list = `read_duckdb([${files}], table_name = '${name}', union_by_name = ${segments.some(({ form }) => form !== FORM)})`
    return ofSizeSql(name, pieceSql(name, list, tenant), size)
  })
  return parts.length === 0 ? emptySql(table) : unionSql(table, parts)
}

/** The segments that make up a table, in lists that are read alike: of one of its own tables, and of one tenant, where they are; older ones apart. */
function listsOf(table: TableName, segments: readonly Segment[], size?: number): { name: TableName; tenant: string | undefined; segments: Segment[] }[] {
  const lists = new Map<string, { name: TableName; tenant: string | undefined; segments: Segment[] }>()
  for (const segment of segments) {
    const { tenant, form, rows } = segment
    for (const name of tablesOf(table, rows, size)) {
      const key = JSON.stringify([name, tenant, form === FORM])
      const list = lists.get(key)
      if (list === undefined) lists.set(key, { name, tenant, segments: [segment] })
      else list.segments.push(segment)
    }
  }
  return [...lists.values()]
}

/** `open.sql`: the views by paths from inside the folder of a lake. */
export function copiedLakeSql(manifest: Shown): string {
  const views = lakeViews(manifest, { create: 'CREATE OR REPLACE VIEW ', path: (file) => `segments/${file}` })
  return `-- The views of a copied lake. From inside its folder: duckdb -init open.sql\n\n${views}`
}

/** Swaps in `weir.duckdb` and `open.sql` of a manifest. */
export async function writeCatalog(shelf: Shelf, { lakeDir, manifest, disk }: { lakeDir: string; manifest: Manifest; disk: Disk }): Promise<void> {
  const temporary = join(lakeDir, 'tmp', `catalog-${manifest.version}.duckdb`)
  await disk.removeAll(temporary)
  await shelf.writeViews(temporary, manifest, resolve(segmentsDir(lakeDir)))
  await disk.makeReadOnly(temporary)
  await disk.rename(temporary, join(lakeDir, 'weir.duckdb'))

  const script = join(lakeDir, 'tmp', 'open.sql')
  await disk.write(script, new TextEncoder().encode(copiedLakeSql(manifest)))
  await disk.rename(script, join(lakeDir, 'open.sql'))
}
