/**
 * A process of the simulated system: a clock, a connection and, where it has one, a disk, all of which stop with it.
 *
 * Owns how a process ends or sleeps: killed, it does nothing any more and hears no answer; stopped, as by SIGSTOP, its timers and answers
 * wait until it goes on, and then all come at once. Leaves what the process does to the roles.
 */

import type { MemoryConnection, MemoryWorld } from '../../../runtime/memory-log.ts'
import type { Mortal } from '../../../runtime/memory-mortal.ts'
import type { ManualClock } from '../../support/manual-clock.ts'
import { ProcessClock } from '../../support/process-clock.ts'

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
