/**
 * What a host does before it may claim: it makes the state ready while another still owns the partition, and keeps it so, that little is left to
 * do when that one lets go.
 *
 * Picture: a relay runner starts to run before the baton is there. Owns whether the state is ready, and whether what was made may be used. Leaves
 * how a state is made to the host, and when to claim to member.ts.
 *
 * - PR1 It steps nothing beyond the newest commit that it knows of: what is stepped in silence must have been said by an owner (H3 of host.ts).
 * - PR2 It only saves time. Whatever goes wrong, and any doubt whether the log is still the same one, voids what was made; the host then begins
 *   as if there had been none.
 */

import type { Clock } from './clock.ts'
import { Aborted } from './journal-writer.ts'
import { HANDOVER_MAX_MS, PREPARE_FOLLOW_MS } from './limits.ts'

export interface PreparationOptions {
  readonly clock: Clock
  /** Makes the state as of the newest commit. May reject. */
  make(): Promise<void>
  /** Brings it up to the newest commit again. May reject. */
  follow(): Promise<void>
  /** Has `make` or `follow` resolve soon, with whatever it has: the partition may be claimed, and HANDOVER_MAX_MS later it is still at work. */
  giveUp(): void
  /** Called when the state is made, or can't be. */
  onReady(): void
  onError(error: unknown): void
  /** Ends it. */
  readonly signal: AbortSignal
}

export class Preparation {
  #options: PreparationOptions
  #isSound = true
  #isReady = false
  #go = new AbortController()

  constructor(options: PreparationOptions) {
    this.#options = options
  }

  /** Whether the host may be told to claim, without loss of time. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** The partition may be claimed. */
  go(): void {
    this.#go.abort()
  }

  /** The connection was lost: what the log holds may be another by now. */
  doubt(): void {
    this.#isSound = false
  }

  /** Resolves once the state is made and `go` was called; false where what was made must not be used. Rejects with `Aborted` on the signal. */
  async run(): Promise<boolean> {
    const { make, follow, onReady, clock, signal } = this.#options
    const told = this.#go.signal
    if (signal.aborted) throw new Aborted()
    signal.addEventListener('abort', () => this.#go.abort(), { once: true })
    await this.#attempt(make)
    this.#isReady = true
    if (!signal.aborted) onReady()
    while (!told.aborted) {
      await clock.sleep(PREPARE_FOLLOW_MS, told)
      if (!told.aborted && this.#isSound) await this.#attempt(follow)
    }
    if (signal.aborted) throw new Aborted()
    return this.#isSound
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    const { clock, giveUp, onError, signal } = this.#options
    const told = this.#go.signal
    let cancel = () => {}
    const hurry = () => {
      cancel = clock.after(HANDOVER_MAX_MS, () => {
        this.#isSound = false
        giveUp()
      })
    }
    if (told.aborted) hurry()
    else told.addEventListener('abort', hurry, { once: true })
    try {
      await work()
    } catch (error) {
      if (!signal.aborted) onError(error)
      this.#isSound = false
    }
    told.removeEventListener('abort', hurry)
    cancel()
  }
}
