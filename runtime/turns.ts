/**
 * Turns of the event loop, shared by everything on one clock that has much to do.
 *
 * Picture one talking stick for the table: whoever speaks uses up the same short while, and when it is over all pause until timers and
 * sockets have had their turn. Bounds for each alone would add up: with many partitions that all have messages, heartbeats would wait
 * for as many bursts as there are partitions, and the others would take a busy process for a dead one.
 */

import type { Clock } from './clock.ts'
import { TURN_MS } from './limits.ts'

const turns = new WeakMap<Clock, Turn>()

/** The turn that everything on `clock` shares. */
export function turnOf(clock: Clock): Turn {
  let turn = turns.get(clock)
  if (turn === undefined) turns.set(clock, (turn = new Turn(clock)))
  return turn
}

/**
 * @example
 * for await (const message of reader) {
 *   while (turn.isOver) await turn.next()
 *   turn.spent(step(message))
 * }
 */
export class Turn {
  readonly #clock: Clock
  #spentMs = 0
  #next: Promise<void> | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Notes that so much time went by without a pause. */
  spent(ms: number): void {
    this.#spentMs += ms
  }

  get isOver(): boolean {
    return this.#spentMs > TURN_MS
  }

  /** Resolves after timers and sockets have had their turn, for all that wait in the order of their asking. */
  next(): Promise<void> {
    this.#next ??= this.#clock.sleep(0).then(() => {
      this.#spentMs = 0
      this.#next = null
    })
    return this.#next
  }
}
