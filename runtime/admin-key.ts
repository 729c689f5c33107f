/**
 * The first admin key of an installation on one machine: made at the first start, kept in `<data>/admin.key` for its owner's eyes only.
 */

import { chmod, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from './clock.ts'
import { OperatingError } from './errors.ts'

export const adminKeyPath = (dataDir: string): string => join(dataDir, 'admin.key')

/** The key in `<dataDir>/admin.key`. Throws `config` where it can't be read. */
export async function readAdminKey(dataDir: string): Promise<string> {
  const path = adminKeyPath(dataDir)
  try {
    const key = (await readFile(path, 'utf8')).trim()
    if (key !== '') return key
  } catch (cause) {
    throw new OperatingError('config', `Cannot read the admin key as ${path} must be readable: ${(cause as Error).message}. Give a key with --key, or name the data folder with --data`, { cause })
  }
  throw new OperatingError('config', `Cannot use the admin key as ${path} must hold one: it is empty. Remove it, and the next start makes a new one`)
}

/** The key in `<dataDir>/admin.key`, made with mode 0600 where there is none. */
export async function ensureAdminKey(dataDir: string, clock: Clock): Promise<string> {
  const path = adminKeyPath(dataDir)
  try {
    // Exclusive, so that of two starts at once one makes the key and both use it.
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(`weir_admin_${clock.nonce(20)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    // A umask can only take permissions away; a file system without them says nothing.
    await chmod(path, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readAdminKey(dataDir)
}
