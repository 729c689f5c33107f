/** Whether all is well, in one word for the dot and a few for the reader. Pure. */

import { duration } from './format.ts'
import type { Status } from './shapes.ts'

/** Beyond this, lag is worth a word. */
const LAG_WARN_MS = 10_000

/** Whether all is owned and kept up with, in a few words; who is there, where there is room for it. */
export function health(status: Status): { state: 'good' | 'warn' | 'bad'; text: string; detail?: string } {
  const of = (role: string) => status.members.filter((m) => m.role === role).length
  const orphans = status.partitions.filter((p) => p.owner === null || p.owner === '').length
  if (status.members.length > 0 && of('worker') === 0) return { state: 'bad', text: 'No worker' }
  if (orphans > 0) return { state: 'warn', text: `${orphans} partition${orphans === 1 ? '' : 's'} without a worker` }
  if (status.processed < status.accepted && status.lagMs > LAG_WARN_MS) return { state: 'warn', text: `Behind by ${duration(status.lagMs)}` }
  const people = [`${of('worker')} worker${of('worker') === 1 ? '' : 's'}`, `${of('store')} store${of('store') === 1 ? '' : 's'}`]
  return { state: 'good', text: 'All well', detail: status.members.length > 0 ? people.join(', ') : undefined }
}
