/**
 * How a process of a world in memory dies: killed from outside, or at an await point of its own that a test names.
 *
 * Owns the account of these points. What a dead process may still do is its connection's and its disk's own affair: nothing.
 */

/** An answer that never comes. A new one each time: one for all would hold whatever waits for it, for ever. */
export const never = () => new Promise<never>(() => {})

export class Mortal {
  #dead = false
  #points = 0
  #diesAt = Infinity

  /** The process is killed: from now on no call of it reaches the world, and none is answered. */
  die(): void {
    this.#dead = true
  }

  /**
   * Dies at the `point`th await, counted from 1. Each call passes two: before it reaches the world, and before its answer comes back.
   */
  dieAt(point: number): void {
    this.#diesAt = point
  }

  get dead(): boolean {
    return this.#dead
  }

  /** Await points passed so far. */
  get points(): number {
    return this.#points
  }

  /** Passes an await point. */
  protected passPoint(): void {
    if (++this.#points >= this.#diesAt) this.#dead = true
  }
}
