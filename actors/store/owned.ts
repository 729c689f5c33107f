/** Reads the list of owned windows back from the segments, when the writer starts. */

import type { Segment } from './manifest.ts'
import { OwnedWindows } from './recompute.ts'
import type { Shelf } from './shelf.ts'

/**
 * Owned windows that the actor may still send rows for: those whose newest row is not one that the actor closed. A few more than
 * that do no harm.
 */
export async function loadOwned(shelf: Shelf, segments: readonly Segment[]): Promise<OwnedWindows> {
  const owned = new OwnedWindows()
  for (const { key, size, start } of await shelf.owned(segments)) owned.add(key, size, start)
  return owned
}
