/** Has a merge done by a process of its own, so that neither its memory nor its processor time is the writer's. */

import { fork } from 'node:child_process'
import process from 'node:process'
import type { CompactionJob } from './compaction.ts'
import type { Segment } from './manifest.ts'

/** As `compact`, in another process; it is killed when `signal` aborts. */
export function compactAside(job: CompactionJob, signal: AbortSignal): Promise<Segment> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('the merge was given up'))
    const child = fork(new URL('./compaction-process.ts', import.meta.url), [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env: childEnv() })
    const kill = () => void child.kill('SIGKILL')
    signal.addEventListener('abort', kill)
    let answered: { segment?: Segment; error?: string } | null = null
    child.on('message', (message) => (answered = message as { segment?: Segment; error?: string }))
    child.on('error', reject)
    child.on('exit', (code, by) => {
      signal.removeEventListener('abort', kill)
      if (answered?.segment !== undefined) resolve(answered.segment)
      else reject(new Error(answered?.error ?? `the process that merges ended with ${by ?? `code ${code}`}`))
    })
    child.send(job)
  })
}

/** The environment of a child that its parent looks after: it must not take the parent's supervisor for its own. */
export function childEnv(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const env = { ...process.env, ...more }
  delete env.WEIR_SUPERVISED
  return env
}
