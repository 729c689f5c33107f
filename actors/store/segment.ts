/**
 * Makes one segment: an immutable DuckDB file.
 *
 * Owns the file's life: attached for writing in the lake's `tmp` folder, filled, checkpointed, let go of, made read-only, synced,
 * moved to its name, folder synced. Leaves what is in it to its caller.
 *
 * - G1 A name never comes twice, so that whoever has a file open, or its path in hand, never meets another one under it.
 * - G2 JavaScript touches the file only after DuckDB has let go of it: closing it any earlier would drop DuckDB's lock.
 * - G3 A table without rows is not made.
 */

import { chmod, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import { SMALL_BLOCK_BYTES } from '../../runtime/limits.ts'
import type { LakeDatabase } from './database.ts'
import { publishFile, segmentsDir } from './manifest.ts'
import type { Segment } from './manifest.ts'
import { columnsSql, literal, TABLES, TABLE_NAMES } from './tables.ts'
import type { TableName } from './tables.ts'

/** A new name: level, time, and a random part. */
export function segmentName(level: number, clock: Clock): string {
  return `l${level}-${Math.floor(clock.now()).toString(36)}-${clock.nonce(6)}.duckdb`
}

/** Names under which files are attached for writing: one a file, never again. */
let aliases = 0

export interface SegmentSource {
  readonly table: TableName
  /** SELECT that gives the table's columns in its order, sorted. */
  readonly select: string
}

export interface SegmentPlan {
  readonly db: LakeDatabase
  readonly file: string
  readonly level: number
  readonly sealedFrom: number
  readonly sealedTo: number
  readonly sources: readonly SegmentSource[]
  /** Small blocks waste less on a few rows, and more on many. */
  readonly small: boolean
  /** Called when the file is whole and not yet synced. */
  readonly beforeSync?: () => void
}

/** Writes the segment and gives its entry for a manifest. Whatever fails leaves at most a file in `tmp`. */
export async function writeSegment(plan: SegmentPlan): Promise<Segment> {
  const { db, file } = plan
  const path = join(db.lakeDir, 'tmp', file)
  const alias = `w${++aliases}`
  await db.run(`ATTACH ${literal(path)} AS ${alias}${plan.small ? ` (BLOCK_SIZE ${SMALL_BLOCK_BYTES})` : ''}`)
  const rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, 0])) as Record<TableName, number>
  const range = async (table: TableName, column: string) => (await db.rows(`SELECT epoch_ms(min(${column}))::DOUBLE, epoch_ms(max(${column}))::DOUBLE FROM ${alias}.main.${table}`))[0]
  let readings: unknown[] = [null, null]
  let windows: unknown[] = [null, null]
  try {
    for (const { table, select } of plan.sources) {
      await db.run(`CREATE TABLE ${alias}.main.${table} (${columnsSql(table)})`)
      await db.run(`INSERT INTO ${alias}.main.${table} ${select}`)
      const [[count]] = await db.rows(`SELECT count(*) FROM ${alias}.main.${table}`)
      rows[table] = Number(count)
      if (table === 'readings') readings = await range(table, 'ts')
      if (table === 'windows') windows = await range(table, '"start"')
    }
    const both = [...readings, ...windows].filter((t): t is number => t !== null)
    await db.run(`CHECKPOINT ${alias}`)
    const segment = {
      file,
      level: plan.level,
      sealedFrom: plan.sealedFrom,
      sealedTo: plan.sealedTo,
      rows,
      tsMin: both.length === 0 ? null : Math.min(...both),
      tsMax: both.length === 0 ? null : Math.max(...both),
      readingsMin: readings[0] as number | null,
      readingsMax: readings[1] as number | null,
    }
    await db.run(`DETACH ${alias}`)
    plan.beforeSync?.()
    await chmod(path, 0o444)
    const { size } = await stat(path)
    const folder = segmentsDir(db.lakeDir)
    await publishFile(path, join(folder, file), folder)
    return { ...segment, bytes: size }
  } catch (error) {
    await db.run(`DETACH DATABASE IF EXISTS ${alias}`).catch(() => {})
    throw error
  }
}

/** Column names of a table, quoted, in order; each after `prefix`. */
export function columnNames(table: TableName, prefix = ''): string {
  return TABLES[table].map(([name]) => `${prefix}"${name}"`).join(', ')
}
