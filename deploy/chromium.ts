/** Where a Chromium is on this machine, for the tests of the dashboard. */

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The program named by `CHROMIUM`, else the first on the PATH, else Debian's; null where there is none. */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string | null {
  const folders = [...(env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''), '/usr/bin']
  const onPath = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)))
  return [...(env.CHROMIUM ? [env.CHROMIUM] : []), ...onPath].find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
