/**
 * The notifier: reads RESULTS as a registered reader, and has each alert's events said where their tenant's routes lead.
 *
 * Owns reading, the order of taking in, storing and sending, and what wakes it. Leaves decisions to desk.ts, storing to keeper.ts, sending to post.ts,
 * and who is the notifier at all to its owner: two at once do no harm, as of two that store one fails (P2 of keeper.ts), and both send the same ids.
 *
 * - N1 A commit's events are taken in, then stored, then sent: a crash anywhere loses none, and what is sent again has the same ids.
 * - N2 Nothing of RESULTS is purged that is not in a stored state: the entry `readers.notifier` says so to the janitors.
 * - N3 A RESULTS that was made anew is read from its first message.
 */

import type { Clock } from '../../runtime/clock.ts'
import { ErrorCode, isOperating, OperatingError } from '../../runtime/errors.ts'
import { infoShowing } from '../../runtime/identity.ts'
import { JournalReader } from '../../runtime/journal.ts'
import { NOTIFY_UNROUTED_MS, REGISTER_INTERVAL_MS } from '../../runtime/limits.ts'
import type { Connection, KeyValue, LogReader } from '../../runtime/log.ts'
import { BUCKET_META, BUCKET_NOTIFY, inputStreams, OWN, RESULTS } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { decodeAlerts } from '../partition/effects.ts'
import type { FollowerLogger } from '../store/follow.ts'
import { readReader, writeReader } from '../store/readers.ts'
import { dueOf, forgetOldest, hear, passTime, sendableAt } from './desk.ts'
import { Keeper } from './keeper.ts'
import type { Kept } from './keeper.ts'
import type { NotifierMetrics } from './metrics.ts'
import { Post } from './post.ts'
import type { Senders } from './outgoing.ts'
import type { RouteRegistry } from './routes.ts'
import type { RuleLabels } from './rule-labels.ts'
import type { Told } from './state.ts'

/** Its name among the readers of the log: one for all processes that may be it. */
export const NOTIFIER = 'notifier'
/** An input stream that it needs nothing of. */
const NOTHING_OF_IT = Number.MAX_SAFE_INTEGER
const IDLE_MS = 60_000
const WOKEN = 'woken'

export interface NotifierOptions {
  readonly connection: Pick<Connection, 'log' | 'kv'>
  readonly topology: Topology
  readonly routes: RouteRegistry
  readonly rules: RuleLabels
  readonly senders: Senders
  readonly clock: Clock
  readonly logger: FollowerLogger
  readonly metrics?: NotifierMetrics | null
  /** `NOTIFY_CHANGES_MAX` by default. */
  readonly changesMax?: number
}

/** One term of being the notifier: `start` once, `stop` once. */
export class Notifier {
  /** Rejects when the term is over, or something failed: a new term may go on. */
  readonly failed: Promise<never>
  /** Messages that could not be read; passed over. */
  malformed = 0
  readonly #options: NotifierOptions
  readonly #meta: KeyValue
  readonly #keeper: Keeper
  readonly #post: Post
  readonly #journal = new JournalReader()
  #fail: (error: unknown) => void = () => {}
  #created = ''
  #doneSeq = 0
  #reader: LogReader | null = null
  #ending = new AbortController()
  #nap = new AbortController()
  #loops: Promise<void>[] = []

  private constructor(options: NotifierOptions, meta: KeyValue, open: (notifier: { onStored: (kept: Kept) => void; onFailure: (error: unknown) => void }) => Keeper) {
    this.#options = options
    this.#meta = meta
    this.failed = new Promise<never>((_, reject) => (this.#fail = reject))
    this.failed.catch(() => {})
    this.#keeper = open({ onStored: (kept) => this.#dispatch(kept), onFailure: (error) => this.#fail(error) })
    const { senders, clock, logger, metrics = null, routes } = options
    this.#post = new Post({
      senders, clock, logger, metrics,
      routesOf: (tenant) => routes.active(tenant),
      onAnswer: (kept) => {
        this.#keeper.settled(kept)
        this.#dispatch(kept)
      },
    })
  }

  /** Loads what is kept. Throws `OperatingError`. */
  static async open(options: NotifierOptions): Promise<Notifier> {
    const { connection, clock, changesMax } = options
    const hooks = { onStored: (_: Kept) => {}, onFailure: (_: unknown) => {} }
    const kv = await connection.kv(BUCKET_NOTIFY, { create: false })
    const keeper = await Keeper.open({ kv, clock, changesMax, onStored: (kept) => hooks.onStored(kept), onFailure: (error) => hooks.onFailure(error) })
    return new Notifier(options, await connection.kv(BUCKET_META, { create: false }), (given) => Object.assign(hooks, given) && keeper)
  }

  /** What is kept of each tenant. */
  get states() {
    return Array.from(this.#keeper.all(), ({ state }) => state)
  }

  async start(): Promise<void> {
    const { log } = this.#options.connection
    const { clock, logger, routes } = this.#options
    const before = await readReader(this.#meta, NOTIFIER)
    let info = await log.info(RESULTS)
    this.#created = info.created
    const from = before?.resultsCreated === info.created ? before.resultsFrom : 1
    if (from > info.lastSeq + 1) info = await infoShowing(log, clock, RESULTS, from - 1, info)
    if (from > info.lastSeq + 1) throw new OperatingError('identity', `Cannot read ${RESULTS} as it must hold what alerts were told of, up to message ${from - 1}: its last message is ${info.lastSeq}`)
    this.#doneSeq = Math.max(from, info.firstSeq, 1) - 1
    await this.#register()
    routes.listen(() => this.#wake())
    const run = (loop: () => Promise<void>) =>
      this.#loops.push(
        loop().catch((error) => {
          if (!this.#ending.signal.aborted) this.#fail(error)
        }),
      )
    run(() => this.#read())
    run(() => this.#passTime())
    run(() => this.#registerOn())
    logger.info({ from, created: info.created }, 'tells of alerts')
  }

  /** Stores what was delivered, and ends. What is under way is cut, and sent again by whoever comes next. */
  async stop({ store = true } = {}): Promise<void> {
    this.#ending.abort()
    this.#nap.abort()
    this.#options.routes.listen(() => {})
    await this.#reader?.close()
    await Promise.all(this.#loops)
    await this.#post.stop()
    await this.#keeper.stop({ store })
    if (store) await this.#register().catch((error) => {
      if (!isOperating(error)) throw error
    })
  }

  /** Before it RESULTS is not needed any more. */
  #neededFrom(): number {
    return this.#keeper.neededFrom(Math.min(this.#journal.pendingFrom() ?? Infinity, this.#doneSeq + 1))
  }

  async #read(): Promise<void> {
    const reader = this.#options.connection.log.read({ stream: RESULTS, fromSeq: this.#doneSeq + 1 })
    this.#reader = reader
    for await (const message of reader) {
      if (this.#ending.signal.aborted) return
      let given
      try {
        given = this.#journal.accept(message)
        if (given !== null && 'commit' in given) this.#take(given.commit.payload, given.commit.seq, given.commit.fromSeq)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        this.malformed++
        this.#options.logger.warn({ subject: message.subject, seq: message.seq, why: error.message }, 'passed over a message of the log that can not be read')
      }
      this.#doneSeq = message.seq
    }
  }

  #take(payload: Uint8Array, seq: number, fromSeq: number): void {
    const { routes, rules, clock } = this.#options
    const byTenant = new Map<string, Told[]>()
    for (const { series, ...row } of decodeAlerts(payload)) {
      const { tenant, device, metric } = series
      const known = this.#keeper.of(tenant).state.alerts[row.id]
      const { name, labels } = rules.of(tenant, row.rule) ?? known ?? { name: row.rule, labels: {} }
      const { id, rule, severity, number, event, at, message } = row
      const value = Number.isNaN(row.value) ? null : row.value
      const openedAt = known?.openedAt ?? openedIn(id) ?? at
      const list = byTenant.get(tenant)
      const told = { id, rule, name, device, metric, severity, number, event, at, openedAt, value, message, labels }
      if (list === undefined) byTenant.set(tenant, [told])
      else list.push(told)
    }
    for (const [tenant, list] of byTenant) {
      const kept = this.#keeper.of(tenant)
      const { state } = kept
      if (state.created !== this.#created) {
        state.created = this.#created
        state.seq = 0
      }
      if (seq <= state.seq) continue
      const active = routes.active(tenant)
      const nowMs = clock.now()
      for (const told of list) hear(state, told, active, nowMs)
      forgetOldest(state)
      passTime(state, active, nowMs)
      state.seq = seq
      if (active.size > 0) this.#keeper.changed(kept, fromSeq)
      // Nobody waits for it: of a storm only its end is stored.
      else this.#keeper.settled(kept, { from: fromSeq, afterMs: NOTIFY_UNROUTED_MS })
    }
    if (byTenant.size > 0) this.#wake()
  }

  /** Wakes when something is due, and when routes have changed. */
  async #passTime(): Promise<void> {
    const { clock, routes, logger } = this.#options
    while (!this.#ending.signal.aborted) {
      this.#nap = new AbortController()
      const nowMs = clock.now()
      let dueMs = nowMs + IDLE_MS
      for (const kept of this.#keeper.all()) {
        const { state } = kept
        const active = routes.active(state.tenant)
        const lost = givenUpOf(state)
        if (passTime(state, active, nowMs)) this.#keeper.changed(kept)
        if (givenUpOf(state) > lost) logger.error({ tenant: state.tenant, messages: givenUpOf(state) - lost }, 'messages about alerts were given up, as they could not be delivered for too long')
        this.#post.dispatch(kept)
        dueMs = Math.min(dueMs, dueOf(state, active), this.#sendableAt(kept))
      }
      await clock.sleep(Math.max(1, dueMs - clock.now()), this.#nap.signal)
    }
  }

  #sendableAt({ state, stored }: Kept): number {
    let at = Infinity
    for (const of of Object.values(state.routes)) {
      const due = sendableAt(of, (id) => !stored.has(id) || this.#post.isSending(state.tenant, id))
      // What may be sent now waits for another message, whose answer wakes this.
      if (due > this.#options.clock.now()) at = Math.min(at, due)
    }
    return at
  }

  #dispatch(kept: Kept): void {
    if (this.#ending.signal.aborted) return
    this.#post.dispatch(kept)
    this.#wake()
  }

  #wake(): void {
    // Without a reason the platform makes an error, and its stack, for nobody.
    this.#nap.abort(WOKEN)
  }

  async #registerOn(): Promise<void> {
    const { clock, logger } = this.#options
    while (!this.#ending.signal.aborted) {
      await clock.sleep(REGISTER_INTERVAL_MS, this.#ending.signal)
      if (this.#ending.signal.aborted) return
      await this.#register().catch((error) => {
        if (!isOperating(error) || !error.retry) throw error
        logger.warn({ code: error.code }, `the notifier could not note how far it is: ${error.message}`)
      })
    }
  }

  /** N2. */
  async #register(): Promise<void> {
    const { connection, topology, clock } = this.#options
    const infos = await Promise.all([...inputStreams(topology), RESULTS].map((stream) => connection.log.info(stream)))
    const results = infos.pop()!
    // An installation of before own actors may lack their stream.
    const own = await connection.log.info(OWN).catch((error) => {
      if (!isOperating(error, ErrorCode.identity)) throw error
      return null
    })
    if (own !== null) infos.push(own)
    if (results.created !== this.#created) throw new OperatingError('identity', `Cannot go on reading ${RESULTS} as it must be the stream made at ${this.#created}: it was made at ${results.created}`)
    const inputFrom = Object.fromEntries(infos.map(({ name, created }) => [name, { created, seq: NOTHING_OF_IT }]))
    await writeReader(this.#meta, { name: NOTIFIER, atMs: Math.floor(clock.now()), resultsCreated: this.#created, resultsFrom: this.#neededFrom(), inputFrom, covered: {}, marks: {} })
  }
}

const givenUpOf = ({ routes }: Kept['state']) => Object.values(routes).reduce((sum, { givenUp }) => sum + givenUp, 0)

/** An alert's name ends with the log's time of its opening; null of a name that does not. */
function openedIn(id: string): number | null {
  const ms = Number.parseInt(id.slice(id.lastIndexOf('.') + 1), 36)
  return ms > 1e12 && ms < 1e14 ? ms : null
}
