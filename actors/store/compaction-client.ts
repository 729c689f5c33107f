/** Has merges and parts made by a process of their own, so that neither its memory nor its processor time is the writer's. */

import { fork } from 'node:child_process'
import process from 'node:process'
import type { CompactionJob } from './compaction.ts'
import type { Segment } from './manifest.ts'
import type { Made, PartsJob } from './parts.ts'

/** As `compact`, in another process; it is killed when `signal` aborts. */
export const compactAside = (job: CompactionJob, signal: AbortSignal): Promise<Segment> => aside({ merge: job }, signal)

/** As `makeParts`, in the same way. */
export const makePartsAside = (job: PartsJob, signal: AbortSignal): Promise<Made> => aside({ parts: job }, signal)

function aside<T>(message: { merge: CompactionJob } | { parts: PartsJob }, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('the merge was given up'))
    const child = fork(new URL('./compaction-process.ts', import.meta.url), [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env: childEnv() })
    const kill = () => void child.kill('SIGKILL')
    signal.addEventListener('abort', kill)
    let answered: { made?: T; error?: string } | null = null
    child.on('message', (answer) => (answered = answer as { made?: T; error?: string }))
    child.on('error', reject)
    child.on('exit', (code, by) => {
      signal.removeEventListener('abort', kill)
      if (answered?.made !== undefined) resolve(answered.made)
      else reject(new Error(answered?.error ?? `the process that merges ended with ${by ?? `code ${code}`}`))
    })
    child.send(message)
  })
}

/** The environment of a child that its parent looks after: it must not take the parent's supervisor for its own. */
export function childEnv(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const env = { ...process.env, ...more }
  delete env.WEIR_SUPERVISED
  return env
}
