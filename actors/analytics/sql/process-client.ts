/**
 * One process for public queries, as the store holds it: started, watched, asked, stopped, killed.
 *
 * Owns the child, its socket and its temporary folder. Leaves to pool.ts how many there are, and whose query is next.
 *
 * - X1 A query ends at its deadline or when nobody wants its answer any more: it is interrupted, and the process killed where that does not end it.
 * - X2 Parts of DuckDB allocate past its own limit; so the memory of the process is looked at while a query runs, and one that is too large is killed.
 * - X3 An answer that has begun and can't be ended is broken off, never closed, so that half of it is not taken for the whole.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../../runtime/clock.ts'
import { SQL_KILL_AFTER_MS, SQL_MEMORY_MIB, SQL_NICENESS, SQL_RSS_MAX_MIB, SQL_START_MAX_MS, SQL_THREADS, SQL_WATCH_MS } from '../../../runtime/limits.ts'
import type { Segment } from '../../store/manifest.ts'
import type { SegmentFacts } from './attached.ts'
import type { FreshRows } from './fresh-rows.ts'
import type { FromProcess, ToProcess } from './frames.ts'
import { receive, send, SqlError } from './frames.ts'
import type { ViewName } from './views.ts'
import type { SessionOptions } from './session.ts'

/** What a query is asked of: a manifest's segments, and the fresh rows of the same moment. */
export interface Moment {
  readonly segments: readonly Segment[]
  readonly fresh: FreshRows
}

export interface RunOptions {
  readonly tenant: string
  readonly timeMs: number
  /** Gives the moment, once it is known which views are read. Throws `SqlError`. */
  readonly momentOf: (views: ReadonlySet<ViewName>) => Moment
  /** Aborts where nobody wants the answer any more. */
  readonly signal?: AbortSignal
}

/** How a run begins. */
export type Asked = Extract<ToProcess, { readonly k: 'ask' | 'compile' }>

/** Chunks that wait for a reader before the process is held back. */
const CHUNKS_WAITING = 4
const PAGE_BYTES = 4_096

/** A query under way: until its answer has begun, and until its process is free. */
interface Run {
  readonly options: RunOptions
  readonly begun: (answer: ReadableStream<Uint8Array<ArrayBuffer>>) => void
  readonly failed: (error: SqlError) => void
  readonly over: () => void
  controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null
  /** Whether it has said which views it reads. */
  parsed: boolean
  /** Why it was told to end. */
  ending: SqlError | null
}

export class QueryProcess {
  /** Resolves with how it ended. */
  readonly ended: Promise<string>
  /** Resolves once it takes queries, or has ended. */
  readonly ready: Promise<boolean>
  readonly #child: ChildProcess
  readonly #socket: Duplex
  readonly #clock: Clock
  readonly #rssMax: number
  /** By file, which files of parts are beside it. */
  #knows = new Map<string, string>()
  #run: Run | null = null
  #gone = false
  #becameReady: (ready: boolean) => void = () => {}

  constructor({ segmentsDir, clock, memoryMiB = SQL_MEMORY_MIB, rssMaxMiB = SQL_RSS_MAX_MIB }: { segmentsDir: string; clock: Clock; memoryMiB?: number; rssMaxMiB?: number }) {
    this.#clock = clock
    this.#rssMax = rssMaxMiB * 1024 * 1024
    const tmpDir = mkdtempSync(join(tmpdir(), 'weir-sql-'))
    const options: SessionOptions = { segmentsDir, tmpDir, memoryMiB, threads: SQL_THREADS }
    const { PATH, TMPDIR } = process.env
    const env = { WEIR_STORE_SQL: JSON.stringify(options), ...(PATH === undefined ? {} : { PATH }), ...(TMPDIR === undefined ? {} : { TMPDIR }) }
    const child = spawn(process.execPath, [new URL('./query-process.ts', import.meta.url).pathname], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'], env })
    this.#child = child
    // Its threads inherit the priority that it has when it makes them, so it is set at once, from here.
    if (child.pid !== undefined) lowerPriority(child.pid)
    this.#socket = child.stdio[3] as Duplex
    this.#socket.on('error', () => {})
    receive<FromProcess>(this.#socket, (message) => this.#take(message))
    this.ready = new Promise((resolve) => (this.#becameReady = resolve))
    const cancel = clock.after(SQL_START_MAX_MS, () => this.kill())
    void this.ready.then(cancel)
    this.ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`))
    }).then(async (how) => {
      this.#gone = true
      this.#becameReady(false)
      this.#finish(this.#run?.ending ?? endOf(how, this.#run?.parsed ?? false))
      await rm(tmpDir, { recursive: true, force: true })
      return how
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get gone(): boolean {
    return this.#gone
  }

  get busy(): boolean {
    return this.#run !== null
  }

  /** Whether it runs a query that has passed the gate. */
  get running(): boolean {
    return this.#run?.parsed ?? false
  }

  /** Tells it which segments there are, so that they are attached before they are asked for. */
  know(segments: readonly Segment[]): void {
    const files = new Map(segments.map(({ file, parts = [] }) => [file, parts.map((of) => of.file).join()]))
    const add: SegmentFacts[] = []
    for (const { file, rows, tsMin, tsMax, tenant, parts } of segments) {
      if (this.#knows.get(file) === files.get(file)) continue
      add.push({ file, rows, tsMin, tsMax, ...(tenant === undefined ? {} : { tenant }), ...(parts === undefined ? {} : { parts }) })
    }
    const drop = [...this.#knows.keys()].filter((file) => !files.has(file))
    this.#knows = files
    if (add.length + drop.length > 0) send(this.#socket, { k: 'lake', add, drop })
  }

  /** Runs a query, or has a view compiled; the process must be ready and free. `over` resolves when it is free again, or gone. */
  run(asked: Asked, options: RunOptions): { answer: Promise<ReadableStream<Uint8Array<ArrayBuffer>>>; over: Promise<void> } {
    let over: () => void = () => {}
    const isOver = new Promise<void>((resolve) => (over = resolve))
    const answer = new Promise<ReadableStream<Uint8Array<ArrayBuffer>>>((begun, failed) => {
      this.#run = { options, begun, failed, over, controller: null, parsed: false, ending: null }
    })
    if (this.#gone) this.#finish(endOf('before', false))
    else this.#begin(asked, options, isOver)
    return { answer, over: isOver }
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #begin(asked: Asked, { timeMs, signal }: RunOptions, over: Promise<void>): void {
    send(this.#socket, asked)
    const watching = new AbortController()
    const late = this.#clock.after(timeMs, () => this.#end(new SqlError('time', `The query took longer than ${timeMs} ms. Narrow it down, or raise timeoutMs.`)))
    const leave = () => this.#end(unwanted())
    signal?.addEventListener('abort', leave)
    if (signal?.aborted) leave()
    void over.then(() => {
      watching.abort()
      late()
      signal?.removeEventListener('abort', leave)
    })
    void this.#watch(watching.signal)
  }

  async #watch(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(SQL_WATCH_MS, signal)
      if (signal.aborted) return
      const pages = await readFile(`/proc/${this.#child.pid}/statm`, 'utf8').catch(() => null)
      if (pages === null || signal.aborted) return
      if (Number(pages.split(' ')[1]) * PAGE_BYTES < this.#rssMax) continue
      // One that was told to end already, and does not listen, has its reason.
      if (this.#run !== null) this.#run.ending ??= tooMuchMemory()
      return this.kill()
    }
  }

  /** Has the query end by `why`. */
  #end(why: SqlError): void {
    const run = this.#run
    if (run === null || run.ending !== null) return
    run.ending = why
    send(this.#socket, { k: 'stop' })
    // What it still says is read and dropped, up to its last word.
    this.#socket.resume()
    const cancel = this.#clock.after(SQL_KILL_AFTER_MS, () => {
      if (this.#run === run) this.kill()
    })
    void this.ended.then(cancel)
  }

  #take(message: FromProcess): void {
    const run = this.#run
    if (message.k === 'ready') return this.#becameReady(true)
    if (message.k === 'fail' && message.code === 'gone') return this.#endGone(run, message.message)
    if (run === null) return
    if (message.k === 'views') this.#go(run, new Set(message.views))
    else if (message.k === 'data') this.#deliver(run, message.bytes)
    else {
      this.#finish(message.k === 'end' ? run.ending : (run.ending ?? new SqlError(message.code, message.message, message.position)))
      // A DuckDB that has failed once answers nobody any more.
      if (message.k === 'fail' && message.code === 'broken') this.kill()
    }
  }

  /** What it has attached is no longer known, so another takes its place. */
  #endGone(run: Run | null, message: string): void {
    if (run !== null) run.ending ??= new SqlError('gone', message)
    this.kill()
  }

  #go(run: Run, views: ReadonlySet<ViewName>): void {
    run.parsed = true
    if (run.ending !== null) return
    try {
      const { segments, fresh } = run.options.momentOf(views)
      this.know(segments)
      send(this.#socket, { k: 'go', tenant: run.options.tenant, fresh })
    } catch (error) {
      this.#end(error instanceof SqlError ? error : new SqlError('broken', String(error)))
    }
  }

  #deliver(run: Run, bytes: Uint8Array<ArrayBuffer>): void {
    if (run.ending !== null) return
    this.#open(run).enqueue(bytes)
    if (run.controller!.desiredSize! <= 0) this.#socket.pause()
  }

  #open(run: Run): ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> {
    if (run.controller === null) {
      const source: UnderlyingDefaultSource<Uint8Array<ArrayBuffer>> = {
        start: (controller) => void (run.controller = controller),
        pull: () => void this.#socket.resume(),
        cancel: () => {
          if (this.#run === run) this.#end(unwanted())
        },
      }
      run.begun(new ReadableStream(source, new CountQueuingStrategy({ highWaterMark: CHUNKS_WAITING })))
    }
    return run.controller!
  }

  #finish(error: SqlError | null): void {
    const run = this.#run
    if (run === null) return
    this.#run = null
    this.#socket.resume()
    if (error === null) this.#open(run).close()
    else if (run.controller === null) run.failed(error)
    else {
      try {
        run.controller.error(error)
      } catch {
        // The reader has gone already.
      }
    }
    run.over()
  }
}

const unwanted = () => new SqlError('time', 'The query was stopped, since nobody waits for its answer.')
const tooMuchMemory = () => new SqlError('memory', 'The query takes more memory than one may take. Ask for fewer rows, groups or columns at a time.')

function endOf(how: string, parsed: boolean): SqlError {
  // It was ended from outside while it was free, or as good as that: another can take the query over.
  if (!parsed && (how === 'SIGKILL' || how === 'before')) return new SqlError('gone', 'The process of the query ended before it began.')
  // The kernel ends who takes the last memory in the same way as we do, and says no more.
  if (how === 'SIGKILL') return tooMuchMemory()
  return new SqlError('broken', `The process of the query ended: ${how}.`)
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, SQL_NICENESS)
  } catch {
    // Where priorities can't be set it runs at the usual one.
  }
}

