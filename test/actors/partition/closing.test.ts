import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { encodeSettings } from '../../../actors/reading/input.ts'
import { WINDOW_SIZE_NAMES } from '../../../actors/reading/window.ts'
import { MINUTE_READINGS_MAX } from '../../../runtime/limits.ts'
import { Bench, blockOf, DAY, HOUR, MINUTE, T0 } from './harness.ts'
import type { NamedRow } from './harness.ts'

const S = 1_000
const brief = (rows: readonly NamedRow[]) => rows.map((r) => `${WINDOW_SIZE_NAMES[r.size]} ${(r.start - T0) / MINUTE} ${r.count} ${r.closedBy}`)
const settings = (latenessMs: number, idleMs: number, retentionMs = 0) => encodeSettings({ latenessMs, idleMs, retentionMs })

/** Rows since the last look. */
function fresh(bench: Bench): string[] {
  return brief(bench.rows.splice(0))
}

describe('closing by the watermark', () => {
  test('a minute closes with the first reading that lies its lateness beyond the end, and not before', () => {
    const bench = new Bench(T0)
    bench.feed(blockOf([{ device: 'd', metric: 'm', ts: T0 + 30 * S, value: 1 }]), T0 + 30 * S)
    bench.feed(blockOf([{ device: 'd', metric: 'm', ts: T0 + 64_999, value: 2 }]), T0 + 70 * S)
    expect(fresh(bench)).toEqual([])
    bench.feed(blockOf([{ device: 'd', metric: 'm', ts: T0 + 65_000, value: 3 }]), T0 + 70 * S)
    expect(fresh(bench)).toEqual(['1m 0 1 watermark'])
  })

  test('each size closes with its own end, and holds all that came below it', () => {
    const bench = new Bench(T0)
    for (let i = 0; i <= 24 * 60 + 1; i++) {
      bench.timeMs = T0 + i * MINUTE
      bench.read(bench.timeMs, i % 7)
    }
    const rows = fresh(bench)
    expect(rows.filter((r) => r.startsWith('1m')).length).toBe(24 * 60)
    expect(rows.filter((r) => r.startsWith('15m')).length).toBe(96)
    expect(rows.filter((r) => r.startsWith('1h')).length).toBe(24)
    expect(rows.filter((r) => r.startsWith('1d'))).toEqual(['1d 0 1440 watermark'])
  })

  test('a reading of a closed minute is old, and says what is closed; windows that it would belong to stay as they were', () => {
    const bench = new Bench(T0)
    bench.read(T0 + 30 * S, 1)
    bench.timeMs = T0 + 10 * MINUTE
    bench.read(T0 + 5 * MINUTE + 10 * S, 2)
    bench.read(T0 + 4 * MINUTE + 59_999, 3)
    bench.read(T0 + 5 * MINUTE, 4)
    expect(bench.fates).toEqual([{ seq: bench.seq - 3, row: 0, fate: 'old', closedUntil: T0 + 5 * MINUTE }])
    bench.tick()
    expect(bench.rows.filter((r) => r.size === 3).at(-1)).toMatchObject({ count: 3, min: 1, max: 4 })
  })

  test('a device whose clock is ahead closes nothing before the log time, and then it does so without another reading', () => {
    const bench = new Bench(T0)
    bench.read(T0 + 3 * MINUTE, 1)
    bench.read(T0 + 5 * MINUTE, 2)
    bench.read(T0 + 2 * MINUTE, 3)
    expect(fresh(bench)).toEqual([])
    expect(bench.fates).toEqual([])
    bench.tick(3 * MINUTE / S + 5)
    // It was quiet after one minute, and showed what was open.
    const open = ['1m 2 1 open', '1m 3 1 open', '1m 5 1 open', '15m 0 3 open', '1h 0 3 open', '1d 0 3 open']
    expect(fresh(bench)).toEqual([...open, '1m 2 1 watermark'])
    bench.tick(60)
    expect(fresh(bench)).toEqual(['1m 3 1 watermark'])
    // Its own time never passed the last minute: that closes by idleness.
    bench.tick(179)
    expect(fresh(bench)).toEqual([])
    bench.tick(1)
    expect(fresh(bench)).toEqual(['1m 5 1 idle'])
  })

  test('a series that dates itself a day ahead harms no other, and is not waited for', () => {
    const bench = new Bench(T0)
    bench.feed(blockOf([{ device: 'ahead', metric: 'm', ts: T0 + DAY - 1, value: 1 }, { device: 'd', metric: 'm', ts: T0, value: 1 }]), T0)
    const ticks = bench.tick()
    expect(ticks).toBeLessThanOrEqual(130)
    expect(bench.last!.pending).toBe(0)
    bench.read(T0 + 2 * MINUTE, 2)
    expect(bench.fates).toEqual([])
    const ahead = () => brief(bench.rows.filter((r) => r.name.includes('ahead')))
    expect(ahead()).toEqual(['1m 1439 1 open', '15m 1425 1 open', '1h 1380 1 open', '1d 0 1 open'])
    // The next message after the time is what closes it.
    bench.rows = []
    bench.feed(partitionActor.tick(), T0 + DAY + MINUTE + 5 * S)
    expect(ahead()).toEqual(['1m 1439 1 idle', '15m 1425 1 idle', '1h 1380 1 idle', '1d 0 1 idle'])
  })

  test('a minute that holds all it may closes early, and what follows of it is old', () => {
    const bench = new Bench(T0)
    const rows = 32_768
    for (let from = 0; from <= MINUTE_READINGS_MAX; from += rows) {
      const reading = (_: unknown, i: number) => ({ device: 'd', metric: 'm', ts: T0 + ((from + i) % 60_000), value: from + i })
      bench.feed(blockOf(Array.from({ length: rows }, reading)))
    }
    expect(brief(bench.rows)).toEqual([`1m 0 ${MINUTE_READINGS_MAX} watermark`])
    expect(bench.fates.length).toBe(rows)
    expect(bench.fates.every((f) => f.fate === 'old' && f.closedUntil === T0 + MINUTE)).toBe(true)
  })

  test('a log clock that steps back neither ages nor reopens anything', () => {
    const bench = new Bench(T0)
    bench.read(T0, 1)
    bench.timeMs = T0 + 2 * MINUTE
    bench.read(T0 + 2 * MINUTE, 2)
    expect(fresh(bench)).toEqual(['1m 0 1 watermark'])
    for (let i = 0; i < 100; i++) {
      bench.timeMs = T0 - HOUR + i * S
      bench.feed(partitionActor.tick())
    }
    expect(bench.last!.logTimeMs).toBe(T0 + 2 * MINUTE)
    expect(fresh(bench)).toEqual([])
    bench.read(T0 + 30 * S, 3)
    expect(bench.fates.map((f) => f.fate)).toEqual(['old'])
  })
})

describe('a series that goes quiet', () => {
  test('shows what is open once, closes its minute when lateness and idle time have passed, and then needs no more ticks', () => {
    const bench = new Bench(T0 + 30 * S)
    bench.read(T0 + 30 * S, 7)
    expect(partitionActor.wantsTick(bench.state)).toBe(true)
    bench.tick(59)
    expect(fresh(bench)).toEqual([])
    bench.tick(1)
    expect(fresh(bench)).toEqual(['1m 0 1 open', '15m 0 1 open', '1h 0 1 open', '1d 0 1 open'])
    // Every row is out, so nothing is owed; ticks go on until the minute has closed.
    expect(bench.last!.pending).toBe(0)
    expect(partitionActor.wantsTick(bench.state)).toBe(true)
    bench.tick(34)
    expect(fresh(bench)).toEqual([])
    bench.tick(1)
    expect(fresh(bench)).toEqual(['1m 0 1 idle'])
    expect(bench.last!.pending).toBe(0)
    expect(partitionActor.wantsTick(bench.state)).toBe(false)
  })

  test('windows above close in their time with the next message of any kind', () => {
    const bench = new Bench(T0)
    bench.read(T0, 7)
    bench.tick()
    fresh(bench)
    bench.feed(partitionActor.tick(), T0 + 16 * MINUTE + 5 * S)
    expect(fresh(bench)).toEqual(['15m 0 1 idle'])
    bench.feed(partitionActor.tick(), T0 + 3 * DAY)
    expect(fresh(bench)).toEqual(['1h 0 1 idle', '1d 0 1 idle'])
    expect(bench.last!.pending).toBe(0)
  })

  test('history that a device uploads after it was silent is not old beyond what idleness closed', () => {
    const bench = new Bench(T0 + 10 * MINUTE)
    bench.read(T0 + 10 * MINUTE, 1)
    bench.tick()
    bench.timeMs = T0 + 12 * HOUR
    bench.read(T0 + 59 * MINUTE, 2)
    // The hour was closed, since it held a reading and its end had passed; the hours after it are open.
    expect(bench.fates.splice(0)).toMatchObject([{ fate: 'old', closedUntil: T0 + HOUR }])
    for (let i = 0; i < 600; i++) bench.read(T0 + HOUR + i * MINUTE, i)
    expect(bench.fates).toEqual([])
  })

  test('speaks again, be it an old reading only, and shows what is open again', () => {
    const bench = new Bench(T0)
    bench.read(T0, 7)
    bench.tick()
    fresh(bench)
    bench.read(T0 + 1, 8)
    expect(bench.fates.map((f) => f.fate)).toEqual(['old'])
    expect(partitionActor.wantsTick(bench.state)).toBe(true)
    bench.tick()
    expect(fresh(bench)).toEqual(['15m 0 1 open', '1h 0 1 open', '1d 0 1 open'])
    bench.feed(partitionActor.tick(), bench.timeMs + 5 * S)
    expect(fresh(bench)).toEqual([])
  })

  test('a reading that changes nothing, a duplicate, does not break the silence', () => {
    const bench = new Bench(T0 + 30 * S)
    bench.read(T0 + 30 * S, 7)
    for (let i = 0; i < 6; i++) {
      bench.tick(10)
      bench.read(T0 + 30 * S, 7)
    }
    expect(fresh(bench)).toEqual(['1m 0 1 open', '15m 0 1 open', '1h 0 1 open', '1d 0 1 open'])
    expect(bench.fates.map((f) => f.fate)).toEqual(Array(6).fill('duplicate'))
  })

  test('an outage of the log ages a series by five seconds only', () => {
    const bench = new Bench(T0 + 30 * S)
    bench.read(T0 + 30 * S, 7)
    bench.timeMs += HOUR
    bench.feed(partitionActor.tick())
    expect(fresh(bench)).toEqual([])
    bench.tick(54)
    expect(fresh(bench)).toEqual([])
    bench.tick(1)
    expect(fresh(bench)).toEqual(['1m 0 1 idle', '15m 0 1 idle', '1h 0 1 idle', '1d 0 1 open'])
  })

  test('many series that fall due together come out in order, and a tick costs none of those that are not due', () => {
    const bench = new Bench(T0)
    const names = Array.from({ length: 500 }, (_, i) => `d${(i * 7_919) % 500}`)
    bench.feed(blockOf(names.map((device) => ({ device, metric: 'm', ts: T0, value: 1 }))))
    bench.tick(60)
    expect(bench.rows.filter((r) => r.size === 0).map((r) => r.name)).toEqual(names.map((n) => `default/${n}/m`))
    expect([bench.last!.pending, bench.state.settling]).toEqual([0, 500])
    bench.tick()
    expect([bench.last!.pending, bench.state.settling]).toEqual([0, 0])
  })
})

describe('settings', () => {
  test('hold from their message on, for series that are already waiting too', () => {
    const bench = new Bench(T0)
    bench.read(T0, 1)
    bench.feed(settings(0, 10 * S))
    bench.tick(9)
    expect(fresh(bench)).toEqual([])
    bench.tick(1)
    expect(fresh(bench)).toEqual(['1m 0 1 open', '15m 0 1 open', '1h 0 1 open', '1d 0 1 open'])
    bench.feed(settings(0, 600 * S))
    bench.tick(600)
    expect(fresh(bench)).toEqual([])
    bench.tick(60)
    expect(fresh(bench)).toEqual(['1m 0 1 idle'])
  })

  test('are introduced by an owner that has others, and by no other', () => {
    const bench = new Bench(T0)
    const wanted = { latenessMs: 1, idleMs: 2, retentionMs: 3 }
    const message = partitionActor.introduce(bench.state, wanted, [])!
    bench.feed(message)
    expect(bench.state.settings).toEqual(wanted)
    expect(partitionActor.introduce(bench.state, wanted, [])).toBe(null)
    expect(partitionActor.introduce(bench.state, { ...wanted, idleMs: 5 }, [])).not.toBe(null)
    expect(partitionActor.introduce(bench.state, null, [])).toBe(null)
  })

  test('a longer lateness reopens nothing', () => {
    const bench = new Bench(T0 + 2 * MINUTE)
    bench.read(T0, 1)
    bench.read(T0 + MINUTE + 10 * S, 2)
    bench.feed(settings(HOUR, MINUTE))
    bench.read(T0 + 1, 3)
    expect(bench.fates).toMatchObject([{ fate: 'old', closedUntil: T0 + MINUTE }])
  })

  test('readings beyond the retention are expired, at the edge they are not', () => {
    const bench = new Bench(T0)
    bench.feed(settings(5 * S, MINUTE, HOUR))
    bench.read(T0 - HOUR - 1, 1)
    expect(bench.fates.splice(0)).toMatchObject([{ fate: 'expired' }])
    bench.read(T0 - HOUR, 1)
    expect(bench.fates).toEqual([])
    expect(bench.last!.accepted).toBe(2)
  })
})
