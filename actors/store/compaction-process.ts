/**
 * Runs one merge in a process of its own, below everybody else in priority: its job comes over IPC, its segment goes back, and it ends.
 * It ends as well when its parent does.
 */

import { setPriority } from 'node:os'
import process from 'node:process'
import { compact } from './compaction.ts'
import type { CompactionJob } from './compaction.ts'
import { duckdbShelf } from './duckdb-shelf.ts'

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
process.once('message', (job: CompactionJob) => {
  const answer = (message: object) => process.send!(message, () => process.exit(0))
  compact(job, { shelf: duckdbShelf }).then(
    (segment) => answer({ segment }),
    (error: unknown) => answer({ error: String(error) }),
  )
})
