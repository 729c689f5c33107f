/**
 * The only file that reads a clock, sleeps, or draws a random number. Everything else is handed a `Clock`, so
 * that a simulator can hand it another one.
 */

import { randomBytes } from 'node:crypto'

export interface Clock {
  /** Wall clock, epoch milliseconds. */
  now(): number
  /** Monotonic time in milliseconds, for durations only. */
  monotonic(): number
  /** Resolves after `ms`, or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `run` after `ms`; the answer cancels it. The timer alone does not keep the process alive. */
  after(ms: number, run: () => void): () => void
  /** A number in [0, 1). */
  random(): number
  /** A name that no one else draws: `bytes` random bytes in hexadecimal. */
  nonce(bytes?: number): string
}

/** The machine's own clock, timers and randomness. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done)
    }),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    timer.unref?.()
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
  nonce: (bytes = 8) => randomBytes(bytes).toString('hex'),
}
