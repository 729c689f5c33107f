/**
 * Lists of numbers that grow and shrink, such as the values of open windows, in blocks of one size that stand in chunks of many.
 *
 * An array each would be an object that a collector of garbage looks at, and one more at each growth. Here a list is a handle, 0 for the empty one, and
 * what one lets go of serves all others. A block is one line of memory, and blocks are found without a row to open: lists are read and written at each
 * close of a window.
 *
 * - L1 A list that is written stands from its first block on. One that is pushed to has its newest block first, the only one that may not be full: a push
 *   touches no other. Who holds a list knows which of the two it is, and how many numbers it has.
 */

import { lastingMemory } from './slab.ts'

/** Numbers of a block; behind them stands the handle of the next one, 0 at the end. */
const BLOCK = 7
const BLOCK_DOUBLES = 8
/** Blocks of a chunk, as a power of two. */
const CHUNK_BITS = 9
const IN_CHUNK = (1 << CHUNK_BITS) - 1

/** Numbers in the newest block of a list that was pushed to. */
const filled = (count: number) => (count === 0 ? 0 : ((count - 1) % BLOCK) + 1)

export class Lists {
  readonly #chunks: Float64Array[] = []
  /** Handles given out so far; and those of them that are free, by what stands in the place of their next. */
  #used = 0
  #free = 0

  /** Makes the list the first `count` of `values`; gives its handle from now on. */
  write(list: number, values: ArrayLike<number>, count: number): number {
    if (count === 0) {
      this.free(list)
      return 0
    }
    const head = list === 0 ? this.#take() : list
    let block = head
    for (let i = 0; ; ) {
      const doubles = this.#chunks[block >>> CHUNK_BITS]
      const d = (block & IN_CHUNK) * BLOCK_DOUBLES
      const end = Math.min(count, i + BLOCK)
      for (let at = d; i < end; i++) doubles[at++] = values[i]
      const next = doubles[d + BLOCK]
      if (i === count) {
        doubles[d + BLOCK] = 0
        this.free(next)
        return head
      }
      block = next === 0 ? (doubles[d + BLOCK] = this.#take()) : next
    }
  }

  /** Copies its first `count` numbers to `to`, from `at` on. */
  read(list: number, count: number, to: Float64Array | number[], at = 0): void {
    const until = at + count
    let block = list
    for (let i = at; i < until; ) {
      const doubles = this.#chunks[block >>> CHUNK_BITS]
      const d = (block & IN_CHUNK) * BLOCK_DOUBLES
      const end = Math.min(until, i + BLOCK)
      for (let from = d; i < end; i++) to[i] = doubles[from++]
      block = doubles[d + BLOCK]
    }
  }

  /** Puts the first `count` of `values` behind the `had` numbers of a list that was only pushed to; gives its handle from now on. */
  push(list: number, had: number, values: ArrayLike<number>, count: number): number {
    let block = list
    let used = filled(had)
    for (let i = 0; i < count; ) {
      if (block === 0 || used === BLOCK) {
        const fresh = this.#take()
        this.#chunks[fresh >>> CHUNK_BITS][(fresh & IN_CHUNK) * BLOCK_DOUBLES + BLOCK] = block
        block = fresh
        used = 0
      }
      const doubles = this.#chunks[block >>> CHUNK_BITS]
      const d = (block & IN_CHUNK) * BLOCK_DOUBLES
      while (used < BLOCK && i < count) doubles[d + used++] = values[i++]
    }
    return block
  }

  /** Copies all `count` numbers of a list that was only pushed to, in the order in which they came, to `to`, from `at` on. */
  readPushed(list: number, count: number, to: Float64Array | number[], at = 0): void {
    let block = list
    for (let end = count, used = filled(count); end > 0; used = BLOCK) {
      const doubles = this.#chunks[block >>> CHUNK_BITS]
      const d = (block & IN_CHUNK) * BLOCK_DOUBLES
      end -= used
      for (let i = 0; i < used; i++) to[at + end + i] = doubles[d + i]
      block = doubles[d + BLOCK]
    }
  }

  /** Touches where it begins. */
  glance(list: number): number {
    return list === 0 ? 0 : this.#chunks[list >>> CHUNK_BITS][(list & IN_CHUNK) * BLOCK_DOUBLES]
  }

  /** Gives its memory back. */
  free(list: number): void {
    for (let block = list; block !== 0; ) {
      const doubles = this.#chunks[block >>> CHUNK_BITS]
      const at = (block & IN_CHUNK) * BLOCK_DOUBLES + BLOCK
      const next = doubles[at]
      doubles[at] = this.#free
      this.#free = block
      block = next
    }
  }

  /** A block without a next one, whose numbers are whatever was there. */
  #take(): number {
    const freed = this.#free
    if (freed !== 0) {
      const doubles = this.#chunks[freed >>> CHUNK_BITS]
      const at = (freed & IN_CHUNK) * BLOCK_DOUBLES + BLOCK
      this.#free = doubles[at]
      doubles[at] = 0
      return freed
    }
    // 0 is the handle of none.
    const fresh = ++this.#used
    if (fresh >>> CHUNK_BITS === this.#chunks.length) this.#chunks.push(new Float64Array(lastingMemory(8 * (BLOCK_DOUBLES << CHUNK_BITS))))
    return fresh
  }
}
