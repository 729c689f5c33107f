/** What the simulated farm tells of its past, and how it goes on from there. */

import { describe, expect, test } from 'vitest'
import type { Reading } from '../../../actors/reading/input.ts'
import { TSBS_RATES } from '../../../actors/simulation/faults.ts'
import type { Farm } from '../../../actors/simulation/faults.ts'
import { feedFarm } from '../../../actors/simulation/feed.ts'
import { knownUntil } from '../../../actors/simulation/known.ts'
import { systemClock } from '../../../runtime/clock.ts'
import type { Clock } from '../../../runtime/clock.ts'

const HOUR = 3_600_000
const NOW = Date.UTC(2026, 5, 1, 12)
const farm: Farm = { seed: 3, probes: 4, intervalMs: 2_000, spreadMs: 2_000, rates: TSBS_RATES }

/** Feeds a farm on a clock that moves while it sleeps, and by `sendMs` at each request. */
async function fed(pastFromMs: number, { forMs = 0, sendMs = 50 } = {}) {
  let nowMs = NOW
  const clock: Clock = { ...systemClock, now: () => nowMs, monotonic: () => nowMs, sleep: async (ms) => void (nowMs += ms) }
  const sent: Reading[] = []
  let past = -1
  const ended = new AbortController()
  const send = async (batch: readonly Reading[]) => {
    sent.push(...batch)
    nowMs += sendMs
  }
  await feedFarm({ sender: { send }, clock, signal: ended.signal }, farm, {
    pastFromMs,
    forMs,
    onPast: (readings) => {
      past = readings
      if (forMs === 0) ended.abort()
    },
  })
  return { sent, past, nowMs }
}

const nameOf = ({ device, metric, ts, value }: Reading) => `${device} ${metric} ${ts} ${value}`

describe('the past of the farm', () => {
  test('is told in order of time, each reading once, every ten minutes up to its last hours and every half minute in them', async () => {
    const { sent, past } = await fed(NOW - 48 * HOUR)
    expect(past).toBe(sent.length)
    expect(sent.every((reading, i) => i === 0 || reading.ts >= sent[i - 1]!.ts)).toBe(true)
    expect(new Set(sent.map(nameOf)).size).toBe(sent.length)
    const gapsOf = (from: number, to: number) => {
      const times = sent.filter((r) => r.device === 'farm/field-1/probe-1' && r.metric === 'ec' && r.ts >= from && r.ts < to).map((r) => r.ts)
      return times.slice(1).map((ts, i) => ts - times[i]!)
    }
    const [old, recent] = [gapsOf(NOW - 48 * HOUR, NOW - 6 * HOUR), gapsOf(NOW - 6 * HOUR, NOW)]
    expect(new Set(old.map((ms) => ms % 600_000))).toEqual(new Set([0]))
    expect(Math.min(...old)).toBe(600_000)
    expect(Math.min(...recent)).toBe(30_000)
    // A tenth is missing, and spells of silence.
    expect(old.length / (42 * 6)).toBeGreaterThan(0.8)
    expect(recent.length / (6 * 120)).toBeGreaterThan(0.8)
  })

  test('reaches the present, however long telling it takes, and the present goes on behind it', async () => {
    const { sent, nowMs } = await fed(NOW - 30 * HOUR, { forMs: 60_000, sendMs: 30_000 })
    expect(nowMs).toBeGreaterThan(NOW + 60_000)
    const times = [...new Set(sent.map((r) => r.ts))].sort((a, b) => a - b)
    expect(Math.max(...times.slice(1).map((ts, i) => ts - times[i]!))).toBeLessThanOrEqual(600_000)
    expect(nowMs - times.at(-1)!).toBeLessThan(60_000)
  })

  test('is not told again where it is known: the present goes on from there', async () => {
    const { sent, past } = await fed(NOW - 10_000, { forMs: 5_000 })
    expect(past).toBe(0)
    expect(Math.min(...sent.map((r) => r.ts))).toBeGreaterThanOrEqual(NOW - 10_000)
    expect(sent.length).toBeGreaterThan(0)
  })
})

describe('what a system knows already', () => {
  const asking = (answers: (() => Response)[]) => {
    const asked: URL[] = []
    const pauses: number[] = []
    const fetch = (async (url: URL) => {
      asked.push(url)
      return answers.shift()!()
    }) as typeof globalThis.fetch
    const clock: Clock = { ...systemClock, sleep: async (ms) => void pauses.push(ms) }
    return { asked, pauses, until: knownUntil('farm/', { url: 'http://127.0.0.1:1', key: 'k', clock, signal: new AbortController().signal, fetch }) }
  }
  const page = (latest: [device: string, ts: number][], cursor: string | null) => () => Response.json({ latest: latest.map(([device, ts]) => ({ device, metric: 'm', ts })), cursor })

  test('is the newest reading of each series, through all pages, asked for until there is an answer', async () => {
    const { asked, pauses, until } = asking([
      () => {
        throw new TypeError('fetch failed')
      },
      () => new Response('', { status: 503 }), page([['a', 5], ['b', 9]], 'c'), page([['c', 7]], null),
    ])
    expect(await until).toEqual(new Map([['a m', 5], ['b m', 9], ['c m', 7]]))
    expect(pauses).toHaveLength(2)
    expect(asked.map((url) => [url.searchParams.get('prefix'), url.searchParams.get('cursor')])).toEqual([['farm/', ''], ['farm/', ''], ['farm/', ''], ['farm/', 'c']])
  })

  test('is nothing where it is new, or where the key may not ask', async () => {
    expect((await asking([page([], null)]).until).size).toBe(0)
    expect((await asking([() => new Response('', { status: 403 })]).until).size).toBe(0)
  })
})
