/**
 * Several threads that do the same work in one process: started, kept running, watched, and told to end.
 *
 * Owns the messages between the main thread and the others, and the sum of their metrics. Leaves what the work is to
 * `serveThread`'s caller, and the pauses between lives of a thread to supervisor.ts.
 *
 * - T1 A thread is told to end by a message, drains, says so, and is then ended from outside; one that does not drain is ended
 *   after STOP_MS.
 * - T2 What a thread says of itself is as old as its last message: STATUS_MS while its event loop turns; beyond SILENT_MS it counts
 *   as not ready.
 */

import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { Clock } from './clock.ts'
import { DRAIN_MAX_MS } from './limits.ts'
import { Service } from './supervisor.ts'
import type { Life } from './supervisor.ts'
import { mergeMetrics } from './telemetry.ts'
import type { Logger, Metrics, MetricsValues } from './telemetry.ts'

const STATUS_MS = 250
const SILENT_MS = 5_000
const STOP_MS = DRAIN_MAX_MS - 2_000
const METRICS_WAIT_MS = 1_000

/** What a thread does, as the thread itself sees it. */
export interface ThreadWork<Status> {
  status(): Status
  readonly metrics: Metrics
  /** Drains. */
  stop(): Promise<void>
}

type ToThread = { kind: 'stop' } | { kind: 'metrics'; id: number }
type FromThread<Status> = { kind: 'status'; status: Status } | { kind: 'metrics'; id: number; values: MetricsValues } | { kind: 'stopped' }

/** The thread's side: begins the work with the data that the group gave, and drains it when it is told to. */
export async function serveThread<Data, Status>(clock: Clock, start: (data: Data) => Promise<ThreadWork<Status>>): Promise<void> {
  const port = parentPort!
  const say = (message: FromThread<Status>) => port.postMessage(message)
  const started = start(workerData as Data)
  let cancel: () => void = () => {}
  port.on('message', async (message: ToThread) => {
    const work = await started
    if (message.kind === 'metrics') {
      say({ kind: 'metrics', id: message.id, values: (await work.metrics.getMetricsAsJSON()) as unknown as MetricsValues })
    } else {
      cancel()
      await work.stop()
      say({ kind: 'stopped' })
    }
  })
  const work = await started
  const tell = () => {
    say({ kind: 'status', status: work.status() })
    cancel = clock.after(STATUS_MS, tell)
  }
  tell()
}

export interface ThreadGroupOptions<Data> {
  readonly name: string
  /** File of the threads' side; it calls `serveThread`. */
  readonly entry: URL
  readonly data: readonly Data[]
  readonly clock: Clock
  readonly logger: Logger
}

interface Thread<Status> {
  worker: Worker
  status: Status | null
  heardMs: number
}

/** A thread for each of `data`. */
export class ThreadGroup<Data, Status> {
  #options: ThreadGroupOptions<Data>
  #threads: (Thread<Status> | null)[]
  #services: Service[]
  #waiting = new Map<number, (values: MetricsValues) => void>()
  #asked = 0

  constructor(options: ThreadGroupOptions<Data>) {
    this.#options = options
    this.#threads = options.data.map(() => null)
    this.#services = options.data.map(
      (_, index) =>
        new Service({
          name: `${options.name}-${index + 1}`,
          clock: options.clock,
          launch: async () => this.#launch(index),
          onDeath: ({ name, how, pauseMs }) => options.logger.error({ thread: name, how, pauseMs }, 'a thread died and is started again'),
        }),
    )
  }

  async start(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.start()))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()))
  }

  /** What each thread last said; null for one that has not spoken, or not for long. */
  statuses(): (Status | null)[] {
    const nowMs = this.#options.clock.monotonic()
    return this.#threads.map((thread) => (thread && nowMs - thread.heardMs < SILENT_MS ? thread.status : null))
  }

  /** The sum of the threads' metrics; one that does not answer in time is left out. */
  async metrics(): Promise<Metrics> {
    const answers = this.#threads.map((thread) => thread && this.#ask(thread.worker))
    return mergeMetrics((await Promise.all(answers)).filter((values) => values !== null))
  }

  async #ask(worker: Worker): Promise<MetricsValues | null> {
    const id = ++this.#asked
    const answer = new Promise<MetricsValues>((resolve) => this.#waiting.set(id, resolve))
    worker.postMessage({ kind: 'metrics', id } satisfies ToThread)
    const values = await Promise.race([answer, this.#options.clock.sleep(METRICS_WAIT_MS).then(() => null)])
    this.#waiting.delete(id)
    return values
  }

  #launch(index: number): Life {
    const { clock, data, entry } = this.#options
    const worker = new Worker(entry, { workerData: data[index] })
    const thread: Thread<Status> = { worker, status: null, heardMs: clock.monotonic() }
    this.#threads[index] = thread
    worker.on('message', (message: FromThread<Status>) => {
      if (message.kind === 'metrics') this.#waiting.get(message.id)?.(message.values)
      else if (message.kind === 'stopped') void worker.terminate()
      else {
        thread.status = message.status
        thread.heardMs = clock.monotonic()
      }
    })
    let why = ''
    worker.on('error', (error) => (why = `: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`))
    const ended = new Promise<string>((resolve) => {
      worker.on('exit', (code) => {
        if (this.#threads[index] === thread) this.#threads[index] = null
        resolve(`exit code ${code}${why}`)
      })
    })
    return {
      pid: worker.threadId,
      ended,
      stop: async () => {
        worker.postMessage({ kind: 'stop' } satisfies ToThread)
        const cancel = clock.after(STOP_MS, () => void worker.terminate())
        await ended
        cancel()
      },
    }
  }
}
