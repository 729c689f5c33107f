import { pack } from '../../../runtime/codec.ts'
import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { decodeEffects } from '../../../actors/partition/effects.ts'
import { encodeRejects, encodeSettings } from '../../../actors/reading/input.ts'
import { Bench, blockOf, HOUR, nameOf, seeded, T0, troubled } from './harness.ts'

describe('fates', () => {
  test('add up: every row of every block has one, and the rows of minutes hold those on time', () => {
    const bench = new Bench()
    bench.feed(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: HOUR }))
    let rows = 0
    for (const { readings, timeMs } of troubled(77, 5_000)) {
      bench.feed(blockOf(readings), timeMs)
      rows += readings.length
    }
    bench.tick()
    const count = (fate: string) => bench.fates.filter((f) => f.fate === fate).length
    const minutes = new Map<string, number>()
    for (const r of bench.rows) if (r.size === 0) minutes.set(`${r.name} ${r.start}`, r.count)
    const onTime = [...minutes.values()].reduce((a, b) => a + b, 0)
    expect(onTime + count('old') + count('duplicate') + count('expired')).toBe(rows)
    expect(bench.last!.accepted).toBe(rows)
    expect(count('expired')).toBeGreaterThan(0)
    expect(new Set(bench.fates.map((f) => `${f.seq} ${f.row}`)).size).toBe(bench.fates.length)
  })

  test('closedUntil of old rows is a whole minute beyond the row, and never falls', () => {
    const bench = new Bench()
    const last = new Map<string, number>()
    for (const { readings, timeMs } of troubled(78, 5_000)) {
      bench.feed(blockOf(readings), timeMs)
      for (const f of bench.fates.splice(0)) {
        if (f.fate !== 'old') continue
        const r = readings[f.row]
        const name = `${r.device} ${r.metric}`
        expect(f.closedUntil % 60_000).toBe(0)
        expect(f.closedUntil).toBeGreaterThan(r.ts)
        expect(f.closedUntil).toBeGreaterThanOrEqual(last.get(name) ?? 0)
        last.set(name, f.closedUntil)
      }
    }
    expect(last.size).toBeGreaterThan(3)
  })

  test('a block of which every row is on time has no entry', () => {
    const bench = new Bench()
    expect(bench.read(T0, 1).fates).toEqual([])
  })

  test('two values at one time are two readings, the same value at one time is one, and negative zero is zero', () => {
    const bench = new Bench()
    bench.feed(blockOf([0, 1, -0, 1, 0].map((value) => ({ device: 'd', metric: 'm', ts: T0, value }))))
    expect(bench.fates.map((f) => f.row)).toEqual([2, 3, 4])
  })

  test('series of one name under two tenants are two series', () => {
    const bench = new Bench()
    const readings = [{ device: 'd', metric: 'm', ts: T0, value: 1 }]
    bench.feed(blockOf(readings, [], 'a'))
    bench.feed(blockOf(readings, [], 'b'))
    expect(bench.fates).toEqual([])
    bench.tick()
    expect(new Set(bench.rows.map((r) => r.name))).toEqual(new Set(['a/d/m', 'b/d/m']))
  })

  test('a device of many metrics keeps each apart', () => {
    const bench = new Bench()
    const readings = Array.from({ length: 90 }, (_, i) => ({ device: 'd', metric: `m${i % 30}`, ts: T0 + i, value: i }))
    for (const r of readings) bench.feed(blockOf([r]))
    bench.tick()
    const days = bench.rows.filter((r) => r.size === 3).map((r) => [r.name, r.count, r.first])
    expect(days).toEqual(readings.slice(0, 30).map((r) => [`default/d/${r.metric}`, 3, r.value]))
  })
})

describe('a message that is none', () => {
  const sound = {
    k: 'b', t: 'default', d: ['d'], m: ['m'],
    sd: Uint8Array.of(0, 0), sm: Uint8Array.of(0, 0), r: Uint8Array.of(0, 0), b: T0, w: 4, ts: new Uint8Array(4), v: new Uint8Array(8),
  }
  const double = (v: number) => new Uint8Array(Float64Array.of(v).buffer)
  const wrong: [string, unknown][] = [
    ['of another kind', { k: 'z' }],
    ['that is null', null],
    ['that is a number', 7],
    ['whose row points outside its series', { ...sound, r: Uint8Array.of(1, 0) }],
    ['whose series points outside its devices', { ...sound, sd: Uint8Array.of(9, 0) }],
    ['whose device is a number', { ...sound, d: [1] }],
    ['without a tenant', { ...sound, t: null }],
    ['of a value that is no number', { ...sound, v: double(NaN) }],
    ['of an infinite value', { ...sound, v: double(-Infinity) }],
    ['of a value beyond the bound', { ...sound, v: double(1e101) }],
    ['of a time that is no number', { ...sound, w: 8, ts: double(NaN) }],
    ['of a time between milliseconds', { ...sound, w: 8, ts: double(T0 + 0.5) }],
    ['of columns of two lengths', { ...sound, v: new Uint8Array(16) }],
    ['of half a column', { ...sound, v: new Uint8Array(7) }],
    ['whose keyed rows lie outside', { ...sound, i: [['00', 0, 2]] }],
    ['of settings that are none', { k: 's', s: [1, -1, 0] }],
  ]
  test.each(wrong)('%s is counted, passed over, and harms nothing', (_, wire) => {
    const bench = new Bench()
    bench.read(T0, 1)
    bench.feed(pack(wire))
    expect(bench.state.malformed).toBe(1)
    expect(bench.last).toMatchObject({ accepted: 1, fates: [], windows: [] })
    bench.restore()
    expect(bench.state.malformed).toBe(1)
    bench.read(T0, 1)
    expect(bench.fates.map((f) => f.fate)).toEqual(['duplicate'])
  })

  test('the sound one beside them is read', () => {
    const bench = new Bench()
    bench.feed(pack(sound))
    expect(bench.last!.accepted).toBe(1)
  })

  test('random bytes and cut messages never throw', () => {
    const random = seeded(4)
    const bench = new Bench()
    const block = blockOf(Array.from({ length: 20 }, (_, i) => ({ device: `d${i}`, metric: 'm', ts: T0 + i, value: i })))
    for (let i = 0; i < block.length; i += 3) {
      bench.feed(block.slice(0, i))
      const bent = block.slice()
      bent[i] ^= 1 + Math.floor(random() * 255)
      bench.feed(bent)
      bench.feed(Uint8Array.from({ length: i % 40 }, () => random() * 256))
    }
    expect(bench.state.malformed).toBeGreaterThan(block.length / 3)
  })
})

describe('effects', () => {
  test('rows do not depend on where commits end, and each series is named once a commit', () => {
    const blocks = troubled(31, 3_000)
    const run = (every: number) => {
      const state = partitionActor.create()
      const rows: unknown[] = []
      let effects = partitionActor.effects()
      blocks.forEach(({ readings, timeMs }, i) => {
        partitionActor.step(state, { seq: i + 1, timeMs, data: blockOf(readings) }, effects)
        if ((i + 1) % every !== 0 && i + 1 < blocks.length) return
        const decoded = decodeEffects(partitionActor.encode(effects, state))
        expect(new Set(decoded.series.map(nameOf)).size).toBe(decoded.series.length)
        for (const w of decoded.windows) rows.push({ ...w, series: nameOf(decoded.series[w.series]) })
        for (const a of decoded.anomalies) rows.push({ ...a, series: nameOf(decoded.series[a.series]) })
        rows.push(...decoded.fates)
        effects = partitionActor.effects()
      })
      const sorted = rows.map((r) => JSON.stringify(r)).sort()
      return sorted
    }
    const once = run(1)
    expect(run(7)).toEqual(once)
    expect(run(1_000_000)).toEqual(once)
  })

  test('an anomaly is urgent, and says where and why', () => {
    const bench = new Bench()
    const random = seeded(2)
    for (let i = 0; i < 200; i++) bench.read(T0 + i * 10_000, 20 + random(), 'probe', 't')
    const effects = partitionActor.effects()
    const data = blockOf([{ device: 'probe', metric: 't', ts: T0 + 2_000_000, value: 35 }])
    partitionActor.step(bench.state, { seq: 10_000, timeMs: bench.timeMs, data }, effects)
    expect(partitionActor.urgent(effects)).toBe(true)
    expect(partitionActor.urgent(partitionActor.effects())).toBe(false)
    const { anomalies, series } = decodeEffects(partitionActor.encode(effects, bench.state))
    expect(anomalies).toMatchObject([{ ts: T0 + 2_000_000, value: 35 }])
    expect(nameOf(series[anomalies[0].series])).toBe('default/probe/t')
    expect(anomalies[0].reason).toMatch(/^35 is .* deviations above the expected 20/)
    expect(anomalies[0].lower).toBeLessThan(20.5)
    expect(anomalies[0].upper).toBeGreaterThan(20.5)
  })

  test('rejects are passed by', () => {
    const bench = new Bench()
    bench.feed(encodeRejects({ tenant: 'default', counts: [['d', 3]], samples: [['bad', '{}']] }))
    expect([bench.state.malformed, bench.last!.accepted, bench.last!.pending]).toEqual([0, 0, 0])
  })
})
