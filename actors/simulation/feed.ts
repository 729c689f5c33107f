/**
 * Paces the simulation: when which readings go to the sender. The weather is told in a given time, faster than life; the farm tells its
 * past as fast as it is taken, and then goes on in the present.
 *
 * The past is told in order of time, coarsely up to its last hours, with the faults of sensors but not those of delivery: a history that was kept
 * somewhere else comes like that, and nothing of it is late.
 */

import type { Clock } from '../../runtime/clock.ts'
import type { Reading } from '../reading/input.ts'
import { deliveries } from './faults.ts'
import type { Delivery, Farm } from './faults.ts'
import type { PlotsFarm } from './plots.ts'
import type { Sender } from './sender.ts'

/** Readings of one request; of the past, where nobody waits for the single one, more. */
const BATCH = 500
const PAST_BATCH = 4_000
/** How often what the farm measured meanwhile is sent. */
const ROUND_MS = 500
/** Of its last hours every so manieth instant is told. */
const RECENT_STRIDE = 15
const HOUR_MS = 3_600_000
const RECENT_MS = 6 * HOUR_MS
/** Of what lies before them a reading so often. */
const PAST_EVERY_MS = 600_000

interface Feeding {
  readonly sender: Pick<Sender, 'send'>
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

/**
 * Sends the farm's past from `pastFromMs` on, tells `onPast` that it is done, then sends its present, for `forMs` (0: until the signal).
 */
export async function feedFarm(
  { sender, clock, signal }: Feeding,
  farm: Farm,
  { pastFromMs, forMs, onPast }: { pastFromMs: number; forMs: number; onPast?: (readings: number) => void },
): Promise<void> {
  let waiting: Delivery[] = []
  const sendDue = async (nowMs: number) => {
    const due = waiting.filter(({ atMs }) => atMs <= nowMs).map(({ reading }) => reading)
    waiting = waiting.filter(({ atMs }) => atMs > nowMs)
    for (let from = 0; from < due.length; from += BATCH) await sender.send(due.slice(from, from + BATCH), signal)
  }

  const beganMs = clock.now()
  let toldMs = pastFromMs
  let told = 0
  let batch: Reading[] = []
  const flush = async () => {
    told += batch.length
    await sender.send(batch, signal)
    batch = []
  }
  // Hour by hour, so that a long past is never in memory as a whole. Telling it takes its time; the present then goes on from where it has come to.
  while (clock.now() - toldMs > RECENT_STRIDE * farm.intervalMs && !signal.aborted) {
    const recent = toldMs >= beganMs - RECENT_MS
    const toMs = Math.min(toldMs + HOUR_MS, recent ? clock.now() : beganMs - RECENT_MS)
    for (const { reading } of deliveries(pastOf(farm, recent), toldMs, toMs)) {
      batch.push(reading)
      if (batch.length === PAST_BATCH) await flush()
    }
    toldMs = toMs
  }
  await flush()
  if (!signal.aborted) onPast?.(told)
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

/** Sends what is measured on the plots from `fromMs` on: their past at once and in order, then each hour when it has ended. */
export async function feedPlots({ sender, clock, signal }: Feeding, plots: Pick<PlotsFarm, 'hours'>, { fromMs, forMs }: { fromMs: number; forMs: number }): Promise<void> {
  const endMs = forMs === 0 ? Infinity : clock.monotonic() + forMs
  do {
    const due = plots.hours(fromMs, clock.now())
    for (let at = 0; at < due.length && !signal.aborted; at += BATCH) await sender.send(due.slice(at, at + BATCH), signal)
    await clock.sleep(ROUND_MS, signal)
  } while (!signal.aborted && clock.monotonic() < endMs)
}

/** The farm as its past is told: in order, each reading once, less often than in the present. */
function pastOf(farm: Farm, recent: boolean): Farm {
  const stride = recent ? RECENT_STRIDE : Math.max(RECENT_STRIDE, Math.round(PAST_EVERY_MS / farm.intervalMs))
  return { ...farm, intervalMs: farm.intervalMs * stride, rates: { ...farm.rates, disordered: 0, late: 0, duplicate: 0 } }
}

/** Batches of all lists, each list spread evenly over the whole. */
function interleaved(lists: readonly (readonly Reading[])[]): Reading[][] {
  const placed = lists.flatMap((list) => {
    const count = Math.ceil(list.length / BATCH)
    return Array.from({ length: count }, (_, i) => ({ at: i / count, batch: list.slice(i * BATCH, (i + 1) * BATCH) }))
  })
  return placed.sort((a, b) => a.at - b.at).map(({ batch }) => batch)
}
