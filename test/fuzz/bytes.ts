/** Bytes that were valid once: flipped, cut, spliced, repeated; and bytes of nobody. */

import fc from 'fast-check'

export type Edit = readonly [kind: number, at: number, length: number, byte: number]

/** Bytes that mean something to one of the formats, where a drawn one would rarely. */
const TELLING = [0x00, 0x01, 0x7f, 0x80, 0x90, 0xc0, 0xc1, 0xc6, 0xc7, 0xca, 0xcb, 0xcf, 0xd4, 0xd9, 0xdb, 0xdc, 0xdd, 0xdf, 0xff, 0x22, 0x5c, 0x2c, 0x0a, 0x5b, 0x7b, 0x9f, 0xbf]

const position = fc.nat(0xffff)
export const edits: fc.Arbitrary<Edit[]> = fc.array(fc.tuple(fc.nat(5), position, position, fc.nat(255)) as fc.Arbitrary<Edit>, { minLength: 1, maxLength: 5 })
export const anyBytes = fc.uint8Array({ maxLength: 64 })

/** A changed copy of `bytes`. */
export function mutate(bytes: Uint8Array, list: readonly Edit[]): Uint8Array {
  let out: Uint8Array = Uint8Array.from(bytes)
  for (const [kind, at, length, byte] of list) {
    if (out.length === 0) return out
    const from = at % out.length
    const size = 1 + (length % Math.min(24, out.length))
    const piece = out.slice(from, from + size)
    switch (kind) {
      case 0:
        out[from] ^= 1 << (byte & 7)
        break
      case 1:
        out[from] = TELLING[byte % TELLING.length]
        break
      case 2:
        out = joined(out.subarray(0, from), out.subarray(from + size))
        break
      case 3:
        out = out.slice(0, from)
        break
      case 4:
        out = joined(out.subarray(0, from), piece, piece, out.subarray(from + size))
        break
      default: {
        // A piece of itself in another place.
        const to = length % out.length
        out = joined(out.subarray(0, to), piece, out.subarray(to))
      }
    }
  }
  return out
}

export function joined(...pieces: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(pieces))
}

/** Runs `read` and gives what it gives; null where it refuses with one of `refusals`. Fails on another error, and where `bytes` were changed. */
export function refusedOr<T>(bytes: Uint8Array, read: (bytes: Uint8Array) => T, ...refusals: (new (...args: any[]) => Error)[]): T | null {
  const before = Buffer.from(bytes)
  let got: T | null = null
  try {
    got = read(bytes)
  } catch (error) {
    if (!refusals.some((refusal) => error instanceof refusal && error.constructor === refusal)) throw error
    if (!/^Cannot |must /.test((error as Error).message)) throw new Error(`A refusal in no words of its own: ${(error as Error).message}`, { cause: error })
  }
  if (before.compare(bytes) !== 0) throw new Error('The reader changed what it was given')
  return got
}
