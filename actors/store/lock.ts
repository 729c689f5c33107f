/**
 * One writer a lake: a lock that dies with the process that holds it, however it dies.
 *
 * The lock is the one that DuckDB takes on a file that it holds open for writing (fcntl, a process). So nothing else in this
 * process may ever open that file: closing it anywhere would drop the lock.
 */

import { DuckDBInstance } from '@duckdb/node-api'
import { join, resolve } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import { systemDisk } from '../../runtime/disk.ts'
import { OperatingError } from '../../runtime/errors.ts'
import { STORE_LOCK_WAIT_MS } from '../../runtime/limits.ts'
import type { LakeLock } from './shelf.ts'

export const LOCK_RETRY_MS = 100

// DuckDB lets one process open a file twice, so the lock within this process is kept here.
const held = new Set<string>()

/**
 * Takes the lock of `lakeDir`, waiting for one that is about to die up to `waitMs`. Throws `OperatingError` `config` when
 * another process keeps it.
 */
export async function lockLake(lakeDir: string, clock: Clock, waitMs: number = STORE_LOCK_WAIT_MS): Promise<LakeLock> {
  await systemDisk.makeFolder(lakeDir)
  const path = resolve(join(lakeDir, 'lock.duckdb'))
  const until = clock.monotonic() + waitMs
  for (;;) {
    const refused = held.has(path) ? new Error('this process holds it') : null
    if (refused === null) {
      held.add(path)
      try {
        const instance = await DuckDBInstance.create(path, { threads: '1' })
        return {
          release() {
            instance.closeSync()
            held.delete(path)
          },
        }
      } catch (error) {
        held.delete(path)
        if (clock.monotonic() >= until) throw lakeTaken(lakeDir, error)
      }
    } else if (clock.monotonic() >= until) throw lakeTaken(lakeDir, refused)
    await clock.sleep(LOCK_RETRY_MS)
  }
}

/** The error of who may not write a lake, since another one does. */
export function lakeTaken(lakeDir: string, cause: unknown): OperatingError {
  return new OperatingError('config', `Cannot open the lake as one store alone must write it: another process holds ${lakeDir}. End it, or give this store another --data`, { cause })
}
