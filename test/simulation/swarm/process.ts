/**
 * A process of the simulated system: a clock, a connection and, where it has one, a disk, all of which stop with it.
 *
 * Owns how a process ends or sleeps: killed, it does nothing any more and hears no answer; stopped, as by SIGSTOP, its timers and answers
 * wait until it goes on, and then all come at once. Leaves what the process does to the roles.
 */

import type { Clock } from '../../../runtime/clock.ts'
import type { MemoryConnection, MemoryWorld } from '../../../runtime/memory-log.ts'
import type { ManualClock } from '../../support/manual-clock.ts'

/** The clock of one process: its timers stop with it, and its wall clock may be wrong. */
export class ProcessClock implements Clock {
  #base: ManualClock
  #skewMs: number
  #dead = false
  #held: (() => void)[] | null = null

  constructor(base: ManualClock, skewMs: number) {
    this.#base = base
    this.#skewMs = skewMs
  }

  now(): number {
    return this.#base.now() + this.#skewMs
  }

  monotonic(): number {
    return this.#base.monotonic()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        cancel()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.after(ms, done)
      signal?.addEventListener('abort', done)
    })
  }

  after(ms: number, run: () => void): () => void {
    let cancelled = false
    const due = () => {
      if (this.#dead || cancelled) return
      if (this.#held) this.#held.push(due)
      else run()
    }
    const cancel = this.#base.after(ms, due)
    return () => {
      cancelled = true
      cancel()
    }
  }

  random(): number {
    return this.#base.random()
  }

  nonce(bytes?: number): string {
    return this.#base.nonce(bytes)
  }

  pause(): void {
    this.#held ??= []
  }

  resume(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const run of held) run()
  }

  die(): void {
    this.#dead = true
  }
}

/** What else of a process dies with it, or of what it dies: its view of a disk. */
export interface Mortal {
  die(): void
  dieAt(point: number): void
  readonly dead: boolean
  readonly points: number
}

export class Process {
  readonly name: string
  readonly clock: ProcessClock
  readonly connection: MemoryConnection
  readonly disk: Mortal | null
  #paused = false

  constructor(name: string, { world, clock, skewMs = 0, disk = null }: { world: MemoryWorld; clock: ManualClock; skewMs?: number; disk?: Mortal | null }) {
    this.name = name
    this.clock = new ProcessClock(clock, skewMs)
    this.connection = world.connect()
    this.disk = disk
  }

  /** Whether it was killed, at an await point of its own or from outside. */
  get dead(): boolean {
    return this.connection.dead || (this.disk?.dead ?? false)
  }

  get paused(): boolean {
    return this.#paused
  }

  kill(): void {
    this.clock.die()
    this.connection.die()
    this.disk?.die()
  }

  /** Kills what is left of a process that died at an await point. */
  bury(): void {
    if (this.dead) this.kill()
  }

  pause(): void {
    this.#paused = true
    this.clock.pause()
    this.connection.pause()
  }

  resume(): void {
    this.#paused = false
    this.clock.resume()
    this.connection.resume()
  }
}
