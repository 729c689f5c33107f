import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../../../actors/partition/actor.ts'
import { Flag } from '../../../../actors/partition/flags.ts'
import { KINDS_MAX, Priors } from '../../../../actors/partition/fleet/priors.ts'
import { encodePrior, encodeSettings } from '../../../../actors/reading/input.ts'
import { Bench, T0 } from '../harness.ts'

const prior = (of: string, revision: number, scale = 2) => ({ of, revision, scale, groups: [{ centre: Float64Array.from({ length: 24 }, (_, h) => h / 10), spread: 0.1, days: 5 }] })

describe('what a partition is told of kinds', () => {
  test('is the greatest revision, whatever the order; of too many kinds the first', () => {
    const priors = new Priors()
    for (const revision of [3, 5, 4]) priors.learn(prior('t\nprobe-#\nm', revision, revision))
    expect(priors.of('t', 'probe-77', 'm')?.scale).toBe(5)
    expect(priors.of('t', 'probe-77', 'n')).toBeNull()
    for (let i = 0; i < KINDS_MAX + 9; i++) priors.learn(prior(`t\nx\n${i}`, 1))
    expect(priors.size).toBe(KINDS_MAX)
    priors.learn(prior('t\nprobe-#\nm', 9, 9))
    expect(priors.of('t', 'probe-1', 'm')?.scale).toBe(9)
  })

  test('counts from where the log has switched it on, and is a part of the snapshot', () => {
    const bench = new Bench()
    bench.read(T0, 1)
    bench.feed(encodePrior(prior('default\nprobe-#\nm', 1)))
    expect([bench.state.malformed, bench.state.priors.size]).toEqual([1, 0])
    bench.feed(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, [Flag.fleet]))
    bench.feed(encodePrior(prior('default\nprobe-#\nm', 1)))
    expect(partitionActor.snapshotVersionOf(bench.state)).toBe(6)
    const bytes = partitionActor.snapshot(bench.state)
    bench.restore()
    expect(bench.state.priors.entries()).toEqual([prior('default\nprobe-#\nm', 1)])
    expect(Buffer.from(partitionActor.snapshot(bench.state)).equals(Buffer.from(bytes))).toBe(true)
  })
})
