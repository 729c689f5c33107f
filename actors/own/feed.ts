/**
 * What an own actor hears: it follows the logs as a store does, and writes the readings that partitions have admitted into the actor's own input, in the
 * order of the commits that admit them.
 *
 * So the actor's log is one sequence, wherever devices have their partitions: keys may cross them, and the log alone says what was told, when, and in what order.
 * A reading is written once more for each actor that hears it, and no state, position or commit of the partitions knows of it.
 *
 * Owns the messages and how far they go. Leaves to the actor that each commit is told once (O1 of state.ts).
 *
 * - G1 One message is under way at a time, in order, and each says behind which one it comes. What was told before a death of the feed may be told once
 *   more, and nothing is left out: the place that a feed begins at is noted only once all before it is in the log.
 * - G2 Its place stands among the readers of the logs, so that nothing is purged that it has not told.
 */

import type { Clock } from '../../runtime/clock.ts'
import { Aborted, persist } from '../../runtime/journal-writer.ts'
import type { KeyValue, Log } from '../../runtime/log.ts'
import { inputSubject, isOwn } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import type { BlockFates } from '../partition/effects.ts'
import type { Block } from '../reading/input.ts'
import { Follower } from '../store/follow.ts'
import type { CoveredCommit, FollowerLogger, FollowerPositions } from '../store/follow.ts'
import type { Covered } from '../store/manifest.ts'
import { readReader, writeReader } from '../store/readers.ts'
import type { ReaderEntry } from '../store/readers.ts'
import { matches } from './contract.ts'
import type { AnyActor } from './contract.ts'
import { watchDocuments } from './documents.ts'
import { encodeOwnDocument, encodeOwnReadings, encodeOwnTick } from './input.ts'
import type { OwnPiece } from './input.ts'

/** A place in RESULTS: the sequence of a commit, and which piece of what it covers. */
const PIECES = 1_024
const NOTE_MS = 2_000
/** So often, under load, a message notes how far it goes. */
const PLACE_MS = 500
/** A tick is sent so long after its time, since the log's clock may be another one. */
const TICK_AFTER_MS = 500
const LOOK_MS = 60_000

export interface FeedBounds {
  /** Rows of a place, of a message, and that wait for the log before the feed stops reading. */
  readonly placeRows: number
  readonly messageRows: number
  readonly waitingRows: number
}

const BOUNDS: FeedBounds = { placeRows: 16_384, messageRows: 32_768, waitingRows: 131_072 }

export interface FeedOptions {
  readonly log: Log
  readonly kv: KeyValue
  readonly topology: Topology
  readonly partition: number
  readonly actor: string
  readonly reads: AnyActor['reads']
  readonly everyMs: number | null
  /** Whether time has to come by beside the actor's own ticks: within a minute. */
  readonly wantsTime: () => boolean
  readonly clock: Clock
  readonly logger: FollowerLogger
  readonly bounds?: FeedBounds
}

type FeedEntry = ReaderEntry & { readonly feed?: { readonly from: Readonly<Record<string, Covered>>; readonly told: number } }

interface Letter {
  readonly data: Uint8Array
  readonly pieces: readonly OwnPiece[]
  readonly upTo: number
  /** How far all is told once this is in the log; null where something waits behind it, or where that was asked a moment ago. */
  readonly place: FollowerPositions | null
}

/** A place before which everything is in the log. */
interface Told {
  readonly positions: FollowerPositions
  readonly told: number
}

export class OwnFeed {
  readonly #options: FeedOptions
  readonly #bounds: FeedBounds
  readonly #ending = new AbortController()
  #follower: Follower | null = null
  #unwatch: () => void = () => {}
  /** Pieces that no letter has yet, and how far the commits go that were given. */
  #pieces: OwnPiece[] = []
  #rows = 0
  #upTo = 0
  /** Up to here the log has been told. */
  #told = 0
  #safe: Told | null = null
  #askedMs = -Infinity
  #created = ''
  #others: Uint8Array[] = []
  #sending: Promise<void> | null = null
  #cancelTick: () => void = () => {}
  #noting: Promise<void> = Promise.resolve()

  constructor(options: FeedOptions) {
    this.#options = options
    this.#bounds = options.bounds ?? BOUNDS
  }

  get name(): string {
    return `own-${this.#options.actor}`
  }

  async start(): Promise<void> {
    const { log, kv, topology, clock, logger, actor } = this.#options
    const entry = (await readReader(kv, this.name)) as FeedEntry | null
    const known = entry?.feed === undefined ? null : entry
    this.#told = known?.feed!.told ?? 0
    if (this.#ending.signal.aborted) return
    const follower = new Follower({
      log,
      topology,
      clock,
      logger,
      from: known?.feed!.from ?? null,
      ...(known === null ? {} : { resultsFrom: known.resultsFrom, resultsCreated: known.resultsCreated, inputFrom: known.inputFrom }),
      onCommit: (covered) => this.#take(covered),
      onFailure: (error) => logger.error({ err: error, actor }, 'an own actor is told nothing more: its worker has to be started again'),
    })
    this.#follower = follower
    await follower.start()
    this.#created = follower.positions().resultsCreated
    if (known !== null && known.resultsCreated !== this.#created) this.#told = 0
    this.#unwatch = await watchDocuments(kv, actor, (document) => this.#say(encodeOwnDocument(document)))
    this.#tickLater()
    this.#noting = this.#noteOn()
  }

  async stop(): Promise<void> {
    this.#unwatch()
    this.#cancelTick()
    await this.#follower?.stop()
    this.#ending.abort()
    await Promise.all([this.#sending, this.#noting])
  }

  #take({ partition, commit, effects, messages }: CoveredCommit): void | Promise<void> {
    if (isOwn(partition)) return
    const { placeRows, waitingRows } = this.#bounds
    let piece = 0
    let rows = 0
    const fates = new Map(effects.fates.map((of) => [of.seq, of]))
    for (const { seq, timeMs, input } of messages) {
      if (input.kind !== 'block') continue
      const heard = heardRows(input, fates.get(seq), this.#options.reads)
      for (let at = 0; at < heard.length; at += placeRows) {
        const part = heard.slice(at, at + placeRows)
        // Of one place all go in one message; beyond the last place there is no bound but the log's own.
        if (rows > 0 && rows + part.length > placeRows && piece < PIECES - 2) {
          piece++
          rows = 0
        }
        this.#pieces.push({ seq: commit.seq * PIECES + piece, tenant: input.tenant, receivedAt: timeMs, rows: part })
        this.#rows += part.length
        rows += part.length
      }
    }
    this.#upTo = commit.seq * PIECES + PIECES - 1
    if (this.#pieces.length > 0) this.#send()
    if (this.#rows > waitingRows) return this.#sending ?? undefined
  }

  #say(data: Uint8Array): void {
    this.#others.push(data)
    this.#send()
  }

  #send(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null
      if (!this.#ending.signal.aborted && (this.#pieces.length > 0 || this.#others.length > 0)) this.#send()
    })
  }

  async #sendAll(): Promise<void> {
    const { log, clock, partition, logger, actor } = this.#options
    const publish = (data: Uint8Array) => persist(clock, this.#ending.signal, () => log.publish(inputSubject(partition), data), (error) => logger.warn({ err: error, actor }, 'an own actor could not be told; trying again'))
    try {
      while (this.#pieces.length > 0 || this.#others.length > 0) {
        const other = this.#others.shift()
        if (other !== undefined) await publish(other)
        else {
          const letter = this.#letter()
          try {
            await publish(letter.data)
          } catch (error) {
            // What was not told is not forgotten: the place that is noted lies before it.
            this.#pieces.unshift(...letter.pieces)
            throw error
          }
          this.#told = letter.upTo
          if (letter.place !== null) this.#safe = { positions: letter.place, told: letter.upTo }
        }
      }
    } catch (error) {
      if (!(error instanceof Aborted)) throw error
    }
  }

  /** The next message: as many whole places as fit. */
  #letter(): Letter {
    let rows = 0
    let count = 0
    while (count < this.#pieces.length) {
      const { seq } = this.#pieces[count]
      const next = this.#pieces.findIndex((piece, i) => i > count && piece.seq !== seq)
      const end = next < 0 ? this.#pieces.length : next
      const more = this.#pieces.slice(count, end).reduce((sum, piece) => sum + piece.rows.length, 0)
      if (count > 0 && rows + more > this.#bounds.messageRows) break
      rows += more
      count = end
    }
    const pieces = this.#pieces.splice(0, count)
    this.#rows -= rows
    const upTo = this.#pieces.length > 0 ? pieces.at(-1)!.seq : this.#upTo
    const [after, created] = [this.#told, this.#created]
    const nowMs = this.#options.clock.monotonic()
    const isLast = this.#pieces.length === 0 && nowMs - this.#askedMs >= PLACE_MS
    if (isLast) this.#askedMs = nowMs
    const place = isLast ? this.#follower!.positions() : null
    return { pieces, upTo, place, data: encodeOwnReadings({ created, after, upTo, pieces }) }
  }

  #tickLater(): void {
    const { everyMs, wantsTime, clock } = this.#options
    this.#cancelTick()
    const nowMs = clock.now()
    const next = everyMs === null ? Infinity : (Math.floor(nowMs / everyMs) + 1) * everyMs
    // A clock that steps is looked at again within a minute.
    this.#cancelTick = clock.after(Math.min(LOOK_MS, next - nowMs + TICK_AFTER_MS), () => {
      const isDue = everyMs !== null && Math.floor(clock.now() / everyMs) > Math.floor(nowMs / everyMs)
      if (isDue || wantsTime()) this.#say(encodeOwnTick())
      this.#tickLater()
    })
  }

  async #noteOn(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#ending
    for (let last = ''; ; ) {
      last = await this.#note(last)
      if (signal.aborted) return
      await clock.sleep(NOTE_MS, signal)
    }
  }

  /** Notes how far all is told: here and now where nothing is under way, else as far as a message went that has been taken. */
  async #note(last: string): Promise<string> {
    const { kv, clock, logger, actor } = this.#options
    await this.#sending
    // By now more may be under way again: what was read for that is not told.
    if (this.#sending === null && this.#pieces.length === 0) this.#safe = { positions: this.#follower!.positions(), told: this.#told }
    if (this.#safe === null) return last
    const { positions, told } = this.#safe
    const { resultsCreated, resultsFrom, inputFrom, covered: from } = positions
    const covered = Object.fromEntries(Object.entries(from).map(([p, { input, resultsSeq }]) => [p, { created: input.created, seq: input.seq, resultsSeq }]))
    const place = JSON.stringify([resultsCreated, resultsFrom, inputFrom])
    if (place === last) return last
    const entry: FeedEntry = { name: this.name, atMs: Math.floor(clock.now()), resultsCreated, resultsFrom, inputFrom, covered, marks: {}, feed: { from, told } }
    try {
      await writeReader(kv, entry)
      return place
    } catch (error) {
      logger.warn({ err: error, actor }, 'how far an own actor is told could not be noted this time')
      return last
    }
  }
}

function heardRows(block: Block, fates: BlockFates | undefined, reads: AnyActor['reads']): OwnPiece['rows'][number][] {
  const names = Array.from(block.seriesDevice, (device, s) => {
    const [of, metric] = [block.devices[device], block.metrics[block.seriesMetric[s]]]
    return matches(reads?.devices, of) && matches(reads?.metrics, metric) ? ([of, metric] as const) : null
  })
  if (names.every((name) => name === null)) return []
  const passed = new Set(fates === undefined ? [] : [...fates.duplicate, ...fates.expired, ...fates.old])
  const rows: OwnPiece['rows'][number][] = []
  for (let i = 0; i < block.row.length; i++) {
    const name = names[block.row[i]]
    // Negative zero is zero, as it is to partitions.
    if (name !== null && !passed.has(i)) rows.push([name[0], name[1], block.ts[i], block.value[i] + 0])
  }
  return rows
}
