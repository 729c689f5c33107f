/**
 * A turnstile: so many at a time are inside, the others wait in the order of their coming.
 *
 * @example
 * await turnstile.enter()
 * try {
 *   await ask()
 * } finally {
 *   turnstile.leave()
 * }
 */

export class Turnstile {
  #free: number
  #waiting: (() => void)[] = []

  /** `places`: how many may be inside. */
  constructor(places: number) {
    this.#free = places
  }

  /** Resolves when there is room; `leave` once for each time. */
  enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length
  }
}
