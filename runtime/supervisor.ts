/**
 * Keeps programs running: launches each, waits for its death, and launches it again, until it is told to stop.
 *
 * Owns the pauses between lives, the pipes of child processes, and the bound on ending one. Leaves what a program is to
 * `launch`, and what its death means to the rest of the system to `onDeath`.
 *
 * Invariants
 * - S1 One life of a service at a time: the next one is launched after the one before has ended.
 * - S2 A child holds the read end of a pipe on its stdin, of which this process alone has the other end; so it learns of this
 *   process' death, of whatever kind (P2 of process.ts).
 * - S3 `stop` resolves when the child is gone: drained, or killed after `stopMs`.
 */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Clock } from './clock.ts'
import { OperatingError } from './errors.ts'
import { DRAIN_MAX_MS, RESTART_MAX_MS, RESTART_MIN_MS, RESTART_RESET_MS } from './limits.ts'

/** One life of a program. */
export interface Life {
  readonly pid: number
  /** Resolves when it is gone, with how it ended in words. */
  readonly ended: Promise<string>
  /** Asks it to drain and resolves when it is gone. */
  stop(): Promise<void>
}

/** States of a service, and where each may go. `resting` is the pause before the next life. */
const MOVES = {
  new: ['launching', 'stopped'],
  launching: ['alive', 'resting', 'stopped'],
  alive: ['resting', 'stopped'],
  resting: ['launching', 'stopped'],
  stopped: [],
} as const satisfies Record<string, readonly string[]>
export type ServiceState = keyof typeof MOVES

export interface ServiceOptions {
  readonly name: string
  readonly clock: Clock
  /** Begins a life; may throw an operating error. */
  launch(): Promise<Life>
  /** Told of each death that nobody asked for, and of each launch that failed (pid null), with the pause that follows. */
  onDeath?(death: { name: string; pid: number | null; how: string; pauseMs: number }): void
}

/** A program that is kept running. */
export class Service {
  readonly name: string
  #options: ServiceOptions
  #state: ServiceState = 'new'
  #life: Life | null = null
  #stopping = new AbortController()
  #loop: Promise<void> = Promise.resolve()
  /** Why the last launch failed. */
  #failure = ''

  constructor(options: ServiceOptions) {
    this.name = options.name
    this.#options = options
  }

  get state(): ServiceState {
    return this.#state
  }

  /** Of the present life, or null. */
  get pid(): number | null {
    return this.#life?.pid ?? null
  }

  /** The first launch; rejects with what it throws, and then there is nothing to stop. */
  async start(): Promise<void> {
    this.#move('launching')
    try {
      this.#life = await this.#options.launch()
    } catch (error) {
      this.#move('stopped')
      throw error
    }
    this.#loop = this.#supervise(this.#life)
  }

  /** Ends the present life, and there is no other. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#life?.stop()
    await this.#loop
    if (this.#state !== 'stopped') this.#move('stopped')
  }

  async #supervise(first: Life): Promise<void> {
    const { name, clock, launch, onDeath } = this.#options
    const stopping = this.#stopping.signal
    let life: Life | null = first
    let pauseMs = RESTART_MIN_MS
    for (;;) {
      let how: string
      const pid = life?.pid ?? null
      if (life !== null) {
        this.#move('alive')
        const bornMs = clock.monotonic()
        // A stop that came while it was being launched did not see this life.
        if (stopping.aborted) await life.stop()
        how = await life.ended
        if (clock.monotonic() - bornMs >= RESTART_RESET_MS) pauseMs = RESTART_MIN_MS
      } else how = this.#failure
      this.#life = null
      if (stopping.aborted) return
      this.#move('resting')
      onDeath?.({ name, pid, how, pauseMs })
      await clock.sleep(pauseMs, stopping)
      pauseMs = Math.min(2 * pauseMs, RESTART_MAX_MS)
      if (stopping.aborted) return
      this.#move('launching')
      try {
        life = await launch()
        this.#life = life
      } catch (error) {
        life = null
        this.#failure = error instanceof Error ? error.message : String(error)
      }
    }
  }

  #move(to: ServiceState): void {
    const allowed: readonly string[] = MOVES[this.#state]
    if (!allowed.includes(to)) throw new Error(`Cannot move service ${this.name} from ${this.#state} to ${to}`)
    this.#state = to
  }
}

export interface ChildOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Called with each line of its stdout and stderr. */
  onLine(line: string): void
  /** How long it may drain before it is killed: longer than the bound that it sets itself. */
  readonly stopMs?: number
}

/** Starts a child process with a pipe to it that stays open as long as this process lives. Throws `config` where there is no such program. */
export async function launchChild({ name, command, args, env, clock, onLine, stopMs = DRAIN_MAX_MS + 2_000 }: ChildOptions): Promise<Life> {
  const child = spawn(command, args, { env: { ...env, WEIR_SUPERVISED: '1' }, stdio: ['pipe', 'pipe', 'pipe'] })
  const follow = (stream: Readable) => createInterface({ input: stream, crlfDelay: Infinity }).on('line', onLine)
  follow(child.stdout)
  follow(child.stderr)
  // Nothing is ever written to the pipe, but its reader may be gone before it is closed.
  child.stdin.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) => reject(new OperatingError('config', `Cannot start ${name} as its program must be runnable: ${command}, ${error.message}`, { cause: error })))
  })
  child.on('error', () => {})
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
  })
  return {
    pid: child.pid!,
    ended,
    stop: async () => {
      child.kill('SIGTERM')
      const cancel = clock.after(stopMs, () => child.kill('SIGKILL'))
      await ended
      cancel()
    },
  }
}
