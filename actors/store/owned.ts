/** Reads the list of owned windows back from the segments, when the writer starts. */

import { WINDOW_SIZES_MS } from '../reading/window.ts'
import type { LakeDatabase } from './database.ts'
import type { Segment } from './manifest.ts'
import { OwnedWindows } from './recompute.ts'

/**
 * Owned windows that the actor may still send rows for: those whose newest row is not one that the actor closed. A few more than
 * that do no harm.
 */
export async function loadOwned(db: LakeDatabase, segments: readonly Segment[]): Promise<OwnedWindows> {
  const owned = new OwnedWindows()
  const listed = await db.relation('owned_windows', segments, '*')
  if (listed === null) return owned
  const windows = await db.relation('windows', segments, 'tenant, device, metric, size, start, closed_by, version')
  const keys = 'tenant, device, metric, size, start'
  const closed =
    windows === null
      ? ''
      : `ANTI JOIN (SELECT ${keys} FROM (SELECT w.* FROM ${windows} w SEMI JOIN ${listed} o USING (${keys})) GROUP BY ALL HAVING arg_max(closed_by, version) IN ('watermark', 'idle')) c USING (${keys})`
  const rows = await db.rows(`SELECT DISTINCT tenant || chr(10) || device || chr(10) || metric, epoch_ms(size)::DOUBLE, epoch_ms(start)::DOUBLE FROM ${listed} o ${closed}`)
  for (const [key, sizeMs, start] of rows) {
    const size = WINDOW_SIZES_MS.indexOf(Number(sizeMs) as (typeof WINDOW_SIZES_MS)[number])
    if (size >= 0) owned.add(String(key), size, Number(start))
  }
  return owned
}
