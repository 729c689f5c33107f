/**
 * The life of one process of Weir, from its title to its exit code, the same for every role.
 *
 * Owns signals, the pipe from the supervisor, the bound on draining, and what happens to errors that nobody caught. Leaves
 * the work to `start`, and what draining means to the `stop` that it gives.
 *
 * Invariants
 * - P1 The first SIGTERM or SIGINT drains; a second one ends the process at once. What comes within `ECHO_MS` of the first is the
 *   first: Ctrl-C reaches a program under `npm start` twice, from the terminal and from npm.
 * - P2 A supervised process (`WEIR_SUPERVISED=1`) ignores SIGINT, which a terminal sends to its whole group, and drains when its
 *   stdin closes: so it outlives neither an orderly end of its supervisor nor a kill -9 of it.
 * - P3 Exit code 0 means drained; 1 means that something was given up.
 */

import process from 'node:process'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { isOperating } from './errors.ts'
import { DRAIN_MAX_MS } from './limits.ts'

const ECHO_MS = 500

/** The part of a pino logger that is needed here. */
export interface ProcessLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What a started process can do. */
export interface Running {
  /** Drains and closes; called once. */
  stop(): Promise<void>
  /** Where the work has an end of its own: the process stops and exits when it resolves, with code 1 when it rejects. */
  readonly done?: Promise<void>
}

export interface ProcessOptions {
  /** Name of the process for `ps` and `pgrep -x`: 15 characters at most. */
  readonly title: string
  readonly logger: ProcessLogger
  /** Begins the work. The signal aborts when the end begins, so that a start that waits for something can give up. */
  start(signal: AbortSignal): Promise<Running>
  /** Bound on `stop`; `DRAIN_MAX_MS` by default. */
  readonly drainMs?: number
  readonly clock?: Clock
}

/**
 * Runs a process until it is told to end, and then ends it: never resolves.
 *
 * @example
 * await runProcess({ title: 'weir-edge', logger, start: async (signal) => startEdge({ signal }) })
 */
export async function runProcess({ title, logger, start, drainMs = DRAIN_MAX_MS, clock = systemClock }: ProcessOptions): Promise<never> {
  process.title = title
  const supervised = process.env.WEIR_SUPERVISED === '1'
  const ending = new AbortController()
  let begun: Promise<Running> | undefined

  const drain = async (why: string) => {
    ending.abort()
    logger.info({ why }, `${title} drains`)
    const stopped = (async () => {
      // A start that fails while the process ends has nothing left to stop.
      const running = await begun?.catch(() => undefined)
      await running?.stop()
      return true
    })()
    const inTime = await Promise.race([stopped, clock.sleep(drainMs).then(() => false)])
    if (!inTime) logger.error({ drainMs }, `${title} did not drain within ${drainMs} ms and ends as it is`)
    process.exit(inTime ? 0 : 1)
  }
  const fail = (error: unknown, message: string): never => {
    // An operating error says by itself what to do; the stack is of use only for a bug.
    logger.error(isOperating(error) ? { code: error.code } : { err: error }, isOperating(error) ? error.message : message)
    process.exit(1)
  }
  let endedMs = 0
  const end = (why: string) => {
    if (ending.signal.aborted) {
      if (clock.monotonic() - endedMs < ECHO_MS) return
      logger.warn({ why }, `${title} ends at once`)
      process.exit(1)
    }
    endedMs = clock.monotonic()
    drain(why).catch((error) => fail(error, `${title} failed to drain`))
  }

  // The reader of this process' output may be gone before the process is: that must not keep it from draining.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  process.on('uncaughtException', (error) => fail(error, `${title} ends as of an error that nobody caught`))
  process.on('unhandledRejection', (error) => fail(error, `${title} ends as of a promise that nobody caught`))
  process.on('SIGTERM', () => end('SIGTERM'))
  process.on('SIGINT', () => {
    if (!supervised) end('SIGINT')
  })
  if (supervised) {
    // A pipe that closes after SIGTERM is no second order to end.
    const orphaned = () => {
      if (!ending.signal.aborted) end('the supervisor is gone')
    }
    process.stdin.on('end', orphaned).on('close', orphaned).on('error', orphaned).resume()
  }

  begun = (async () => start(ending.signal))()
  try {
    const running = await begun
    if (running.done !== undefined && !ending.signal.aborted) {
      await running.done
      if (!ending.signal.aborted) end('its work is done')
    }
  } catch (error) {
    if (!ending.signal.aborted) fail(error, `${title} failed`)
  }
  return new Promise<never>(() => {})
}
