/** What a store tells of the hours of kinds. */

import { describe, expect, test } from 'vitest'
import { CourseTeller } from '../../../actors/fleet/courses.ts'
import type { HourRow } from '../../../actors/partition/effects.ts'
import { decodeInput } from '../../../actors/reading/input.ts'
import type { CourseHour } from '../../../actors/reading/input.ts'
import type { CoveredCommit } from '../../../actors/store/follow.ts'
import { ErrorCode, OperatingError } from '../../../runtime/errors.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { HOUR } from '../partition/harness.ts'

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

/** A teller, the messages that it sent, and a way to give it what devices of a partition commit of an hour: each its deviation. */
function house() {
  const clock = new ManualClock()
  const sent: { subject: string; courses: readonly CourseHour[] }[] = []
  const log = { fails: false }
  const publish = (subject: string, data: Uint8Array) => {
    if (log.fails) return Promise.reject(new OperatingError(ErrorCode.unavailable, 'Cannot publish'))
    const input = decodeInput(data)
    if (input.kind === 'courses') sent.push({ subject, courses: input.courses })
    return Promise.resolve({ seq: sent.length } as never)
  }
  const teller = new CourseTeller({ log: { publish }, clock, logger: quiet })
  const commit = (partition: number, hour: number, deviations: readonly number[], { from = 0, moved = () => true as boolean, sort = 'probe' } = {}) => {
    const series = deviations.map((_, i) => ({ tenant: 't', device: `${sort}-${from + i}`, metric: 'm' }))
    const hours: HourRow[] = deviations.map((deviation, i) => ({ series: i, hour: hour * HOUR, deviation, moved: moved() }))
    teller.onCommit({ partition, effects: { series, hours } } as unknown as CoveredCommit)
  }
  return { clock, sent, log, teller, commit }
}

const OF = 't\nprobe-#\nm'

describe('the hours of a kind', () => {
  test('are told to the partitions that hold members of it: their median, how far they were from it, and how many moved', async () => {
    const { sent, teller, commit, clock } = house()
    let n = 0
    commit(3, 10, [1, 2, 9], { moved: () => n++ > 0 })
    commit(5, 10, [3, 2], { from: 3 })
    await teller.tellNow()
    expect(sent).toEqual([])
    await clock.advance(600_000)
    await teller.tellNow()
    const course = { of: OF, hour: 10 * HOUR, members: 5, moved: 4, deviation: 2, spread: 1 }
    expect(sent).toEqual([3, 5].map((partition) => ({ subject: `readings.${partition}`, courses: [course] })))
  })

  test('are told as soon as as many have told as last time, or half of them tell of a later one; and once', async () => {
    const { sent, teller, commit, clock } = house()
    commit(0, 10, [1, 2, 3, 4, 5, 6])
    await clock.advance(600_000)
    await teller.tellNow()
    commit(0, 11, [1, 2, 3, 4, 5])
    await teller.tellNow()
    expect(sent.length).toBe(1)
    commit(0, 11, [6], { from: 5 })
    await teller.tellNow()
    expect(sent.length).toBe(2)
    commit(0, 12, [1, 2, 3, 4, 5])
    commit(0, 13, [1, 2])
    await teller.tellNow()
    expect(sent.length).toBe(2)
    commit(0, 13, [3], { from: 2 })
    await teller.tellNow()
    commit(0, 12, [6], { from: 5 })
    commit(0, 10, [1, 2, 3, 4, 5, 6])
    await clock.advance(600_000)
    await teller.tellNow()
    expect(sent.flatMap(({ courses }) => courses).map(({ hour, members }) => [hour / HOUR, members])).toEqual([[10, 6], [11, 6], [12, 5]])
  })

  test('of fewer than five members are not told', async () => {
    const { sent, teller, commit, clock } = house()
    commit(0, 10, [1, 2, 3, 4])
    commit(1, 10, [1, 2, 3, 4], { sort: 'gauge' })
    await clock.advance(600_000)
    await teller.tellNow()
    expect(sent).toEqual([])
  })

  test('wait for a log that does not answer, and come in their order then', async () => {
    const { sent, teller, commit, clock, log } = house()
    log.fails = true
    for (const hour of [10, 11]) {
      commit(0, hour, [1, 2, 3, 4, 5])
      await clock.advance(600_000)
      await expect(teller.tellNow()).rejects.toThrow('Cannot publish')
    }
    log.fails = false
    await teller.tellNow()
    expect(sent.flatMap(({ courses }) => courses).map(({ hour }) => hour / HOUR)).toEqual([10, 11])
  })
})
