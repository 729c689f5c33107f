/** Snapshots of actors whose state is small: one piece, written and read as a whole. */

import type { Pieces, Restoring } from './actor.ts'

export function onePiece(bytes: Uint8Array): Pieces {
  return {
    count: 1,
    *[Symbol.iterator]() {
      yield bytes
    },
  }
}

/** `restore` must throw on what is no whole snapshot, and keep nothing of its memory. */
export function ofOnePiece<State>(restore: (bytes: Uint8Array) => State): Restoring<State> {
  const states: State[] = []
  const mustBe = (holds: boolean) => {
    if (!holds) throw new RangeError('Cannot read a snapshot as it must be of one piece')
  }
  return {
    take(piece) {
      mustBe(states.length === 0)
      states.push(restore(piece))
    },
    done() {
      mustBe(states.length === 1)
      return states[0]
    },
  }
}
