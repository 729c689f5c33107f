/** The machine's own disk, with a hook that is asked at both ends of each call: where it throws, the call rejects, having done nothing or all. */

import { systemDisk } from '../../runtime/disk.ts'
import type { Disk } from '../../runtime/disk.ts'

export type DiskMoment = 'before' | 'after'

export function failingDisk(hook: (operation: keyof Disk, path: string, moment: DiskMoment) => void): Disk {
  const wrapped = Object.entries(systemDisk).map(([operation, call]: [string, (...args: never[]) => Promise<unknown>]) => [
    operation,
    async (...args: never[]) => {
      hook(operation as keyof Disk, args[0], 'before')
      const answer = await call(...args)
      hook(operation as keyof Disk, args[0], 'after')
      return answer
    },
  ])
  return Object.fromEntries(wrapped) as unknown as Disk
}
