/**
 * Sends history through the front door, as readings of devices: so it is logged, counted, told from duplicates, and settled as any other.
 *
 * Owns requests, their number under way, going on where a run before ended, and the account of what came back. Leaves files to source.ts, how fast
 * to pace.ts, and what a person reads to the command.
 *
 * - B1 The place that is noted is that up to which every row is answered: a run that is killed sends a few rows again, which are duplicates by
 *   value and change nothing.
 * - B2 No row is lost in silence: one that the edge does not take is told to `onReject` with its number and the reason.
 */

import type { Clock } from '../../runtime/clock.ts'
import { pack } from '../../runtime/codec.ts'
import { OperatingError } from '../../runtime/errors.ts'
import { BACKFILL_BATCH_ROWS, BACKFILL_IN_FLIGHT, BACKFILL_OTHERS_MS, BACKFILL_PROBE_MS } from '../../runtime/limits.ts'
import { Pace } from './pace.ts'
import type { HistoryRows, HistorySource } from './source.ts'

export interface Rejected {
  readonly row: number
  readonly device: string
  readonly metric: string
  /** As it was written in the file, where it did not read. */
  readonly raw: string | null
  readonly reason: string
}

/** How far it is. */
export interface Progress {
  /** Every row before this one is answered. */
  row: number
  sent: number
  accepted: number
  rejected: number
  /** Rows a second that it allows itself. */
  rate: number
}

export interface BackfillOptions {
  readonly url: string
  readonly key: string
  readonly source: Pick<HistorySource, 'rows'>
  readonly fromRow: number
  readonly rateMax: number
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onReject: (rejected: Rejected) => void
  /** Called after each answer. */
  readonly onProgress: (progress: Readonly<Progress>) => void
  readonly fetch?: typeof globalThis.fetch
}

/** Rows that were sent, and of them those that the edge did not take. */
interface Own {
  sent: number
  rejected: number
}

const STATUS_MS = 1_000
/** Looks at what is accepted that it takes to say that nobody else sends. */
const LOOKS_MIN = 3
const RETRY_MIN_MS = 200
const RETRY_MAX_MS = 10_000
const ANSWER_MS = 60_000

/** Sends all rows from one on. Gives how far it came: `signal` ends it early. Throws `config` where the key is not accepted. */
export async function backfill(options: BackfillOptions): Promise<Progress> {
  const { source, fromRow, clock, signal, onProgress } = options
  const pace = new Pace(options.rateMax)
  const progress: Progress = { row: fromRow, sent: 0, accepted: 0, rejected: 0, rate: pace.rate }
  const ending = new AbortController()
  const ended = AbortSignal.any([signal, ending.signal])
  const own: Own = { sent: 0, rejected: 0 }
  const watching = watch(options, { pace, own, signal: ended })
  const waiting = new Map<number, number>()
  const underWay = new Set<Promise<void>>()
  let failure: unknown = null
  /** What was read and is not yet sent. */
  let ahead: { readonly of: HistoryRows; at: number } | null = null
  const take = (rows: number): HistoryRows | null => {
    if (ahead === null || ahead.at >= ahead.of.ts.length) return null
    const from = ahead.at
    ahead.at = Math.min(ahead.of.ts.length, from + rows)
    return sliceOf(ahead.of, from, ahead.at)
  }
  const deliver = (rows: HistoryRows, isProbe: boolean): Promise<void> => {
    own.sent += rows.ts.length
    return send(options, pace, rows, { isProbe, signal: ended })
      .then((answer) => {
        if (answer === null) return
        own.rejected += answer.rejected
        progress.sent += rows.ts.length
        progress.accepted += answer.accepted
        progress.rejected += answer.rejected
        progress.rate = pace.rate
        waiting.set(rows.from, rows.ts.length)
        for (let next = waiting.get(progress.row); next !== undefined; next = waiting.get(progress.row)) {
          waiting.delete(progress.row)
          progress.row += next
        }
        onProgress(progress)
      })
      .catch((error) => {
        failure ??= error
        ending.abort()
      })
  }
  const probing = probe(() => {
    // The last rows of all go at once: so does a file that is no more than that.
    const rows = ahead !== null && ahead.of.ts.length >= BACKFILL_BATCH_ROWS ? take(1) : null
    return rows === null ? null : deliver(rows, true)
  }, clock, ended)
  try {
    for await (const of of source.rows(fromRow, BACKFILL_BATCH_ROWS)) {
      ahead = { of, at: 0 }
      const isLast = of.ts.length < BACKFILL_BATCH_ROWS
      while (!ended.aborted && ahead.at < of.ts.length) {
        const waitMs = isLast ? 0 : pace.waitMs(clock.monotonic())
        if (underWay.size >= BACKFILL_IN_FLIGHT) await Promise.race(underWay)
        else if (waitMs > 0) await clock.sleep(Math.min(waitMs, BACKFILL_PROBE_MS), ended)
        else {
          const rows = take(pace.rowsAtOnce)
          if (rows === null) break
          pace.sent(rows.ts.length, clock.monotonic())
          const sending = deliver(rows, false).finally(() => underWay.delete(sending))
          underWay.add(sending)
        }
      }
      if (ended.aborted) break
    }
    ahead = null
    await Promise.all(underWay)
    // A row that was taken to feel the way may still be on it.
    while (!ended.aborted && progress.row < fromRow + own.sent) await clock.sleep(BACKFILL_PROBE_MS, ended)
  } finally {
    ending.abort()
    await Promise.all([watching, probing])
  }
  if (failure !== null) throw failure
  return progress
}

function sliceOf({ from, device, metric, ts, value, raw }: HistoryRows, begin: number, end: number): HistoryRows {
  const of = <T>(column: readonly T[]) => column.slice(begin, end)
  return { from: from + begin, device: of(device), metric: of(metric), ts: of(ts), value: of(value), raw: of(raw) }
}

/** Sends a row now and then, one after the other, whose answers are timed. */
async function probe(next: () => Promise<void> | null, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await next()
    await clock.sleep(BACKFILL_PROBE_MS, signal)
  }
}

/** Learns how far the store is behind, and whether others send, where the key may ask. */
async function watch({ url, key, clock, fetch = globalThis.fetch }: BackfillOptions, { pace, own, signal }: { pace: Pace; own: Own; signal: AbortSignal }): Promise<void> {
  /** The most that others can be said to have sent: all that was accepted, less all that was sent here, of which some may not be accepted yet. */
  let most: number | null = null
  let grownMs = -Infinity
  let looks = 0
  while (!signal.aborted) {
    try {
      const response = await fetch(new URL('/v1/status', url), { headers: { authorization: `Bearer ${key}` }, signal })
      const status = (await response.json()) as { accepted?: number; sealed?: number }
      if (response.status === 401 || response.status === 403) return
      if (response.ok) {
        const { accepted = 0, sealed = 0 } = status
        const theirs = accepted - (own.sent - own.rejected)
        if (most !== null && theirs > most) grownMs = clock.monotonic()
        most = Math.max(most ?? theirs, theirs)
        pace.learn(accepted - sealed, ++looks < LOOKS_MIN ? null : clock.monotonic() - grownMs < BACKFILL_OTHERS_MS)
      }
    } catch {
      // The edge says by its own answers how it is; the store is asked again.
    }
    await clock.sleep(STATUS_MS, signal)
  }
}

/** Sends the readable ones of some rows until they are answered; null where it was ended before. */
async function send(
  options: BackfillOptions,
  pace: Pace,
  rows: HistoryRows,
  { isProbe, signal }: { isProbe: boolean; signal: AbortSignal },
): Promise<{ accepted: number; rejected: number } | null> {
  const { url, key, clock, onReject, fetch = globalThis.fetch } = options
  const sound: number[] = []
  for (let i = 0; i < rows.ts.length; i++) {
    if (rows.raw[i] === null) sound.push(i)
    else onReject(rejectedOf(rows, i, Number.isNaN(rows.ts[i]) ? 'Its time does not read.' : 'Its value is no number.'))
  }
  const unread = rows.ts.length - sound.length
  if (sound.length === 0) return { accepted: 0, rejected: unread }
  const of = <T>(column: readonly T[]) => (unread === 0 ? column : sound.map((i) => column[i]))
  const body = pack({ device: of(rows.device), metric: of(rows.metric), ts: of(rows.ts), value: of(rows.value) })
  // A batch that is sent again by this run or the next is found by value; the key saves looking.
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/msgpack', 'idempotency-key': clock.nonce(16) }
  for (let attempt = 0; !signal.aborted; attempt++) {
    const begunMs = clock.monotonic()
    let pauseMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** attempt)
    try {
      const response = await fetch(new URL('/v1/readings', url), { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer>, signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) })
      const answer = (await response.json().catch(() => ({}))) as { accepted?: number; rejected?: { index: number; reason: string }[]; rejectedCount?: number; detail?: string }
      if (response.status === 202 || response.status === 400) {
        const nowMs = clock.monotonic()
        if (isProbe) pace.probed(nowMs - begunMs, nowMs)
        else pace.answered(nowMs - begunMs)
        const named = answer.rejected ?? []
        for (const { index, reason } of named) onReject(rejectedOf(rows, sound[index], reason))
        if (response.status === 400 && named.length === 0) for (const i of sound) onReject(rejectedOf(rows, i, answer.detail ?? 'The batch was refused.'))
        const accepted = answer.accepted ?? 0
        return { accepted, rejected: unread + sound.length - accepted }
      }
      if (response.status === 401 || response.status === 403) {
        throw new OperatingError('config', `Cannot send to ${url} as the key must be one of an admin or a device (--key): ${answer.detail ?? response.status}`)
      }
      pauseMs = Math.max(pauseMs, 1_000 * Math.min(60, Number(response.headers.get('retry-after') ?? 0) || 0))
    } catch (error) {
      if (error instanceof OperatingError) throw error
    }
    pace.refused()
    await clock.sleep(pauseMs, signal)
  }
  return null
}

function rejectedOf(rows: HistoryRows, i: number, reason: string): Rejected {
  return { row: rows.from + i, device: rows.device[i], metric: rows.metric[i], raw: rows.raw[i] ?? `${rows.ts[i]} ${rows.value[i]}`, reason }
}
