/**
 * One process a folder: a lock that dies with the process that holds it, however it dies, and that can name its holder.
 *
 * The lock is a socket that listens under a name made from the folder's identity (device and inode, so that every path to the folder
 * gives the same name). On Linux the name is in the abstract namespace, which the kernel frees with the process. Elsewhere it is a file
 * in the folder for temporary files; one that a dead process left behind answers nobody, and is removed.
 *
 * Processes of different network namespaces (containers that share a volume) do not see each other's names: there the lock of the lake
 * itself is what holds.
 */

import { stat, unlink } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { OperatingError } from './errors.ts'

export interface FolderLock {
  release(): Promise<void>
}

/** Takes the lock `name` of `folder`. Throws `config` where another process holds it, and says which. */
export async function lockFolder(folder: string, name: string): Promise<FolderLock> {
  const { dev, ino } = await stat(folder)
  const abstract = process.platform === 'linux'
  const path = abstract ? `\0${name}.${dev}.${ino}` : join(tmpdir(), `${name}.${dev}.${ino}.sock`)
  for (let attempt = 0; ; attempt++) {
    try {
      const server = await listen(path)
      return { release: () => new Promise((resolve) => server.close(() => resolve())) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      const holder = await ask(path)
      if (holder === null && !abstract && attempt === 0) {
        await unlink(path).catch(() => {})
        continue
      }
      const who = holder ? ` with process id ${holder}` : ''
      throw new OperatingError('config', `Cannot use ${folder} as one ${name} alone must work in it: another one${who} does. End it first, or choose another folder with --data`, { cause: error })
    }
  }
}

function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => {}).end(String(process.pid)))
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve(server.unref()))
  })
}

/** What the holder says of itself, or null where nobody answers. */
function ask(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    let said = ''
    const socket = connect(path)
    socket.setTimeout(1_000, () => socket.destroy())
    socket.on('data', (chunk) => (said += chunk.toString()))
    socket.on('error', () => {})
    socket.on('close', () => resolve(/^\d+$/.test(said) ? said : null))
  })
}
