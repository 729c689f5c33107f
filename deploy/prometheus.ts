/** Where Prometheus and its promtool are on this machine, for the tests of the rules and of a scrape. */

import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { unpackDebian } from '../runtime/debian.ts'

/** Both programs, by their paths. */
export interface Prometheus {
  readonly prometheus: string
  readonly promtool: string
}

const CACHE = join(import.meta.dirname, '..', '.cache', 'prometheus')

/** Those in the folder named by `PROMETHEUS`, else the first on the PATH, else the ones that set-up unpacked; null where there are none. */
export function findPrometheus(env: Readonly<Record<string, string | undefined>> = process.env, cacheDir: string = CACHE): Prometheus | null {
  const folders = [env.PROMETHEUS ?? '', ...(env.PATH ?? '').split(delimiter), join(cacheDir, 'usr', 'bin')].filter((folder) => folder !== '')
  for (const folder of folders) {
    const found = { prometheus: join(folder, 'prometheus'), promtool: join(folder, 'promtool') }
    if (isExecutable(found.prometheus) && isExecutable(found.promtool)) return found
  }
  return null
}

/** Unpacks Debian's package into the cache, without root. Rejects with the reason in words. */
export async function obtainPrometheus(cacheDir: string = CACHE): Promise<void> {
  await mkdir(join(cacheDir, '..'), { recursive: true })
  const folder = await mkdtemp(`${cacheDir}-`)
  try {
    await rename(await unpackDebian({ name: 'prometheus', folder }), cacheDir)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
