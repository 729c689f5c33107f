/**
 * Ids of live events: how far each stream of the log had been gone through when the event was given.
 */

/** How far each stream has been gone through: sequences of the input streams, in order, and last of RESULTS. */
export type Vector = readonly number[]

/** A place between two events. Of stream `stream` the message at its sequence is gone through up to `row` only (−1: wholly). */
export interface EventPlace {
  readonly vector: Vector
  readonly stream: number
  readonly row: number
}

/** `<generation>-<seq>.<seq>…[-<stream>.<row>]`, numbers in base 36. */
export function encodeId(generation: string, place: EventPlace): string {
  return `${prefixOf(generation, place.vector)}${place.row < 0 ? '' : suffixOf(place.stream, place.row)}`
}

export const prefixOf = (generation: string, vector: Vector) => `${generation}-${vector.map((seq) => seq.toString(36)).join('.')}`
export const suffixOf = (stream: number, row: number) => `-${stream.toString(36)}.${row.toString(36)}`

/** The place of an id of this generation of the streams; null for any other text. */
export function decodeId(generation: string, id: string, streams: number): EventPlace | null {
  const [of, seqs, within, ...more] = id.split('-')
  if (of !== generation || seqs === undefined || more.length > 0) return null
  const vector = numbers(seqs)
  if (vector === null || vector.length !== streams + 1) return null
  if (within === undefined) return { vector, stream: 0, row: -1 }
  const place = numbers(within)
  if (place === null || place.length !== 2 || place[0] > streams) return null
  return { vector, stream: place[0], row: place[1] }
}

function numbers(dotted: string): number[] | null {
  const parts = dotted.split('.')
  return parts.every((part) => /^[0-9a-z]{1,11}$/.test(part)) ? parts.map((part) => parseInt(part, 36)) : null
}
