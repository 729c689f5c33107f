import { describe, expect, test } from 'vitest'
import { partitionActor, partitionActorKnowing } from '../../../actors/partition/actor.ts'
import { Flag, FLAGS } from '../../../actors/partition/flags.ts'
import { decodeInput, encodeSettings } from '../../../actors/reading/input.ts'
import { isOperating } from '../../../runtime/errors.ts'
import { unpack } from '../../../runtime/codec.ts'
import { Bench, blockOf, DAY, HOUR, MINUTE, T0 } from './harness.ts'

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
