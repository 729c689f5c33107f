/**
 * Public SQL, as the store serves it: a few processes, and whose query runs on which.
 *
 * Owns the processes, the queue before them, and the moment that a query is asked of. Leaves HTTP to routes-sql.ts.
 *
 * - O1 A query sees one state of the lake and the fresh rows that belong to it: both are taken in one turn of the event loop, as late as they can be.
 * - O2 Nobody's query harms another's: each has a process to itself, and one that was killed is replaced by another, which starts at once.
 */

import { strict as assert } from 'node:assert'
import type { Clock } from '../../../runtime/clock.ts'
import { SQL_PROCESSES, SQL_TIME_MS, SQL_WAIT_MAX_MS, SQL_WAITING_MAX, SQL_WAITING_TENANT_MAX } from '../../../runtime/limits.ts'
import { segmentsDir } from '../../store/manifest.ts'
import type { KeptView } from '../../view/kept.ts'
import type { Tail, TailLogger } from '../data/tail.ts'
import { FairQueue } from './fair-queue.ts'
import { freshRowsOf } from './fresh-rows.ts'
import type { Ask } from './frames.ts'
import { SqlError } from './frames.ts'
import type { ViewName } from './views.ts'
import { QueryProcess } from './process-client.ts'
import type { Asked, Moment, RunOptions } from './process-client.ts'

export interface SqlRequest {
  readonly tenant: string
  readonly ask: Ask
  readonly timeMs: number
  readonly signal?: AbortSignal
}

/** How often a query is tried whose segments were merged away before they were attached. */
const GONE_TRIES = 3
/** How many starts in a row may fail before a query is told so. */
const FAILED_STARTS_MAX = 3

export interface SqlPoolOptions {
  readonly tail: Pick<Tail, 'view' | 'manifest' | 'ownViews'>
  /** Kept views of a tenant by name; none by default. */
  readonly keptOf?: (tenant: string) => Readonly<Record<string, KeptView>>
  /** `<data>/lake` */
  readonly lakeDir: string
  readonly clock: Clock
  readonly logger: TailLogger
  /** Of each process; the defaults are those of limits.ts. */
  readonly memoryMiB?: number
  readonly rssMaxMiB?: number
}

export class SqlPool {
  readonly #options: SqlPoolOptions
  readonly #queue: FairQueue
  #processes = new Set<QueryProcess>()
  /** Those that somebody waits for, or is about to use. */
  #taken = new Set<QueryProcess>()
  #failedStarts = 0
  #closed = false

  constructor(options: SqlPoolOptions) {
    this.#options = options
    this.#queue = new FairQueue({
      clock: options.clock,
      slots: SQL_PROCESSES,
      waitingMax: SQL_WAITING_MAX,
      waitingTenantMax: SQL_WAITING_TENANT_MAX,
      waitMaxMs: SQL_WAIT_MAX_MS,
    })
  }

  /** Queries that run, and that wait. */
  get load(): { running: number; waiting: number } {
    return { running: this.#queue.running, waiting: this.#queue.waiting }
  }

  /** The processes that are there. */
  get processes(): { pid: number; running: boolean }[] {
    return [...this.#processes].flatMap(({ pid, gone, running }) => (pid === undefined || gone ? [] : [{ pid, running }]))
  }

  /** Has a process ready before anybody asks. */
  warm(): void {
    if (this.#processes.size === 0) this.#start()
  }

  /** A new manifest: processes that are free attach what is new in it. */
  refresh(): void {
    const segments = this.#options.tail.manifest?.segments
    if (segments !== undefined) for (const one of this.#processes) if (!one.busy && !one.gone) one.know(segments)
  }

  /** The answer of a query, as it comes. Rejects with `SqlError` where none of it came yet; else the stream fails. */
  run({ tenant, ask, timeMs, signal }: SqlRequest): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const { tail, keptOf } = this.#options
    const text = ask.sql.toLowerCase()
    const kept = Object.fromEntries(Object.entries(keptOf?.(tenant) ?? {}).filter(([name]) => text.includes(name)))
    return this.#run({ k: 'ask', ask: { ...ask, own: tail.ownViews, kept } }, { tenant, timeMs, signal, momentOf: (views) => this.#moment(tenant, views) })
  }

  /** A view of a SELECT. Rejects with `SqlError`: `refused` where it can't be kept. */
  async compile(tenant: string, sql: string): Promise<KeptView> {
    const momentOf = () => assert.fail('a view is compiled over no readings')
    return (await new Response(await this.#run({ k: 'compile', tenant, sql }, { tenant, timeMs: SQL_TIME_MS, momentOf })).json()) as KeptView
  }

  async #run(asked: Asked, options: RunOptions): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const leave = await this.#queue.enter(options.tenant, options.signal)
    let left = false
    try {
      for (let tries = 1; ; tries++) {
        const free = await this.#free()
        const { answer, over } = free.run(asked, options)
        this.#taken.delete(free)
        try {
          const stream = await answer
          left = true
          void over.then(leave)
          return stream
        } catch (error) {
          await over
          if (!(error instanceof SqlError) || error.code !== 'gone' || tries === GONE_TRIES) throw error
        }
      }
    } finally {
      if (!left) leave()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const one of this.#processes) one.kill()
    await Promise.all([...this.#processes].map((one) => one.ended))
  }

  /** A process that is ready, and reserved for the caller. */
  async #free(): Promise<QueryProcess> {
    while (!this.#closed) {
      const one = [...this.#processes].find((other) => !other.busy && !other.gone && !this.#taken.has(other)) ?? this.#start()
      this.#taken.add(one)
      if (await one.ready) return one
      this.#taken.delete(one)
      if (this.#failedStarts >= FAILED_STARTS_MAX) throw new SqlError('busy', 'No process for queries could be started.')
    }
    throw new SqlError('busy', 'The store is about to end.')
  }

  #start(): QueryProcess {
    const { lakeDir, clock, logger, tail, memoryMiB, rssMaxMiB } = this.#options
    const one = new QueryProcess({ segmentsDir: segmentsDir(lakeDir), clock, memoryMiB, rssMaxMiB })
    this.#processes.add(one)
    let wasReady = false
    void one.ready.then((ready) => {
      wasReady = ready
      this.#failedStarts = ready ? 0 : this.#failedStarts + 1
      if (ready && tail.manifest !== null && !one.busy) one.know(tail.manifest.segments)
    })
    void one.ended.then((how) => {
      this.#processes.delete(one)
      if (this.#closed) return
      logger.warn({ how, pid: one.pid }, 'a process for public queries ended')
      if (wasReady && this.#processes.size < SQL_PROCESSES) this.#start()
    })
    return one
  }

  #moment(tenant: string, views: ReadonlySet<ViewName>): Moment {
    const view = this.#options.tail.view()
    try {
      const { manifest } = view.version
      const fresh = freshRowsOf(view.fresh, tenant, views, manifest?.settleUntil ?? null)
      if (fresh === null) throw new SqlError('busy', 'The store is behind: more rows wait to be sealed than a query may be handed.')
      return { segments: manifest?.segments ?? [], fresh }
    } finally {
      view.release()
    }
  }
}
