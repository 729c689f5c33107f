/**
 * Randomness without a state: a number in [0, 1) for a seed and a place, always the same one. Whatever part of a simulation is
 * asked for, in whatever order, and after whatever restart, it comes out alike.
 *
 * The mixing steps are those of MurmurHash3 (Austin Appleby, public domain), 32 bits.
 */

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  h ^= Math.imul(k, 0x1b873593)
  h = (h << 13) | (h >>> 19)
  return (Math.imul(h, 5) + 0xe6546b64) | 0
}

/** A number in [0, 1) drawn for `seed` at `place`; places are whole numbers, up to the size of an epoch ms. */
export function drawn(seed: number, ...place: readonly number[]): number {
  let h = seed | 0
  for (const number of place) {
    h = mix(h, number | 0)
    h = mix(h, Math.floor(number / 0x1_0000_0000) | 0)
  }
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return (h >>> 0) / 0x1_0000_0000
}

/** A number in [low, high). */
export function drawnBetween(low: number, high: number, seed: number, ...place: readonly number[]): number {
  return low + (high - low) * drawn(seed, ...place)
}

/** A number of the standard normal distribution (Box and Muller, 1958). */
export function drawnNormal(seed: number, ...place: readonly number[]): number {
  const radius = Math.sqrt(-2 * Math.log(1 - drawn(seed, ...place, 1)))
  return radius * Math.cos(2 * Math.PI * drawn(seed, ...place, 2))
}
