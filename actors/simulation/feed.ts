/**
 * Paces the simulation: when which readings go to the sender. The weather is told in a given time, faster than life; the farm tells its
 * past at once, and then goes on in the present.
 */

import type { Clock } from '../../runtime/clock.ts'
import type { Reading } from '../reading/input.ts'
import { deliveries } from './faults.ts'
import type { Delivery, Farm } from './faults.ts'
import type { Sender } from './sender.ts'

/** Readings of one request. */
const BATCH = 500
/** How often what the farm measured meanwhile is sent. */
const ROUND_MS = 500
/** Of the past every so manieth instant is told. */
const PAST_STRIDE = 15
const HOUR_MS = 3_600_000

interface Feeding {
  readonly sender: Sender
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Sends all of `series` within `withinMs`, each spread evenly over that time, in order. */
export async function feedSeries({ sender, clock, signal }: Feeding, series: readonly (readonly Reading[])[], withinMs: number): Promise<void> {
  const batches = interleaved(series)
  const beganMs = clock.monotonic()
  for (const [index, batch] of batches.entries()) {
    if (signal.aborted) return
    await sender.send(batch, signal)
    const turnMs = beganMs + ((index + 1) * withinMs) / batches.length
    await clock.sleep(Math.max(0, turnMs - clock.monotonic()), signal)
  }
}

/** Sends the farm's last `pastMs`, then its present, for `forMs` (0: until the signal). */
export async function feedFarm({ sender, clock, signal }: Feeding, farm: Farm, { pastMs, forMs }: { pastMs: number; forMs: number }): Promise<void> {
  let waiting: Delivery[] = []
  const sendDue = async (nowMs: number) => {
    const due = waiting.filter(({ atMs }) => atMs <= nowMs).map(({ reading }) => reading)
    waiting = waiting.filter(({ atMs }) => atMs > nowMs)
    for (let from = 0; from < due.length; from += BATCH) await sender.send(due.slice(from, from + BATCH), signal)
  }

  let toldMs = clock.now()
  const past = { ...farm, intervalMs: farm.intervalMs * PAST_STRIDE }
  // Hour by hour, so that a long past is never in memory as a whole.
  for (let fromMs = toldMs - pastMs; fromMs < toldMs && !signal.aborted; fromMs += HOUR_MS) {
    const toMs = Math.min(toldMs, fromMs + HOUR_MS)
    waiting.push(...deliveries(past, fromMs, toMs))
    await sendDue(toMs)
  }
  const endMs = forMs === 0 ? Infinity : clock.monotonic() + forMs
  while (!signal.aborted && clock.monotonic() < endMs) {
    const nowMs = clock.now()
    // After an outage, or a sleep of the machine, it makes up for an hour at most.
    waiting.push(...deliveries(farm, Math.max(toldMs, nowMs - HOUR_MS), nowMs))
    toldMs = Math.max(toldMs, nowMs)
    await sendDue(nowMs)
    await clock.sleep(ROUND_MS, signal)
  }
}

/** Batches of all lists, each list spread evenly over the whole. */
function interleaved(lists: readonly (readonly Reading[])[]): Reading[][] {
  const placed = lists.flatMap((list) => {
    const count = Math.ceil(list.length / BATCH)
    return Array.from({ length: count }, (_, i) => ({ at: i / count, batch: list.slice(i * BATCH, (i + 1) * BATCH) }))
  })
  return placed.sort((a, b) => a.at - b.at).map(({ batch }) => batch)
}
