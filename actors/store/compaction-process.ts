/**
 * Runs one merge, or makes parts of one segment, in a process of its own, below everybody else in priority: its job comes over IPC, what came of it goes
 * back, and it ends.
 * It ends as well when its parent does.
 */

import { setPriority } from 'node:os'
import process from 'node:process'
import { compact } from './compaction.ts'
import type { CompactionJob } from './compaction.ts'
import { duckdbShelf } from './duckdb-shelf.ts'
import { makeParts } from './parts.ts'
import type { PartsJob } from './parts.ts'

/** Of 19, which is the least. */
const NICENESS = 10

process.title = 'weir-compact'
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(1))
try {
  setPriority(NICENESS)
} catch {
  // Where priorities can't be set the merge runs at the usual one.
}
process.once('message', (message: { merge: CompactionJob } | { parts: PartsJob }) => {
  const answer = (message: object) => process.send!(message, () => process.exit(0))
  const made: Promise<unknown> = 'merge' in message ? compact(message.merge, { shelf: duckdbShelf }) : makeParts(message.parts, { shelf: duckdbShelf })
  made.then(
    (made) => answer({ made }),
    (error: unknown) => answer({ error: String(error) }),
  )
})
