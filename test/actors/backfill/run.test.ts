/** The sending of history against an edge that answers as it is told to. */

import { describe, expect, test } from 'vitest'
import { Pace } from '../../../actors/backfill/pace.ts'
import { backfill } from '../../../actors/backfill/run.ts'
import type { BackfillOptions, Progress, Rejected } from '../../../actors/backfill/run.ts'
import type { HistoryRows } from '../../../actors/backfill/source.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { unpack } from '../../../runtime/codec.ts'
import { seeded } from '../../support/random.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { BACKFILL_BATCH_ROWS, BACKFILL_BEHIND_MAX, BACKFILL_RATE_MIN } from '../../../runtime/limits.ts'

const ROWS = 5
/** `batches` of five rows each, whose value is their number. */
const sourceOf = (batches: number) => ({
  async *rows(from: number): AsyncGenerator<HistoryRows> {
    for (let at = from; at < batches * ROWS; at += ROWS) {
      const each = <T>(of: (row: number) => T) => Array.from({ length: ROWS }, (_, i) => of(at + i))
      yield { from: at, device: each(() => 'd'), metric: each(() => 'm'), ts: each((row) => (row % 7 === 6 ? NaN : 1_700_000_000_000 + row)), value: each((row) => row), raw: each((row) => (row % 7 === 6 ? 'soon' : null)) }
    }
  },
})

type Answer = { status: number; body?: object; headers?: Record<string, string> }

async function run(options: { batches: number; answer: (values: number[]) => Answer; fromRow?: number; behind?: () => number; onProgress?: (p: Progress) => void; signal?: AbortSignal }) {
  const rejected: Rejected[] = []
  const taken: number[] = []
  const fetch = (async (url: URL, init: RequestInit) => {
    if (url.pathname === '/v1/status') return Response.json({ accepted: options.behind?.() ?? 0, sealed: 0 })
    const { value } = unpack<{ value: number[] }>(init.body as Uint8Array)
    const { status, body = {}, headers } = options.answer(value)
    if (status === 202) taken.push(...value)
    return Response.json(body, { status, headers })
  }) as unknown as typeof globalThis.fetch
  const { signal = new AbortController().signal, fromRow = 0, onProgress = () => {} } = options
  const of: BackfillOptions = { url: 'http://edge', key: 'k', source: sourceOf(options.batches), fromRow, rateMax: 0, clock: systemClock, signal, onReject: (r) => rejected.push(r), onProgress, fetch }
  const progress = await backfill(of)
  return { progress, rejected, taken: taken.sort((a, b) => a - b) }
}

const all = (values: number[]): Answer => ({ status: 202, body: { accepted: values.length, rejected: [] } })
const readable = (rows: number) => Array.from({ length: rows }, (_, i) => i).filter((row) => row % 7 !== 6)

describe('a backfill', () => {
  test('sends every row that reads, and tells of each other one by its number', async () => {
    const { progress, rejected, taken } = await run({ batches: 8, answer: all })
    expect(taken).toEqual(readable(40))
    expect(progress).toMatchObject({ row: 40, sent: 40, accepted: 35, rejected: 5 })
    expect(rejected.map((r) => r.row)).toEqual([6, 13, 20, 27, 34])
    expect(rejected[0]).toMatchObject({ device: 'd', raw: 'soon', reason: 'Its time does not read.' })
  })

  test('tells of what the edge refuses by the row of the file, and not by that of the request', async () => {
    const { progress, rejected } = await run({ batches: 2, answer: (values) => ({ status: 202, body: { accepted: values.length - 1, rejected: [{ index: values.length - 1, reason: 'no' }] } }) })
    expect(rejected.map(({ row, reason }) => [row, reason]).sort()).toEqual([[4, 'no'], [6, 'Its time does not read.'], [9, 'no']])
    expect(progress).toMatchObject({ sent: 10, accepted: 7, rejected: 3 })
  })

  test('tries again what was not taken for want of room or of an answer, and counts it once', async () => {
    let asked = 0
    const { progress, taken } = await run({
      batches: 3,
      answer: (values) => {
        asked++
        if (asked === 1) return { status: 503 }
        if (asked === 2) return { status: 429, headers: { 'retry-after': '0' } }
        if (asked === 3) throw new TypeError('connection refused')
        return all(values)
      },
    })
    expect(taken).toEqual(readable(15))
    expect(progress).toMatchObject({ row: 15, accepted: 13 })
  })

  test('notes no row as answered before all those before it are', async () => {
    const places: number[] = []
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const taken: number[][] = []
    const fetch = (async (url: URL, init: RequestInit) => {
      if (url.pathname === '/v1/status') return Response.json({})
      const { value } = unpack<{ value: number[] }>(init.body as Uint8Array)
      if (value[0] === 0) await held
      taken.push(value)
      return Response.json({ accepted: value.length }, { status: 202 })
    }) as unknown as typeof globalThis.fetch
    await backfill({
      url: 'http://edge', key: 'k', source: sourceOf(4), fromRow: 0, rateMax: 0, clock: systemClock, signal: new AbortController().signal, onReject: () => {}, fetch,
      onProgress: ({ row }) => {
        places.push(row)
        // The first batch is answered last but one, when another has been.
        if (places.length === 3) release()
      },
    })
    expect(taken.findIndex((values) => values[0] === 0)).toBe(3)
    expect(places).toEqual([0, 0, 0, 20])
  })

  test('ends where it is told to, and goes on from there', async () => {
    const ending = new AbortController()
    const first = await run({ batches: 6, answer: all, signal: ending.signal, onProgress: ({ row }) => row >= 10 && ending.abort() })
    expect(first.progress.row).toBeGreaterThanOrEqual(10)
    const second = await run({ batches: 6, answer: all, fromRow: first.progress.row })
    expect([...new Set([...first.taken, ...second.taken])].sort((a, b) => a - b)).toEqual(readable(30))
    expect(second.progress.row).toBe(30)
  })

  test('feels its way with single rows until it knows whether others send, and then sends the faster where nobody does', async () => {
    const clock = new ManualClock()
    const rowsAt: { ms: number; rows: number }[] = []
    const most = 4 * BACKFILL_BATCH_ROWS
    const source = {
      async *rows(from: number): AsyncGenerator<HistoryRows> {
        for (let at = from; at < most; at += BACKFILL_BATCH_ROWS) {
          const each = <T>(of: T) => Array.from({ length: BACKFILL_BATCH_ROWS }, () => of)
          yield { from: at, device: each('d'), metric: each('m'), ts: each(1_700_000_000_000).map((ms, i) => ms + at + i), value: each(1), raw: each(null) }
        }
      },
    }
    const told = async (livePerS: number) => {
      rowsAt.length = 0
      const beganMs = clock.monotonic()
      let own = 0
      const fetch = (async (url: URL, init: RequestInit) => {
        await clock.sleep(3)
        const ms = clock.monotonic() - beganMs
        if (url.pathname === '/v1/status') return Response.json({ accepted: 1_000 + own + Math.floor((livePerS * ms) / 1_000), sealed: 1_000 + own })
        const { value } = unpack<{ value: number[] }>(init.body as Uint8Array)
        own += value.length
        rowsAt.push({ ms, rows: value.length })
        return Response.json({ accepted: value.length }, { status: 202 })
      }) as unknown as typeof globalThis.fetch
      let ended = false
      const running = backfill({ url: 'http://edge', key: 'k', source, fromRow: 0, rateMax: 0, clock, signal: new AbortController().signal, onReject: () => {}, onProgress: () => {}, fetch })
      void running.finally(() => (ended = true))
      while (!ended) await clock.advance(50)
      const progress = await running
      expect(progress).toMatchObject({ row: most, sent: most, accepted: most })
      expect(rowsAt.filter(({ ms }) => ms < 1_500).every(({ rows }) => rows === 1)).toBe(true)
      return clock.monotonic() - beganMs
    }
    const alone = await told(0)
    const beside = await told(100)
    expect(beside).toBeGreaterThan(1.5 * alone)
  })

  test('ends at a key that is not accepted', async () => {
    await expect(run({ batches: 2, answer: () => ({ status: 403, body: { detail: 'no such key' } }) })).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(/no such key/) })
  })
})

describe('its pace', () => {
  test('where nobody else sends grows while answers are quick, and falls at slow ones and at refusals, never to nothing', () => {
    const pace = new Pace(0)
    pace.learn(0, false)
    const first = pace.rate
    for (let i = 0; i < 20; i++) pace.answered(10)
    const grown = pace.rate
    expect(grown).toBeGreaterThan(2 * first)
    pace.answered(2_000)
    expect(pace.rate).toBeLessThan(grown)
    for (let i = 0; i < 100; i++) pace.refused()
    expect(pace.rate).toBe(BACKFILL_RATE_MIN)
  })

  /**
   * A system that digests `capacity` rows a second, of which others take `busy`: a small request takes the longer, the less is left of it, and now and
   * then several in a row take long for reasons of their own. Gives the rates and what the small requests took, each second, of so many.
   */
  function beside({ capacity, busy, noise, seconds, others = true }: { capacity: number; busy: number; noise: number; seconds: number; others?: boolean | null }) {
    const random = seeded(7)
    const pace = new Pace(0)
    const rates: number[] = []
    const tookMs: number[] = []
    const restMs: number[] = []
    let noisyUntil = 0
    let backlog = 0
    let share = busy / capacity
    for (let ms = 0; ms < seconds * 1_000; ms += 100) {
      if (ms === 3_000) pace.learn(0, others)
      for (let underWay = 0; underWay < 2 && pace.waitMs(ms) < 100; underWay++) {
        pace.sent(pace.rowsAtOnce, ms)
        backlog += pace.rowsAtOnce
        pace.answered(10 + (backlog / capacity) * 1_000)
      }
      const digested = Math.min(backlog, (capacity - busy) / 10)
      backlog -= digested
      share += (Math.min(0.98, (busy + digested * 10) / capacity) - share) / 10
      if (random() < noise) noisyUntil = ms + 1_500
      const took = (4 / (1 - share)) * (0.5 + random()) + (ms < noisyUntil ? random() * 150 : 0)
      pace.probed(took, ms)
      ;(pace.waitMs(ms) === Infinity ? restMs : tookMs).push(took)
      if (ms % 1_000 === 0) rates.push(pace.rate)
    }
    const worst = (of: number[]) => of.sort((a, b) => a - b)[Math.floor(of.length * 0.99)]
    const late = rates.slice(rates.length / 2)
    return { rate: late.reduce((a, b) => a + b) / late.length, worstMs: worst(tookMs), worstAtRestMs: worst(restMs) }
  }

  test('takes what others leave, and does not hold them up', () => {
    const quiet = beside({ capacity: 60_000, busy: 10_000, noise: 0, seconds: 300 })
    expect(quiet.rate).toBeGreaterThan(10_000)
    expect(quiet.rate).toBeLessThan(50_000)
    expect(quiet.worstMs).toBeLessThan(5 * quiet.worstAtRestMs)
    const full = beside({ capacity: 12_000, busy: 10_000, noise: 0, seconds: 300 })
    expect(full.rate).toBeLessThan(3_000)
  })

  test('is not slowed down by what others do to each other', () => {
    const noisy = beside({ capacity: 60_000, busy: 10_000, noise: 0.02, seconds: 300 })
    expect(noisy.rate).toBeGreaterThan(8_000)
    expect(noisy.worstMs).toBeLessThan(2.5 * noisy.worstAtRestMs)
  })

  test('where nobody else sends, is what the system digests; where that is not known, somebody does', () => {
    const alone = beside({ capacity: 60_000, busy: 0, noise: 0, seconds: 60, others: false })
    const unknown = beside({ capacity: 60_000, busy: 0, noise: 0, seconds: 60, others: null })
    expect(alone.rate).toBeGreaterThan(40_000)
    expect(unknown.rate).toBeLessThan(alone.rate)
  })

  test('is that of the rate that is asked for, and stands still while the store is behind', () => {
    const pace = new Pace(1_000)
    pace.learn(0, false)
    for (let i = 0; i < 50; i++) pace.answered(5)
    expect(pace.rate).toBe(1_000)
    expect(pace.waitMs(0)).toBe(0)
    pace.sent(500, 0)
    expect(pace.waitMs(0)).toBe(500)
    expect(pace.waitMs(400)).toBe(100)
    pace.learn(BACKFILL_BEHIND_MAX + 1, false)
    expect(pace.waitMs(10_000)).toBe(Infinity)
    pace.learn(0, false)
    expect(pace.waitMs(10_000)).toBe(0)
  })
})
