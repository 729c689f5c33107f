/**
 * Files of parts as DuckDB writes them: a table for each view, in a DuckDB of its own.
 *
 * Owns that a tenant's SQL meets the rows of that tenant alone, is cut into slices that fit the memory, and ends in time; what becomes of an error. Leaves
 * which views, and the file's life, to parts.ts.
 */

import type { Clock } from '../../runtime/clock.ts'
import { systemClock } from '../../runtime/clock.ts'
import { COMPACT_MEMORY_MIB, MERGE_SLICE_ROWS, VIEW_PARTS_MAX_MS } from '../../runtime/limits.ts'
import { partialSql, partsTable } from '../view/kept.ts'
import { LakeDatabase } from './database.ts'
import { STORAGE_VERSION } from './duckdb-segment.ts'
import { readingSlices } from './duckdb-merge.ts'
import type { PartsFacts, PartsJob, ViewOf } from './parts.ts'
import { literal } from './tables.ts'

/** What a view may be told of a failure: DuckDB's own words may hold a value. */
const FAILURES: readonly (readonly [RegExp, string])[] = [
  [/^INTERRUPT/, 'It took too long.'],
  [/^Out of Memory/, 'It took more memory than it may take.'],
  [/^Conversion/, 'A value could not be converted to the type asked for. TRY_CAST gives NULL in its place.'],
  [/^Out of Range/, 'A number was out of the range of its type. Cast it to a larger type before it is computed with.'],
  [/^Invalid Input/, 'A function was given a value that it can not take.'],
]

/** Writes the file. Rejects soon after `signal` aborts. */
export async function writeParts({ lakeDir, segment, views }: PartsJob, path: string, signal?: AbortSignal, { clock = systemClock, sliceRows = MERGE_SLICE_ROWS }: { clock?: Clock; sliceRows?: number } = {}): Promise<PartsFacts> {
  const db = await LakeDatabase.open(lakeDir, { memoryMiB: COMPACT_MEMORY_MIB, threads: 1 })
  const stop = () => db.interrupt()
  signal?.addEventListener('abort', stop)
  const rows: Record<string, number> = {}
  const failed: Record<string, string> = {}
  try {
    signal?.throwIfAborted()
    const alias = db.newAlias()
    await db.run(`ATTACH ${literal(path)} AS ${alias} (STORAGE_VERSION '${STORAGE_VERSION}', BLOCK_SIZE 16384)`)
    const slices = (segment.rows.readings ?? 0) === 0 ? [] : await readingSlices(db, segment, sliceRows)
    for (const of of views) {
      const cancel = clock.after(VIEW_PARTS_MAX_MS, stop)
      try {
        rows[of.view.id] = await writeView(db, `${alias}.main.${partsTable(of.view.id)}`, of, { segment, slices })
      } catch (error) {
        signal?.throwIfAborted()
        await db.run(`DROP TABLE IF EXISTS ${alias}.main.${partsTable(of.view.id)}`)
        failed[of.view.id] = FAILURES.find(([pattern]) => pattern.test(String((error as Error).message)))?.[1] ?? 'DuckDB could not compute it.'
      } finally {
        cancel()
      }
    }
    await db.run(`CHECKPOINT ${alias}`)
    await db.run(`DETACH ${alias}`)
    return { rows, failed }
  } finally {
    signal?.removeEventListener('abort', stop)
    db.close()
  }
}

/** Writes one view's table; gives its rows. Without any there is none. */
async function writeView(db: LakeDatabase, table: string, { tenant, view }: ViewOf, { segment, slices }: Pick<PartsJob, 'segment'> & { slices: readonly string[] }): Promise<number> {
  // A segment of another tenant has nothing to say.
  if (segment.tenant !== undefined && segment.tenant !== tenant) return 0
  const from = await db.relation('readings', [segment], '*')
  if (from === null) return 0
  let made = false
  for (const slice of slices) {
    const conditions = [...(segment.tenant === undefined ? [`tenant = ${literal(tenant)}`] : []), ...(slice === '' ? [] : [slice])]
    const parts = partialSql(view, `(SELECT * FROM ${from}${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`})`)
    await db.run(made ? `INSERT INTO ${table} SELECT * FROM (${parts}) ORDER BY ALL` : `CREATE TABLE ${table} AS SELECT * FROM (${parts}) ORDER BY ALL`)
    made = true
  }
  if (!made) return 0
  const [[count]] = await db.rows(`SELECT count(*) FROM ${table}`)
  if (Number(count) === 0) await db.run(`DROP TABLE ${table}`)
  return Number(count)
}
