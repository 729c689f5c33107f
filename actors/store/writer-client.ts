/**
 * Starts the lake's writer as a child process, keeps it running, and passes on what it says.
 *
 * - W1 A child that ends unasked is started again, at once the first time, then after growing pauses; it goes on from the newest manifest.
 */

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Clock } from '../../runtime/clock.ts'
import { DRAIN_MAX_MS } from '../../runtime/limits.ts'
import { childEnv } from './compaction-client.ts'
import type { FollowerLogger } from './follow.ts'
import type { WriterMessage, WriterProcessOptions } from './writer-process.ts'
import type { LakeWriterStatus } from './writer.ts'

export type { WriterProcessOptions } from './writer-process.ts'
export type { LakeWriterStatus } from './writer.ts'

export interface WriterClientOptions extends WriterProcessOptions {
  readonly clock: Clock
  readonly logger: FollowerLogger
  /** A new manifest is in place, as is its catalog. Comes once at each start as well; version 0 means that the lake is empty. */
  readonly onManifest: (version: number) => void
  readonly onStatus?: (status: LakeWriterStatus) => void
  /** The child said why it can't go on; it is started again all the same. */
  readonly onFailed?: (failure: { code: string | null; message: string }) => void
}

export interface WriterProcess {
  /** Process id of the child that runs now, or null between two. */
  readonly pid: number | null
  /** Whether a child runs that has opened the lake. */
  readonly ready: boolean
  /** Has it seal what is covered, and waits for its end. */
  stop(): Promise<void>
}

const PAUSE_MIN_MS = 200
const PAUSE_MAX_MS = 5_000
/** A child that ran so long has not failed at its start. */
const SETTLED_MS = 30_000

export function startWriterProcess(options: WriterClientOptions): WriterProcess {
  const { clock, logger, onManifest, onStatus, onFailed, ...plain } = options
  const ending = new AbortController()
  let child: ChildProcess | null = null
  let ready = false

  const runOnce = () =>
    new Promise<string>((resolve) => {
      const env = childEnv({ WEIR_STORE_WRITER: JSON.stringify(plain satisfies WriterProcessOptions) })
      const started = fork(new URL('./writer-process.ts', import.meta.url), [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env })
      child = started
      started.on('message', (data) => {
        const message = data as WriterMessage
        if (message.type === 'manifest') {
          ready = true
          onManifest(message.version)
        } else if (message.type === 'status') onStatus?.(message.status)
        else onFailed?.({ code: message.code, message: message.message })
      })
      started.on('error', (error) => resolve(error.message))
      started.on('exit', (code, signal) => resolve(signal ?? `code ${code}`))
    })

  const done = (async () => {
    let pauseMs = 0
    while (!ending.signal.aborted) {
      const begunMs = clock.monotonic()
      const how = await runOnce()
      child = null
      ready = false
      if (ending.signal.aborted) return
      if (clock.monotonic() - begunMs > SETTLED_MS) pauseMs = 0
      logger.warn({ how, againInMs: pauseMs }, 'the lake writer ended and is started again')
      await clock.sleep(pauseMs, ending.signal)
      pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, pauseMs * 2))
    }
  })()

  return {
    get pid() {
      return child?.pid ?? null
    },
    get ready() {
      return ready
    },
    async stop() {
      ending.abort()
      child?.kill('SIGTERM')
      const cancel = clock.after(DRAIN_MAX_MS, () => child?.kill('SIGKILL'))
      await done
      cancel()
    },
  }
}
