import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { WindowGrid, parseSize } from '../../../../actors/analytics/query/window-grid.ts'
import { ZONE_FROM_MS, offsetsOf, zoneName } from '../../../../runtime/zones.ts'
import { seeded } from '../../../support/random.ts'

const QUARTER = 15 * 60_000
const HOUR = 4 * QUARTER
const DAY = 24 * HOUR
const ORIGIN = Date.UTC(2000, 0, 3)
const ALWAYS = { from: -Infinity, to: Date.UTC(2040, 0, 1) }
const gridOf = (size: string, zone = 'UTC', range = ALWAYS) => new WindowGrid(parseSize(size)!, zone, range)

async function duckdb<T>(use: (rows: (sql: string) => Promise<any[][]>) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return await use(async (sql) => (await connection.runAndReadAll(sql)).getRowsJS() as any[][])
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** What a clock in a zone shows, as if it were UTC: from the parts of a date, not from an offset. */
function clockOf(zone: string): (ms: number) => number {
  const units = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', ...units })
  return (ms) => {
    const of: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(ms)) of[type] = Number(value)
    return Date.UTC(of.year, of.month - 1, of.day, of.hour, of.minute, of.second)
  }
}

/** Whether a dial has a mark at a time; of sizes that are whole quarters of an hour. */
function isMark(size: string, local: number): boolean {
  const { ms, months } = parseSize(size)!
  if (ms !== null) return (local - ORIGIN) % ms === 0
  const date = new Date(local)
  return local % DAY === 0 && date.getUTCDate() === 1 && ((date.getUTCFullYear() - 2000) * 12 + date.getUTCMonth()) % months! === 0
}

/** Starts of windows from `from` on, quarter by quarter as the rules say it; `clock` gives what is shown at each. */
function startsByTheRules(size: string, from: number, clock: readonly number[]): number[] {
  const lengthMs = parseSize(size)!.ms ?? 28 * DAY
  const starts: number[] = []
  let shownUntil = -Infinity
  for (let i = 1; i < clock.length; i++) {
    const shown = clock[i]
    const due = clock[i - 1] + QUARTER
    let begins = false
    for (let local = due; local < shown; local += QUARTER) begins ||= isMark(size, local)
    if (shown < due) shownUntil = due
    const again = shown < shownUntil
    if (isMark(size, shown) && !(again && lengthMs > putBackBy(clock, i))) begins = true
    if (begins) starts.push(from + i * QUARTER)
  }
  return starts
}

/** By how much the clock was put back the last time before a moment. */
function putBackBy(clock: readonly number[], at: number): number {
  for (let i = at; i > 0; i--) if (clock[i] < clock[i - 1] + QUARTER) return clock[i - 1] + QUARTER - clock[i]
  return 0
}

const ZONES = ['Europe/Vienna', 'America/New_York', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Apia', 'Africa/Casablanca', 'America/Sao_Paulo', 'America/Havana', 'America/Caracas', 'Africa/Cairo']
const SIZES = ['15m', '30m', '45m', '1h', '2h', '6h', '7h', '12h', '1d', '2d', '1w', '1mo', '3mo', '1y']

describe('where windows begin', () => {
  it('in UTC is where time_bucket says', () =>
    duckdb(async (rows) => {
      const random = seeded(3)
      const times = Array.from({ length: 300 }, () => Math.floor(ZONE_FROM_MS + random() * (Date.UTC(2030, 0, 1) - ZONE_FROM_MS)))
      const intervals = { m: 'MINUTE', h: 'HOUR', d: 'DAY', w: 'WEEK', mo: 'MONTH', y: 'YEAR' }
      for (const size of [...SIZES, '1m', '5m', '10m', '7m', '1441m', '5h', '7d', '13w', '5mo', '10y', '24h', '60m']) {
        const [, count, unit] = /^(\d+)(\D+)$/.exec(size)!
        const grid = gridOf(size)
        const bucket = `time_bucket(INTERVAL '${count} ${intervals[unit as 'm']}', epoch_ms(t))`
        const got = await rows(`SELECT t, epoch_ms(${bucket})::DOUBLE, ${grid.sql('t')}::DOUBLE FROM (SELECT unnest([${times.join(', ')}])::BIGINT AS t) ORDER BY t`)
        for (const [t, expected, sql] of got) expect([size, sql, grid.startOf(Number(t))]).toEqual([size, expected, expected])
        for (const [, start] of got) {
          const end = grid.next(start)
          expect([grid.startOf(end), grid.startOf(end - 1), grid.atOrAfter(start), grid.atOrAfter(start + 1)]).toEqual([end, start, start, end])
        }
      }
    }))

  it('on the clocks of a zone is where they show a mark, or are put over one, in every hour around every change of them', () =>
    duckdb(async (rows) => {
      for (const zone of ZONES) {
        const clock = clockOf(zone)
        const changes = offsetsOf(zone, { from: ZONE_FROM_MS, to: Date.UTC(2026, 11, 1) }).slice(1)
        const around = [Date.UTC(2026, 4, 31), ...changes.map((change) => change.from)]
        for (const middle of around.slice(-10)) {
          const from = Math.floor(middle / DAY) * DAY - 9 * DAY
          const shown = Array.from({ length: (13 * DAY) / QUARTER }, (_, i) => clock(from + i * QUARTER))
          const times = shown.map((_, i) => from + i * QUARTER + 60_000)
          for (const size of SIZES) {
            const starts = startsByTheRules(size, from, shown)
            if (starts.length === 0) continue
            const grid = gridOf(size, zone, { from, to: from + 13 * DAY })
            const walked = [starts[0]]
            while (walked.length < starts.length) walked.push(grid.next(walked.at(-1)!))
            const about = `${zone} ${size} ${new Date(middle).toISOString()}`
            expect([about, walked.map((ms) => new Date(ms).toISOString())]).toEqual([about, starts.map((ms) => new Date(ms).toISOString())])
            for (const start of starts) expect([about, grid.startOf(start), grid.startOf(start - 1) < start]).toEqual([about, start, true])
          }
          // All sizes in one statement, over times within each quarter.
          const columns = SIZES.map((size) => `${gridOf(size, zone, { from, to: from + 13 * DAY }).sql('t')}::DOUBLE`)
          const got = await rows(`SELECT ${columns.join(', ')} FROM (SELECT unnest([${times.join(', ')}])::BIGINT AS t)`)
          for (const [at, size] of SIZES.entries()) {
            const grid = gridOf(size, zone, { from, to: from + 13 * DAY })
            expect([zone, size, got.map((row) => row[at])]).toEqual([zone, size, times.map((t) => grid.startOf(t))])
          }
        }
      }
    }))

  it('days have 23 and 25 hours, a skipped day is none, and hours that a clock shows twice are two', () => {
    const lengths = (size: string, zone: string, from: string, n: number) => {
      const grid = gridOf(size, zone)
      const starts = [grid.atOrAfter(Date.parse(from))]
      while (starts.length <= n) starts.push(grid.next(starts.at(-1)!))
      return starts.slice(1).map((end, i) => (end - starts[i]) / HOUR)
    }
    expect(lengths('1d', 'Europe/Vienna', '2026-03-27T23:00Z', 3)).toEqual([24, 23, 24])
    expect(lengths('1d', 'Europe/Vienna', '2026-10-23T22:00Z', 3)).toEqual([24, 25, 24])
    expect(lengths('1h', 'Europe/Vienna', '2026-10-24T22:00Z', 25)).toEqual(Array.from({ length: 25 }, () => 1))
    expect(lengths('6h', 'Europe/Vienna', '2026-10-24T22:00Z', 4)).toEqual([7, 6, 6, 6])
    expect(lengths('6h', 'Europe/Vienna', '2026-03-28T23:00Z', 4)).toEqual([5, 6, 6, 6])
    expect(lengths('1h', 'Australia/Lord_Howe', '2026-04-04T13:00Z', 3)).toEqual([1, 1.5, 1])
    expect(lengths('1d', 'Pacific/Apia', '2011-12-29T10:00Z', 2)).toEqual([24, 24])
    expect(new Date(gridOf('1d', 'Pacific/Apia').startOf(Date.parse('2011-12-30T12:00Z'))).toISOString()).toBe('2011-12-30T10:00:00.000Z')
    expect(lengths('1mo', 'Europe/Vienna', '2026-02-28T23:00Z', 1)).toEqual([31 * 24 - 1])
    expect(lengths('1y', 'Europe/Vienna', '2025-12-31T23:00Z', 1)).toEqual([365 * 24])
    expect(new Date(gridOf('1w', 'America/New_York').startOf(Date.parse('2026-07-08T12:00Z'))).toISOString()).toBe('2026-07-06T04:00:00.000Z')
  })

  it('is tiled by the coarsest stored size that fits, and a stored size is itself where a zone moves none of its windows', () => {
    const stored = ['1m', '15m', '1h', '1d', undefined]
    const shape = (size: string, zone?: string) => {
      const { base, stored: same } = gridOf(size, zone, { from: Date.UTC(2026, 0, 1), to: Date.UTC(2027, 0, 1) })
      return [stored[base], stored.at(same)]
    }
    for (const [size, base] of [['5m', '1m'], ['10m', '1m'], ['30m', '15m'], ['90m', '15m'], ['2h', '1h'], ['7h', '1h'], ['36h', '1h'], ['2d', '1d'], ['1w', '1d'], ['1mo', '1d'], ['1y', '1d']]) {
      expect([size, ...shape(size)]).toEqual([size, base, undefined])
    }
    for (const size of ['1m', '15m', '1h', '1d']) expect(shape(size)).toEqual([size, size])
    expect([shape('60m'), shape('24h')]).toEqual([['1h', '1h'], ['1d', '1d']])
    expect(shape('1h', 'Europe/Vienna')).toEqual(['1h', '1h'])
    expect(shape('1d', 'Europe/Vienna')).toEqual(['1h', undefined])
    expect(shape('1h', 'Asia/Kolkata')).toEqual(['15m', undefined])
    expect(shape('15m', 'Australia/Lord_Howe')).toEqual(['15m', '15m'])
    expect(shape('1h', 'Australia/Lord_Howe')).toEqual(['15m', undefined])
  })
})

describe('sizes and zones', () => {
  it('a size is a whole number of minutes, hours, days, weeks, months or years', () => {
    for (const text of ['0m', '1', 'm', '1s', '90s', '1.5h', '-1h', '1M', '1mon', ' 1h', '101y', '1201mo', '999999999d', '1h30m', '']) expect([text, parseSize(text)]).toEqual([text, null])
    expect(parseSize('90m')).toMatchObject({ ms: 5_400_000 })
    expect(parseSize('2y')).toMatchObject({ months: 24 })
  })

  it('every zone that this machine knows has kept to quarters of an hour from UTC since 2000, and changes its clocks at whole minutes', () => {
    for (const zone of Intl.supportedValuesOf('timeZone')) {
      for (const { from, offsetMs } of offsetsOf(zone, { from: ZONE_FROM_MS, to: Date.UTC(2010, 0, 1) })) {
        expect([zone, Math.abs(offsetMs % QUARTER), from === -Infinity ? 0 : from % 60_000]).toEqual([zone, 0, 0])
      }
    }
  })

  it('a name is a zone as the database writes it, in whatever case, or none', () => {
    expect(zoneName('europe/vienna')).toBe('Europe/Vienna')
    for (const text of ['Mars/Olympus', '+01:00', "x'; --", '']) expect(zoneName(text)).toBe(null)
  })
})
