/**
 * Lists of numbers that grow and shrink, such as the values of open windows, in blocks of one size that stand in a slab.
 *
 * An array each would be an object that a collector of garbage looks at, and one more at each growth. Here a list is a handle, 0 for the empty one, and
 * what one lets go of serves all others.
 */

import { Slab } from './slab.ts'

/** Numbers of a block; behind them stands the handle of the next one, 0 at the end. */
const BLOCK = 7

export class Lists {
  readonly #blocks = new Slab({ doubles: BLOCK + 1, floats: 0, shorts: 0 })

  /** Makes the list the first `count` of `values`; gives its handle from now on. */
  write(list: number, values: ArrayLike<number>, count: number): number {
    if (count === 0) {
      this.free(list)
      return 0
    }
    const blocks = this.#blocks
    const head = list === 0 ? blocks.take() + 1 : list
    let block = head
    for (let i = 0; ; ) {
      const { doubles, d } = blocks.open(block - 1)
      for (let k = 0; k < BLOCK && i < count; k++, i++) doubles[d + k] = values[i]
      const next = doubles[d + BLOCK]
      if (i === count) {
        doubles[d + BLOCK] = 0
        this.free(next)
        return head
      }
      block = next === 0 ? (doubles[d + BLOCK] = blocks.take() + 1) : next
    }
  }

  /** Copies its first `count` numbers to `to`, from `at` on. */
  read(list: number, count: number, to: Float64Array | number[], at = 0): void {
    let block = list
    for (let i = 0; i < count; ) {
      const { doubles, d } = this.#blocks.open(block - 1)
      for (let k = 0; k < BLOCK && i < count; k++, i++) to[at + i] = doubles[d + k]
      block = doubles[d + BLOCK]
    }
  }

  /** Its number at `index`, which must be one of those that were written. */
  at(list: number, index: number): number {
    let block = list
    for (let skip = index; ; skip -= BLOCK) {
      const { doubles, d } = this.#blocks.open(block - 1)
      if (skip < BLOCK) return doubles[d + skip]
      block = doubles[d + BLOCK]
    }
  }

  /** Touches where it begins. */
  glance(list: number): number {
    if (list === 0) return 0
    const { doubles, d } = this.#blocks.open(list - 1)
    return doubles[d]
  }

  /** Gives its memory back. */
  free(list: number): void {
    for (let block = list; block !== 0; ) {
      const { doubles, d } = this.#blocks.open(block - 1)
      const next = doubles[d + BLOCK]
      this.#blocks.give(block - 1)
      block = next
    }
  }
}
