/**
 * What kinds of series did in each hour, from how far their members were from what is usual of each: the median, and how far they were apart in that.
 *
 * Owns the tallies of hours that are not yet told. Leaves what a member tells to partition/fleet/hours.ts, and what a partition makes of it to
 * partition/fleet/kin.ts.
 *
 * - C1 An hour is told when as many members have told of it as of the last one, or half of them already tell of a later one, or `WAIT_MS` after the first
 *   did; what comes behind is passed over. Of fewer than `MEMBERS_MIN` members nothing is told.
 * - C2 A partition hears of the kinds that have members in it, in one message for all that is due.
 * - C3 Nothing is kept over a restart: an hour whose members told of it before is told by those who tell after, or not at all; hours that were told
 *   are told again where commits are read again, and partitions pass over them.
 */

import type { Clock } from '../../runtime/clock.ts'
import { isOperating } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import { inputSubject } from '../../runtime/topology.ts'
import { MEMBERS_MIN } from '../partition/fleet/courses.ts'
import { kindOf } from '../partition/fleet/kinds.ts'
import { KINDS_MAX } from '../partition/fleet/priors.ts'
import { COURSES_MAX, encodeCourses } from '../reading/input.ts'
import type { CourseHour } from '../reading/input.ts'
import type { CoveredCommit, FollowerLogger } from '../store/follow.ts'

const WAIT_MS = 600_000
const LOOK_EVERY_MS = 2_000
/** Hours of a kind that may be under way; of more the oldest is told as it is. */
const OPEN_MAX = 6
/** Messages that wait for the log; of more the oldest go. */
const LETTERS_MAX = 1_000

interface Tally {
  readonly deviations: number[]
  readonly partitions: Set<number>
  moved: number
  readonly sinceMs: number
}

interface Kind {
  /** By start of the hour. */
  readonly open: Map<number, Tally>
  toldUntil: number
  /** Members of the last hour that was told. */
  members: number
}

export interface CourseTellerOptions {
  readonly log: Pick<Log, 'publish'>
  readonly clock: Clock
  readonly logger: FollowerLogger
}

export class CourseTeller {
  readonly #options: CourseTellerOptions
  readonly #kinds = new Map<string, Kind>()
  /** What is due, by partition. */
  #due = new Map<number, CourseHour[]>()
  #letters: { readonly partition: number; readonly data: Uint8Array }[] = []
  #ending = new AbortController()
  #loop: Promise<void> = Promise.resolve()

  constructor(options: CourseTellerOptions) {
    this.#options = options
  }

  start(): void {
    this.#loop = this.#tellOn()
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#loop
  }

  onCommit({ partition, effects }: CoveredCommit): void {
    for (const { series, hour, deviation, moved } of effects.hours) {
      const { tenant, device, metric } = effects.series[series]
      const of = kindOf(tenant, device, metric)
      let kind = this.#kinds.get(of)
      if (kind === undefined) {
        if (this.#kinds.size >= KINDS_MAX) continue
        this.#kinds.set(of, (kind = { open: new Map(), toldUntil: -1, members: 0 }))
      }
      if (hour <= kind.toldUntil || !Number.isFinite(deviation)) continue
      let tally = kind.open.get(hour)
      if (tally === undefined) {
        kind.open.set(hour, (tally = { deviations: [], partitions: new Set(), moved: 0, sinceMs: this.#options.clock.monotonic() }))
        if (kind.open.size > OPEN_MAX) this.#close(of, kind, Math.min(...kind.open.keys()))
      }
      tally.deviations.push(deviation)
      tally.partitions.add(partition)
      if (moved) tally.moved++
    }
  }

  /** Tells what is due; throws `OperatingError` where the log does not answer. */
  async tellNow(): Promise<void> {
    const nowMs = this.#options.clock.monotonic()
    for (const [of, kind] of this.#kinds) {
      for (const hour of [...kind.open.keys()].sort((a, b) => a - b)) {
        const { deviations, sinceMs } = kind.open.get(hour)!
        const isFull = kind.members > 0 && deviations.length >= kind.members
        const isLeft = [...kind.open].some(([later, tally]) => later > hour && 2 * tally.deviations.length >= deviations.length)
        if (!isFull && !isLeft && nowMs - sinceMs < WAIT_MS) break
        this.#close(of, kind, hour)
      }
    }
    for (const [partition, courses] of this.#due) {
      for (let from = 0; from < courses.length; from += COURSES_MAX) this.#letters.push({ partition, data: encodeCourses(courses.slice(from, from + COURSES_MAX)) })
    }
    this.#due.clear()
    if (this.#letters.length > LETTERS_MAX) this.#letters.splice(0, this.#letters.length - LETTERS_MAX)
    while (this.#letters.length > 0) {
      await this.#options.log.publish(inputSubject(this.#letters[0].partition), this.#letters[0].data)
      this.#letters.shift()
    }
  }

  #close(of: string, kind: Kind, hour: number): void {
    const { deviations, partitions, moved } = kind.open.get(hour)!
    kind.open.delete(hour)
    kind.toldUntil = hour
    kind.members = deviations.length
    if (deviations.length < MEMBERS_MIN) return
    const deviation = medianOf(deviations)
    const spread = medianOf(deviations.map((d) => Math.abs(d - deviation)))
    for (const partition of partitions) {
      const due = this.#due.get(partition)
      const course = { of, hour, members: deviations.length, moved, deviation, spread }
      if (due === undefined) this.#due.set(partition, [course])
      else due.push(course)
    }
  }

  async #tellOn(): Promise<void> {
    const { clock, logger } = this.#options
    const { signal } = this.#ending
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal)
      if (signal.aborted) return
      await this.tellNow().catch((error) => {
        if (!isOperating(error)) throw error
        logger.warn({ code: error.code }, `what kinds of series did in their last hours could not be told this time: ${error.message}`)
      })
    }
  }
}

export function medianOf(numbers: readonly number[]): number {
  const sorted = Float64Array.from(numbers).sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
