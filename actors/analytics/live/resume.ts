/**
 * Opens live streams: with a snapshot, or, resumed, with exactly the events behind the id that the client had last.
 *
 * Owns who resumes when. After a restart everyone comes at once, each with an id of his own: those who come together read the log together
 * (live/catch-up.ts), LIVE_CATCH_UPS_MAX runs at a time; the others wait, and a comment says so.
 *
 * - U2 Where the place is unknown, of another log, purged or too far back, the stream says so by beginning with a snapshot.
 * - U3 While the log is read up to the place, a stream waits. Where it does not answer, or is not read on, the stream ends behind what was
 *   given, and its client resumes again: nothing is left out.
 * - U6 A run holds streams of about the same distance, so that none waits for one that comes from far away.
 */

import { isOperating } from '../../../runtime/errors.ts'
import { infoShowing } from '../../../runtime/identity.ts'
import { LIVE_CATCH_UPS_MAX, LIVE_CATCH_UP_NEAR_MESSAGES, LIVE_RECENT_MS, LIVE_RESUME_MESSAGES_MAX, LIVE_RESUME_WAIT_MS } from '../../../runtime/limits.ts'
import type { StreamInfo } from '../../../runtime/log.ts'
import { RESULTS, inputStreams } from '../../../runtime/topology.ts'
import { CatchUp, Cohort } from './catch-up.ts'
import type { CatchUpSources } from './catch-up.ts'
import { decodeId } from './ids.ts'
import type { EventPlace } from './ids.ts'
import { RecentLog } from './recent.ts'
import type { Sink } from './sink.ts'
import { LiveSnapshots } from './snapshots.ts'
import type { LiveFilter, Subscriber } from './subscriber.ts'
import { keyOf } from './live.ts'
import type { SeriesCatalog } from '../data/series-catalog.ts'
import type { TailLogger } from '../data/tail.ts'

export interface LiveSources extends Omit<CatchUpSources, 'recent'> {
  readonly catalog: SeriesCatalog
  readonly logger: TailLogger
}

/** How often it is looked whether those who wait can go on. */
const LOOK_MS = 50

export class LiveStreams {
  readonly #sources: LiveSources
  readonly #snapshots: LiveSnapshots
  readonly #recent: RecentLog
  #forget: () => void = () => {}
  /** Who waits, in the order of coming; by what was asked for and the last id, or alone. */
  #waiting = new Map<string | symbol, Cohort>()
  #runs = 0
  #looking = false

  constructor(sources: LiveSources) {
    this.#sources = sources
    this.#snapshots = new LiveSnapshots(sources)
    this.#recent = new RecentLog(sources.hub.topology.streams + 1)
  }

  /** Opens a stream into `sink`. `lastEventId` null: begin with a snapshot. */
  open(filter: LiveFilter, sink: Sink, lastEventId: string | null): void {
    const { hub } = this.#sources
    const subscriber = hub.admit(filter, sink)
    const place = lastEventId === null ? null : decodeId(hub.generation, lastEventId, hub.topology.streams)
    if (place === null) this.#snapshots.begin(subscriber)
    else this.#resume(subscriber, place, `${keyOf(filter)} ${lastEventId}`)
  }

  #resume(subscriber: Subscriber, place: EventPlace, key: string): void {
    const { hub, clock } = this.#sources
    const cohort = this.#waiting.get(key) ?? new Cohort(hub, subscriber.filter, place, clock.monotonic())
    subscriber.say(Buffer.from(': catching up with the log\n\n'))
    subscriber.follow(cohort.feed, cohort.feed.tail)
    this.#wait(key, cohort)
  }

  #wait(key: string | symbol, cohort: Cohort): void {
    this.#waiting.set(key, cohort)
    if (!this.#looking) void this.#look()
  }

  async #look(): Promise<void> {
    this.#looking = true
    while (this.#waiting.size > 0) {
      // Those who come at the same time are to be of one run.
      await this.#sources.clock.sleep(LOOK_MS)
      while (this.#runs < LIVE_CATCH_UPS_MAX) {
        const cohorts = this.#next()
        if (cohorts.length === 0) break
        this.#runs++
        this.#forget()
        void this.#run(cohorts).finally(() => {
          this.#runs--
          this.#forget()
          this.#forget = this.#sources.clock.after(LIVE_RECENT_MS, () => this.#recent.clear())
        })
      }
    }
    this.#looking = false
  }

  /** Those who run next: the first of those who can, and all that are about as far away. */
  #next(): Cohort[] {
    const { hub, clock } = this.#sources
    // Asked once for all who wait, who may be thousands.
    const [{ vector }, ready, nowMs] = [hub.place, hub.ready, clock.monotonic()]
    const classOf = (cohort: Cohort) => Math.max(0, Math.ceil(Math.log2(cohort.distanceTo(vector) / LIVE_CATCH_UP_NEAR_MESSAGES) / 2))
    const found: Cohort[] = []
    const late: Cohort[] = []
    let nearness = -1
    for (const [key, cohort] of this.#waiting) {
      const reached = ready && cohort.vector.every((seq, i) => seq <= vector[i])
      if (!cohort.wanted) this.#waiting.delete(key)
      else if (!reached) {
        // A process that has just started may still be behind the client.
        if (nowMs - cohort.sinceMs < LIVE_RESUME_WAIT_MS) continue
        this.#waiting.delete(key)
        late.push(cohort)
      } else if (!cohort.isFar) {
        if (nearness < 0) nearness = classOf(cohort)
        if (classOf(cohort) !== nearness) continue
        found.push(cohort)
        this.#waiting.delete(key)
      }
    }
    if (late.length > 0) void this.#late(late)
    return found
  }

  async #run(cohorts: readonly Cohort[]): Promise<void> {
    let run: CatchUp | null = null
    try {
      const infos = await this.#infos()
      const { vector } = this.#sources.hub.place
      const held: Cohort[] = []
      for (const cohort of cohorts) {
        if (isHeld(cohort, infos, vector)) held.push(cohort)
        else this.#anew(cohort)
      }
      run = new CatchUp({ ...this.#sources, recent: this.#recent }, held, (cohort) => this.#wait(Symbol(), cohort))
      await run.run()
    } catch (error) {
      const retry = isOperating(error) && error.retry
      if (!retry) this.#sources.logger.warn({ err: error }, 'live streams could not be resumed and begin anew')
      for (const cohort of run?.cohorts ?? cohorts) {
        if (retry) endAll(cohort, 'the log does not answer')
        else this.#anew(cohort)
      }
    } finally {
      // Nobody waits for it, and the next run need not.
      void run?.close().catch(() => {})
    }
  }

  /** Those that the hub did not reach in time: it may have come there meanwhile, there may be more to read, or there will never be. */
  async #late(cohorts: readonly Cohort[]): Promise<void> {
    let infos: readonly StreamInfo[]
    try {
      const { log, clock } = this.#sources
      // Of several servers one may show a log that ends too soon.
      infos = await Promise.all((await this.#infos()).map((info, i) => infoShowing(log, clock, info.name, Math.max(...cohorts.map((c) => c.vector[i])), info)))
    } catch {
      return cohorts.forEach((cohort) => endAll(cohort, 'the log does not answer'))
    }
    const { hub, clock } = this.#sources
    const { vector } = hub.place
    for (const cohort of cohorts) {
      const isNearer = vector.some((seq, i) => seq > cohort.hubAt[i])
      cohort.sinceMs = clock.monotonic()
      cohort.hubAt = vector
      if (cohort.vector.some((seq, i) => seq > infos[i].lastSeq)) this.#anew(cohort)
      // To end thousands that come again at once would take the time that the hub needs to come to their places.
      else if (isNearer || this.#reaches(cohort)) this.#wait(Symbol(), cohort)
      else endAll(cohort, 'the log is not read on')
    }
  }

  #reaches(cohort: Cohort): boolean {
    const { hub } = this.#sources
    const { vector } = hub.place
    return hub.ready && cohort.vector.every((seq, i) => seq <= vector[i])
  }

  #anew(cohort: Cohort): void {
    for (const reader of cohort.feed.readers) this.#snapshots.begin(reader)
  }

  /** The streams in the order of a vector. */
  #infos(): Promise<StreamInfo[]> {
    const { hub, log } = this.#sources
    return Promise.all([...inputStreams(hub.topology), RESULTS].map((name) => log.info(name)))
  }
}

/** Whether the logs still hold what lies between a cohort's place and `now`, and it is not too much. */
function isHeld(cohort: Cohort, infos: readonly StreamInfo[], now: readonly number[]): boolean {
  if (cohort.distanceTo(now) > LIVE_RESUME_MESSAGES_MAX) return false
  const { vector, within } = cohort
  return infos.every(({ firstSeq }, i) => (within?.stream === i ? firstSeq <= vector[i] : vector[i] >= now[i] || firstSeq <= vector[i] + 1))
}

function endAll(cohort: Cohort, why: string): void {
  for (const reader of cohort.feed.readers) reader.endToResume(why)
}
