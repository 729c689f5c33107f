/**
 * The files of the memory shelf: a segment's tables as msgpack behind a checksum, and what a lake made of them shows.
 *
 * Owns the bytes of such a file, and reading rows back from it.
 *
 * - Z1 A file that is torn, or of which a bit has flipped, is noticed when it is read, as DuckDB notices it.
 */

import { join } from 'node:path'
import { pack, toBytes, toFloat64, unpack } from '../../runtime/codec.ts'
import type { Disk } from '../../runtime/disk.ts'
import { segmentsDir } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { newestWindows, ofAllSizes } from './memory-rows.ts'
import type { LakeRow } from './memory-rows.ts'
import { TABLE_NAMES, TABLES } from './tables.ts'
import type { TableName } from './tables.ts'

export type SegmentTables = Readonly<Record<TableName, readonly LakeRow[]>>

const CHECKSUM_BYTES = 4

export function packSegment(tables: SegmentTables): Uint8Array {
  const columns = (table: TableName) =>
    TABLES[table].map(([name, type]) => (type === 'VARCHAR' ? tables[table].map((row) => row[name]) : toBytes(Float64Array.from(tables[table], (row) => (row[name] ?? NaN) as number))))
  const body = pack(TABLE_NAMES.map((table) => [tables[table].length, columns(table)]))
  const bytes = new Uint8Array(CHECKSUM_BYTES + body.length)
  new DataView(bytes.buffer).setUint32(0, checksum(body))
  bytes.set(body, CHECKSUM_BYTES)
  return bytes
}

/** Throws where the bytes are not whole. `path` names them in the error. */
export function unpackSegment(bytes: Uint8Array, path: string): SegmentTables {
  const body = bytes.subarray(CHECKSUM_BYTES)
  const whole = bytes.length > CHECKSUM_BYTES && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === checksum(body)
  if (!whole) throw new Error(`Cannot read ${path} as its checksum must be that of its ${bytes.length} bytes: it is not`)
  const packed = unpack<[number, (string[] | Uint8Array)[]][]>(body)
  const rows = (table: TableName, [count, columns]: [number, (string[] | Uint8Array)[]]): LakeRow[] => {
    const read = columns.map((column) => (Array.isArray(column) ? column : toFloat64(column)))
    const made: LakeRow[] = []
    for (let i = 0; i < count; i++) {
      const row: Record<string, string | number | null> = {}
      for (const [c, [name]] of TABLES[table].entries()) row[name] = Number.isNaN(read[c][i]) ? null : read[c][i]
      made.push(row)
    }
    return made
  }
  return Object.fromEntries(TABLE_NAMES.map((table, i) => [table, rows(table, packed[i])])) as unknown as SegmentTables
}

export async function readSegment(disk: Disk, path: string): Promise<SegmentTables> {
  const bytes = await disk.read(path)
  if (bytes === null) throw new Error(`Cannot read ${path} as it must be a file: it is not there`)
  return unpackSegment(bytes, path)
}

/** FNV-1a. */
function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193)
  return hash >>> 0
}

/** All rows of one table in the segments of a manifest, every version of a window included; in the order of the segments. `windows` are those of all sizes. */
export async function lakeRows(disk: Disk, { lakeDir, manifest, table }: { lakeDir: string; manifest: Pick<Manifest, 'segments'>; table: TableName }): Promise<LakeRow[]> {
  const rows: LakeRow[] = []
  for (const { file } of manifest.segments) {
    const tables = await readSegment(disk, join(segmentsDir(lakeDir), file))
    for (const row of table === 'windows' ? ofAllSizes(tables) : tables[table]) rows.push(row)
  }
  return rows
}

/** The windows that a lake shows, as the view in sql/lake.sql does: of each the newest version. */
export async function lakeWindows(disk: Disk, lake: { lakeDir: string; manifest: Pick<Manifest, 'segments'> }): Promise<LakeRow[]> {
  return newestWindows(await lakeRows(disk, { ...lake, table: 'windows' }))
}
