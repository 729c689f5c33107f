/**
 * Whether a port can be listened on, and who holds it where not.
 */

import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** `absent`: the machine has no such address. */
export type PortState = 'free' | 'taken' | 'forbidden' | 'absent'

/** Tries to listen, for a moment. Port 0 is always free. */
export function portState(host: string, port: number): Promise<PortState> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('taken')
      else if (error.code === 'EACCES') resolve('forbidden')
      else if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') resolve('absent')
      else reject(error)
    })
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve('free')))
  })
}

/**
 * The process that listens on `port`, as `name (process id n)`, or null where that can't be found out: elsewhere than on Linux, or for a
 * process of another user.
 */
export async function portHolder(port: number): Promise<string | null> {
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      const [, local, , state] = fields
      // 0A is the state LISTEN; the port is the hexadecimal after the colon.
      if (state === '0A' && Number.parseInt(local!.split(':')[1]!, 16) === port) inodes.add(`socket:[${fields[9]}]`)
    }
  }
  if (inodes.size === 0) return null
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(join('/proc', pid, 'fd', fd)).catch(() => '')
      if (inodes.has(target)) return `${(await readFile(`/proc/${pid}/comm`, 'utf8')).trim()} (process id ${pid})`
    }
  }
  return null
}
