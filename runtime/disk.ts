/**
 * The disk port: what Weir asks of a file system, and no more, so that a simulator can hand it another one.
 *
 * Owns the promises about what lasts, and the implementation on the machine's own files. Leaves faults on purpose to memory-disk.ts;
 * one conformance suite holds both to the same laws.
 *
 * - D1 A call that was answered is seen by every later call of any process on the machine, for as long as the machine runs.
 * - D2 A file's content outlasts a power cut once `syncFile` of it has answered; before that, what is left may be old, cut short, or nothing.
 * - D3 A name that was made, moved or removed outlasts a power cut once `syncFolder` of its folder has answered; before that it may be
 *   as it was. A move is never half done as long as the machine runs: who looks sees the one or the other under the new name, never nothing.
 * - D4 A folder that `makeFolder` has answered for outlasts a power cut, as do those above it that it made.
 * - D5 An error of the system carries its `code` (ENOENT, ENOSPC, EIO …). What is not there is null where a call says so.
 */

import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

export interface Disk {
  /** Makes a folder and those above it that are missing, lastingly (D4); nothing where it is there. */
  makeFolder(path: string): Promise<void>
  /** Names in a folder, sorted; null where it is not there. */
  list(path: string): Promise<string[] | null>
  /** A whole file, or null where it is not there. */
  read(path: string): Promise<Uint8Array | null>
  /** Bytes of a file, or null where it is not there. */
  size(path: string): Promise<number | null>
  /** Writes a whole file, in place of any before; lasting only after `syncFile`, its name after `syncFolder`. */
  write(path: string, bytes: Uint8Array): Promise<void>
  syncFile(path: string): Promise<void>
  syncFolder(path: string): Promise<void>
  /** Moves a file to another name, in place of any that is there. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file. Rejects with ENOENT where it is not there. */
  remove(path: string): Promise<void>
  /** Removes a file, or a folder with all that is in it; nothing where it is not there. */
  removeAll(path: string): Promise<void>
  /** Takes from everyone the right to write a file. */
  makeReadOnly(path: string): Promise<void>
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code
}

/** What the call gives, or null where the file or folder is not there. */
async function orAbsent<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function makeFolder(path: string): Promise<void> {
  const above = dirname(path)
  try {
    await mkdir(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && above !== path) {
      await makeFolder(above)
      return makeFolder(path)
    }
    if (codeOf(error) !== 'EEXIST') throw error
  }
  // Of one that is there already too: who made it may have died before this.
  await sync(above)
}

/** The machine's own files, on Node and on Deno. */
export const systemDisk: Disk = {
  makeFolder: (path) => makeFolder(resolve(path)),
  list: async (path) => (await orAbsent(readdir(path)))?.sort() ?? null,
  read: (path) => orAbsent(readFile(path)),
  size: async (path) => {
    const found = await orAbsent(stat(path))
    return found?.isFile() === true ? found.size : null
  },
  write: (path, bytes) => writeFile(path, bytes),
  syncFile: sync,
  syncFolder: sync,
  rename,
  remove: unlink,
  removeAll: (path) => rm(path, { recursive: true, force: true }),
  makeReadOnly: (path) => chmod(path, 0o444),
}
