import { describe, expect, test } from 'vitest'
import { partitionActor, partitionActorKnowing } from '../../../actors/partition/actor.ts'
import { Flag, FLAGS } from '../../../actors/partition/flags.ts'
import { decodeInput, encodeFeedback, encodeSettings } from '../../../actors/reading/input.ts'
import { isOperating } from '../../../runtime/errors.ts'
import { pack, unpack } from '../../../runtime/codec.ts'
import { Bench, blockOf, DAY, gaussian, HOUR, MINUTE, seeded, T0 } from './harness.ts'

const SETTINGS = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }
const former = partitionActorKnowing([])

/** As text, since a decoder leaves a view of its own on an array that it has read. */
const bytes = (array: Uint8Array) => Buffer.from(array).toString('hex')

/** The code of what `run` throws. */
function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return isOperating(error) ? error.code : String(error)
  }
  return 'none'
}

describe('flags', () => {
  test('are numbered upward from 1, each once', () => {
    expect(FLAGS).toEqual([...new Set(FLAGS)].sort((a, b) => a - b))
    expect(FLAGS.every((flag) => Number.isInteger(flag) && flag >= 1)).toBe(true)
  })

  test('are switched on by a settings message, and by nothing else; they stay on', () => {
    const bench = new Bench()
    bench.read(T0, 1)
    expect([...bench.state.flags]).toEqual([])
    bench.feed(encodeSettings(SETTINGS, [1]))
    bench.feed(encodeSettings(SETTINGS))
    expect([...bench.state.flags]).toEqual([1])
    bench.restore()
    expect([...bench.state.flags]).toEqual([1])
  })

  test('a settings message without flags has the bytes that it had before there were any', () => {
    expect(encodeSettings(SETTINGS, [])).toEqual(encodeSettings(SETTINGS))
    expect(unpack(encodeSettings(SETTINGS))).toEqual({ k: 's', s: [5_000, 60_000, 0] })
    for (const f of [[0], [1.5], ['1'], [65_536], 1, Array(300).fill(1)]) {
      expect(() => decodeInput(encodeSettings(SETTINGS, f as number[]))).toThrow(/their flags must be at most 256 whole numbers/)
    }
  })

  test('a snapshot is of format 1 until one is on, so that the version before reads it; then of format 2, which it refuses', () => {
    const bench = new Bench()
    bench.read(T0, 1)
    const before = partitionActor.snapshot(bench.state)
    expect(partitionActor.snapshotVersionOf(bench.state)).toBe(1)
    expect(bytes(former.snapshot(former.restore(before)))).toBe(bytes(before))
    bench.feed(encodeSettings(SETTINGS, [1]))
    const after = partitionActor.snapshot(bench.state)
    expect(partitionActor.snapshotVersionOf(bench.state)).toBe(2)
    expect(bytes(partitionActor.snapshot(partitionActor.restore(after)))).toBe(bytes(after))
    expect(refusal(() => former.restore(after))).toBe('version')
  })

  test('one that is not known stops the partition before anything of the message is applied', () => {
    const state = former.create()
    const message = { seq: 1, timeMs: T0, data: encodeSettings({ ...SETTINGS, idleMs: 7 }, [1]) }
    expect(refusal(() => former.step(state, message, former.effects()))).toBe('version')
    expect([...state.flags, state.settings.idleMs]).toEqual([60_000])
  })

  test('are introduced as far as all agree and the state has them not, together with settings or with those that there are', () => {
    const bench = new Bench()
    const introduced = (settings: typeof SETTINGS | null, agreed: number[]) => {
      const data = partitionActor.introduce(bench.state, settings, agreed)
      return data === null ? null : decodeInput(data)
    }
    expect(introduced(null, [])).toBe(null)
    expect(introduced(SETTINGS, [])).toBe(null)
    expect(introduced(null, [1, 99])).toEqual({ kind: 'settings', settings: SETTINGS, flags: [1] })
    expect(introduced({ ...SETTINGS, idleMs: 3 }, [1])).toEqual({ kind: 'settings', settings: { ...SETTINGS, idleMs: 3 }, flags: [1] })
    bench.feed(partitionActor.introduce(bench.state, null, [1])!)
    expect(introduced(null, [1])).toBe(null)
    expect(introduced({ ...SETTINGS, idleMs: 3 }, [1])).toEqual({ kind: 'settings', settings: { ...SETTINGS, idleMs: 3 }, flags: [] })
  })
})

describe('flag 2, the ensemble', () => {
  const values = (seed: number) => ((g) => (i: number) => 20 + g() + (i === 400 ? 30 : 0))(gaussian(seeded(seed)))
  const fed = (bench: Bench, next: (i: number) => number, from: number, to: number) => {
    for (let i = from; i < to; i++) bench.read(T0 + i * 10_000, next(i))
  }

  test('with it an anomaly says what kind it is; without it the detector says what it said', () => {
    for (const [flags, reason] of [[[], /^[\d.]+ is [\d.]+ deviations above/], [[Flag.ensemble], /^[\d.]+ is above the expected [\d.]+; /]] as const) {
      const bench = new Bench()
      bench.feed(encodeSettings(SETTINGS, flags))
      fed(bench, values(1), 0, 500)
      expect(bench.anomalies.map((a) => a.ts)).toEqual([T0 + 4_000_000])
      expect(bench.anomalies[0].reason).toMatch(reason)
      expect(bench.anomalies[0].kind).toBe(flags.length === 0 ? undefined : 'spike')
    }
  })

  test('where it goes on, series are judged as if they began there', () => {
    const [late, fresh] = [new Bench(), new Bench()]
    fed(late, values(2), 0, 300)
    late.feed(encodeSettings(SETTINGS, [Flag.ensemble]))
    fresh.feed(encodeSettings(SETTINGS, [Flag.ensemble]))
    const next = values(3)
    for (let i = 0; i < 700; i++) {
      const [ts, value] = [T0 + (300 + i) * 10_000, next(i)]
      late.read(ts, value)
      fresh.read(ts, value)
    }
    expect(late.anomalies.length).toBe(1)
    expect(late.anomalies).toEqual(fresh.anomalies)
    expect(late.state.ensembles).toEqual(fresh.state.ensembles)
    expect(late.state.detectors.length).toBe(0)
  })

  test('its snapshot is of format 3, holds each series of many pages, and goes on as if it had never been written', () => {
    const [straight, restored] = [new Bench(), new Bench()]
    const g = gaussian(seeded(4))
    for (const bench of [straight, restored]) bench.feed(encodeSettings(SETTINGS, [Flag.ensemble]))
    expect(partitionActor.snapshotVersionOf(straight.state)).toBe(3)
    for (let i = 0; i < 160; i++) {
      const rows = Array.from({ length: 600 }, (_, s) => ({ device: `d${s}`, metric: 'm', ts: T0 + i * 10_000, value: g() + (i === 150 && s % 100 === 0 ? 50 : 0) }))
      for (const bench of [straight, restored]) bench.feed(blockOf(rows), T0 + i * 10_000)
      if (i % 40 === 39) restored.restore()
    }
    expect(straight.anomalies.length).toBeGreaterThanOrEqual(6)
    expect(restored.anomalies).toEqual(straight.anomalies)
    expect(bytes(partitionActor.snapshot(restored.state))).toBe(bytes(partitionActor.snapshot(straight.state)))
    const whole = unpack<{ ensembles: Uint8Array[] }>(partitionActor.snapshot(straight.state))
    expect(() => partitionActor.restore(pack(Object.fromEntries(Object.entries(whole).filter(([key]) => key !== 'ensembles'))))).toThrow(/must hold the ensemble of each series/)
    for (const ensembles of [[], whole.ensembles.slice(1), whole.ensembles.map((page) => page.slice(8))]) {
      expect(() => partitionActor.restore(pack({ ...whole, ensembles }))).toThrow(/must hold the ensemble of each series/)
    }
  })

  test('answers of people move the bar of its series', () => {
    const g = gaussian(seeded(5))
    const noise = Array.from({ length: 3_000 }, () => g())
    const reported = (useful: boolean | null) => {
      const bench = new Bench()
      bench.feed(encodeSettings(SETTINGS, [Flag.ensemble, Flag.feedback]))
      bench.read(T0, noise[0])
      const { device, metric } = bench.state.series[0]
      const said = encodeFeedback({ tenant: device.tenant, device: device.name, metric, ts: T0, value: 1, useful: useful === true })
      if (useful !== null) for (let n = 0; n < 8; n++) bench.feed(said)
      // Ever greater spikes, far apart.
      for (let i = 1; i < 3_000; i++) bench.read(T0 + i * 10_000, noise[i] + (i % 500 === 499 ? 3 + i / 300 : 0))
      return bench.anomalies.length
    }
    const usual = reported(null)
    expect(usual).toBeGreaterThan(0)
    expect(reported(false)).toBeLessThan(usual)
    expect(reported(true)).toBeGreaterThanOrEqual(usual)
  })
})

describe('flag 1, the age of a reading at its receipt', () => {
  const told = (flags: number[]) => {
    const bench = new Bench(T0)
    bench.feed(encodeSettings({ ...SETTINGS, retentionMs: DAY }, flags))
    bench.read(T0 - 2 * DAY, 1)
    // The server's clock stands ten days ahead for one message.
    bench.feed(partitionActor.tick(), T0 + 10 * DAY)
    for (let i = 1; i <= 5; i++) bench.feed(blockOf([{ device: 'd', metric: 'm', ts: T0 + i * MINUTE, value: i }]), T0 + i * MINUTE)
    bench.feed(blockOf([{ device: 'd', metric: 'm', ts: T0 - 25 * HOUR, value: 9 }]), T0 + HOUR)
    return bench.fates.filter((f) => f.fate === 'expired').length
  }

  test('without it a clock that once stood ahead has everything expire; with it only what was too old when it came', () => {
    expect(told([])).toBe(7)
    expect(told([Flag.ageAtReceipt])).toBe(2)
  })
})
