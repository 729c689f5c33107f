/** Windows of every size and zone, over a lake that the store's own writer fills from what the real actors wrote: disordered, doubled, late. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WindowGrid, parseSize } from '../../../../actors/analytics/query/window-grid.ts'
import type { Reading } from '../../../../actors/reading/input.ts'
import { withLake } from '../../../support/law.ts'
import { seeded } from '../../../support/random.ts'
import { FilledHouse } from '../filled-house.ts'
import { until } from '../house.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const PARTITIONS = 2

/** A zone, a day at which its clocks change, and how far they are put back at most. */
const ZONES = [
  ['UTC', '2019-12-31', 0],
  ['Pacific/Apia', '2011-12-30', HOUR],
  ['Africa/Casablanca', '2025-02-23', HOUR],
  ['Europe/Vienna', '2025-10-26', HOUR],
  ['America/New_York', '2025-11-02', HOUR],
  ['Asia/Kolkata', '2026-02-28', 0],
  ['Australia/Lord_Howe', '2026-04-04', HOUR / 2],
] as const
const SIZES = ['1m', '5m', '10m', '15m', '30m', '1h', '2h', '7h', '6h', '12h', '1d', '7d', '1w', '1mo', '3mo', '1y']
/** Of zones whose clocks are put: what is otherwise there than in UTC. */
const FEW = ['30m', '1h', '6h', '1d', '1w', '1mo']

let house: FilledHouse
beforeEach(async () => {
  house = await FilledHouse.open({ partitions: PARTITIONS, nowMs: Date.parse(ZONES[1][1]) - 2 * DAY })
})
afterEach(() => house.close())

/** Two days of two series around each change of clocks: every tenth reading hours late, every twentieth twice. */
function* story(seed: number): Generator<Reading[]> {
  const random = seeded(seed)
  for (const [, day] of [...ZONES].sort((a, b) => (a[1] < b[1] ? -1 : 1))) {
    const from = Date.parse(day) - DAY
    const late: { hour: number; reading: Reading }[] = []
    for (let hour = 0; hour < 52; hour++) {
      const batch: Reading[] = late.splice(0, late.length).filter((l) => l.hour <= hour || !late.push(l)).map((l) => l.reading)
      for (let at = hour * HOUR; hour < 50 && at < (hour + 1) * HOUR; at += Math.ceil(random() * 40 * 60_000)) {
        // A mean that is huge beside the deviation, of one of the two.
        for (const [device, scale] of [['a/1', 0], ['b', 1e9]] as const) {
          const reading = { device, metric: 'm', ts: from + at + Math.floor(random() * 1_000), value: scale + Math.round(random() * 1e4) / 100 }
          if (random() < 0.1) late.push({ hour: hour + 1 + Math.floor(random() * 8), reading })
          else batch.push(reading)
          if (random() < 0.05) late.push({ hour: hour + 1, reading })
        }
      }
      yield batch.sort((a, b) => a.ts - b.ts)
    }
  }
}

/** How windows of a size are told apart by DuckDB alone: by what a clock shows, and, of hours that it shows twice, by the offset. */
function labelSql(size: string, zone: string, putBackMs: number, ts: string): string {
  const { ms, months } = parseSize(size)!
  const local = `(${ts} AT TIME ZONE 'UTC') AT TIME ZONE '${zone}'`
  const label = `time_bucket(${ms === null ? `to_months(${months})` : `to_minutes(${ms / 60_000})`}, ${local})`
  return ms !== null && ms <= putBackMs ? `[${label}::VARCHAR, (${ts} - (${local}))::VARCHAR]` : `[${label}::VARCHAR]`
}

/** What differs between windows as the API shows them and the same grouping over `readings`, in DuckDB. */
async function differences(size: string, zone: string, putBackMs: number, shown: any[]): Promise<unknown[]> {
  const rows = shown.map((w) => `('${w.device}', ${w.start}, ${w.count}, ${w.min}, ${w.max}, ${w.sum}, ${w.mean}, ${w.stddev}, ${w.first}, ${w.last}, ${w.p50}, ${w.p95}, ${w.p99})`)
  const slack = parseSize(size)!.ms !== null && ['1m', '15m', '1h', '1d'].includes(size) ? 0.01 : 0
  return withLake(house.dataDir, (query) =>
    query(`
      WITH shown(device, start, count, min, max, sum, mean, stddev, first, last, p50, p95, p99) AS (
        SELECT * FROM (VALUES ${rows.join(', ')}, ('', 0, 0, 0, 0, 0, 0, 0::DOUBLE, 0, 0, 0::DOUBLE, 0::DOUBLE, 0::DOUBLE))),
      got AS (SELECT *, ${labelSql(size, zone, putBackMs, 'epoch_ms(start::BIGINT)')} AS label FROM shown WHERE device <> ''),
      expected AS (
        SELECT device, ${labelSql(size, zone, putBackMs, 'ts')} AS label, count(*) AS count, min(value) AS min, max(value) AS max, sum(value) AS sum, avg(value) AS mean,
          stddev_samp(value) AS stddev, arg_min(value, (ts, value)) AS first, arg_max(value, (ts, value)) AS last, quantile_disc(value, 0.5) AS p50,
          quantile_disc(value, 0.95) AS p95, quantile_disc(value, 0.99) AS p99
        FROM readings GROUP BY ALL)
      SELECT '${size}' AS size, '${zone}' AS zone, e, g FROM expected e FULL JOIN got g USING (device, label)
      WHERE e.count IS DISTINCT FROM g.count OR e.min IS DISTINCT FROM g.min OR e.max IS DISTINCT FROM g.max OR e.first IS DISTINCT FROM g.first
        OR e.last IS DISTINCT FROM g.last OR abs(e.sum - g.sum) > 1e-9 * abs(e.sum) OR abs(e.mean - g.mean) > 1e-9 * abs(e.mean)
        OR (e.stddev IS NULL) <> (g.stddev IS NULL) OR abs(e.stddev - g.stddev) > 1e-9 * e.max
        OR abs(e.p50 - g.p50) > ${slack} * abs(e.p50) OR abs(e.p95 - g.p95) > ${slack} * abs(e.p95) OR abs(e.p99 - g.p99) > ${slack} * abs(e.p99)
        OR ((g.p50 IS NULL OR g.p95 IS NULL OR g.p99 IS NULL) AND g.count IS NOT NULL)
      LIMIT 3`),
  )
}

async function settle(): Promise<void> {
  await house.feed.quiet()
  await until('all is sealed', async () => {
    await house.writer.seal()
    return (await house.get('/v1/status')).settled
  })
}

describe('windows of any size and zone', () => {
  it('are, once settled, the same grouping over readings in DuckDB, and no row of an earlier moment says what the readings of that moment do not', async () => {
    let hour = 0
    for (const batch of story(5)) {
      if (batch.length > 0) house.clock.stepWall(Math.max(0, Math.max(...batch.map((r) => r.ts)) + 1_000 - house.clock.now()))
      await house.feed.send(batch)
      if (hour % 2 === 0) await house.feed.commitAll()
      if (hour % 40 === 39) await house.writer.seal()
      if (hour % 60 === 59) {
        const zone = ZONES[hour % ZONES.length][0]
        const grid = new WindowGrid(parseSize('2h')!, zone, { from: -Infinity, to: house.clock.now() })
        const readings = await house.whole('/v1/readings', 'readings', { limit: 100_000 })
        for (const w of await house.whole(`/v1/windows?size=2h&tz=${zone}`, 'windows', { limit: 40 })) {
          const own: number[] = readings.filter((r) => r.device === w.device && r.ts >= w.start && r.ts < grid.next(w.start)).map((r) => r.value)
          expect([zone, w.device, w.start, w.count, w.min, w.max]).toEqual([zone, w.device, w.start, own.length, Math.min(...own), Math.max(...own)])
        }
      }
      hour++
    }
    await settle()
    for (const [zone, , putBackMs] of ZONES) {
      for (const size of zone === 'UTC' ? SIZES : FEW) {
        const shown = await house.whole(`/v1/windows?size=${size}&tz=${zone}`, 'windows', { limit: /[mh]$/.test(size) ? 777 : 7 })
        expect(await differences(size, zone, putBackMs, shown)).toEqual([])
        expect(shown.every((w) => w.size === size)).toBe(true)
      }
    }
    // The last minutes of each series are shown as open, for its clock stands still; all windows before say how they closed.
    const sixes = await house.whole('/v1/windows?size=6h', 'windows', { limit: 500 })
    expect(new Set(sixes.map((w) => w.closed_by))).toEqual(new Set(['watermark', 'late', 'open']))
    expect(sixes.filter((w) => w.closed_by === 'open').map((w) => w.start)).toEqual(sixes.filter((w, i) => w.device !== sixes[i + 1]?.device).map((w) => w.start))
    // Without percentiles nothing is read but the parts, and they say the same.
    const exact = await house.whole('/v1/windows?size=1mo&tz=Europe/Vienna', 'windows', { limit: 500 })
    const merged = await house.whole('/v1/windows?size=1mo&tz=Europe/Vienna&percentiles=none', 'windows', { limit: 500 })
    expect(merged).toHaveLength(exact.length)
    for (const [i, { mean, sum, stddev, p50, ...w }] of merged.entries()) {
      const { mean: m, sum: s, stddev: d, p50: _, ...e } = exact[i]
      expect([w, p50]).toEqual([{ ...e, p95: null, p99: null }, null])
      for (const [got, wanted] of [[mean, m], [sum, s], [stddev, d]]) expect(Math.abs(got - wanted)).toBeLessThanOrEqual(1e-9 * Math.max(Math.abs(wanted), Math.abs(m)))
    }
  })

  it('come once each while a writer goes on, is sealed, page by page, in order, and none that was there at the start is missing', async () => {
    const batches = story(9)
    const write = async (n: number) => {
      for (let i = 0; i < n; i++) {
        const value: Reading[] | undefined = batches.next().value ?? undefined
        if (value === undefined) return
        if (value.length > 0) house.clock.stepWall(Math.max(0, Math.max(...value.map((r) => r.ts)) + 1_000 - house.clock.now()))
        await house.feed.send(value)
        await house.feed.commitAll()
      }
    }
    await write(60)
    await house.writer.seal()
    for (const asked of ['size=20m&fill=previous&from=2019-12-30&to=2020-01-02', 'size=1m', 'size=10m', 'size=2h&tz=Asia/Kolkata', 'size=1d&tz=Europe/Vienna']) {
      const path = `/v1/windows?${asked}`
      const place = (w: any) => `${w.device} ${w.start}`
      const before = (await house.whole(path, 'windows', { limit: 100_000 })).filter((w) => w.count > 0).map(place)
      expect(before.length).toBeGreaterThan(3)
      let page = 0
      const between = async () => {
        if (page++ > 12) return
        await write(1)
        if (page % 3 === 0) await house.writer.seal()
      }
      const seen = await house.whole(path, 'windows', { limit: Math.max(2, Math.ceil(before.length / 9)), between })
      const places = seen.map(place)
      expect(new Set(places).size).toBe(places.length)
      expect(before.filter((p: string) => !places.includes(p))).toEqual([])
      expect(seen.map((w) => [w.device, w.start])).toEqual([...seen].sort((a, b) => (a.device < b.device ? -1 : a.device > b.device ? 1 : a.start - b.start)).map((w) => [w.device, w.start]))
    }
  })
})
