/**
 * What a host does before it may claim: it makes the state ready while another still owns the partition, so that little is left to do when that
 * one lets go.
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
import { HANDOVER_MAX_MS } from './limits.ts'

export interface PreparationOptions {
  readonly clock: Clock
  /** Makes the state; may reject. */
  make(): Promise<void>
  /** Has `make` resolve soon, with whatever it has: the partition may be claimed, and HANDOVER_MAX_MS later it is still at work. */
  giveUp(): void
  /** Called when there is nothing more to make, whatever came of it. */
  onReady(): void
  onError(error: unknown): void
  /** Gives up. */
  readonly signal: AbortSignal
}

export class Preparation {
  #options: PreparationOptions
  #state: 'making' | 'made' | 'void' = 'making'
  #isReady = false
  #told = false
  #tell: () => void = () => {}
  #cancelPatience: () => void = () => {}

  constructor(options: PreparationOptions) {
    this.#options = options
  }

  /** Whether it waits for nothing but `go`. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** The partition may be claimed. */
  go(): void {
    if (this.#told) return
    this.#told = true
    this.#tell()
    if (this.#isReady) return
    const { clock, giveUp } = this.#options
    this.#cancelPatience = clock.after(HANDOVER_MAX_MS, () => {
      this.#state = 'void'
      giveUp()
    })
  }

  /** The connection was lost: what the log holds may be another by now. */
  doubt(): void {
    this.#state = 'void'
  }

  /** Resolves once the state is made and `go` was called; false where what was made must not be used. Rejects with `Aborted` on the signal. */
  async run(): Promise<boolean> {
    const { make, onReady, onError, signal } = this.#options
    try {
      await make()
      if (this.#state === 'making') this.#state = 'made'
    } catch (error) {
      if (!signal.aborted) onError(error)
      this.#state = 'void'
    }
    this.#cancelPatience()
    if (signal.aborted) throw new Aborted()
    this.#isReady = true
    onReady()
    if (!this.#told) {
      await new Promise<void>((resolve) => {
        this.#tell = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    if (signal.aborted) throw new Aborted()
    return this.#state === 'made'
  }
}
