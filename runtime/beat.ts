/**
 * A beat that everything on one clock shares: what waits for the same instant runs in one turn of the event loop.
 *
 * What a process publishes in one turn leaves in one write, which costs it, the log and every reader of the log far less than as many
 * single ones. Timers of their own, even for the same instant, would not do: promises settle between one timer and the next.
 */

import type { Clock } from './clock.ts'

const beats = new WeakMap<Clock, Map<number, Set<() => void>>>()

/**
 * Calls `run` at the next multiple of `intervalMs` on the clock, so within that time; the answer cancels it. `run` must not throw, since
 * others are called after it.
 */
export function atNextBeat(clock: Clock, intervalMs: number, run: () => void): () => void {
  let ofClock = beats.get(clock)
  if (ofClock === undefined) beats.set(clock, (ofClock = new Map()))
  const waiting = ofClock
  // Another object for each call, so that one function may wait more than once.
  const call = () => run()
  const there = waiting.get(intervalMs)
  if (there !== undefined) there.add(call)
  else {
    const calls = new Set([call])
    waiting.set(intervalMs, calls)
    clock.after(intervalMs - (clock.monotonic() % intervalMs), () => {
      waiting.delete(intervalMs)
      for (const each of calls) each()
    })
  }
  return () => void waiting.get(intervalMs)?.delete(call)
}
