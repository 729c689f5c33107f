/**
 * A partition's state as bytes: columns in msgpack, a row a series or a window; of many series in pieces, each of a thousand of them.
 *
 * Owns the formats and the order of pieces. Leaves what a piece holds to wire.ts, and how it is written and read to columns.ts, windows.ts and rest.ts.
 *
 * - S1 A restored state gives the same effects for the same messages as the one that was written, forever.
 * - S2 The bytes are a function of the state, whichever way the state came about.
 * - S3 A state is written in the least format that holds it, and every older format is read: 1 is that of a state whose log has
 *   switched no flag on, 2 names the flags, 3 holds ensembles in place of detectors, 5 answers to anomalies, 6 what is known of kinds, 7 what
 *   drives series, 8 what forecasts need, 9 what the metrics of devices lean by, and how series stand to their kinds, and what
 *   kinds lend, 10 rules, 11 several pieces, 12 alerts that are shelved. So the version before reads what this one writes until a flag is on. (4 was what forecasts needed before
 *   any release had them.)
 * - S4 Writing and reading need the memory of one piece, used again for the next: the engine's own would be garbage of the size of the state.
 */

import type { Pieces, Restoring } from '../../../runtime/actor.ts'
import { PackRoom, told, unpack } from '../../../runtime/codec.ts'
import { isOperating, OperatingError } from '../../../runtime/errors.ts'
import { Flag } from '../flags.ts'
import type { PartitionState } from '../state.ts'
import { NamesRead, NamesWritten, readColumns, readForecasters, readPages, writeColumns, writeForecasters, writePages } from './columns.ts'
import { readFirst, readLast, writeFirst, writeLast } from './rest.ts'
import { readMinutes, readUpper, writeMinutes, writeUpper } from './windows.ts'
import { must } from './wire.ts'
import type { Wire } from './wire.ts'

export const SNAPSHOT_VERSION = 12

/** Series of a piece, some 2.7 kB each once they forecast. */
const PIECE_SERIES = 1_024

export function snapshotVersionOf(state: PartitionState, pieceSeries = PIECE_SERIES): number {
  if (state.rules.isShelving) return 12
  if (countOf(state, pieceSeries) > 1) return 11
  if (state.rules.size > 0) return 10
  if (state.flags.has(Flag.together) || state.flags.has(Flag.kin) || state.flags.has(Flag.loan)) return 9
  if (state.flags.has(Flag.forecasts)) return 8
  if (state.driven.size > 0) return 7
  if (state.priors.size > 0) return 6
  if (state.tuning.size > 0) return 5
  if (state.flags.has(Flag.ensemble)) return 3
  return state.flags.size === 0 ? 1 : 2
}

/** Pieces of the state's snapshot: one alone before `Flag.ensemble`, as those read it who do not know the flag. */
function countOf({ series, flags }: PartitionState, pieceSeries: number): number {
  return flags.has(Flag.ensemble) ? Math.max(1, Math.ceil(series.length / pieceSeries)) : 1
}

/** The state in pieces of so many series. It must not change before the last one has been taken; a piece is valid until the next one is. */
export function piecesOf(state: PartitionState, pieceSeries = PIECE_SERIES): Pieces {
  const count = countOf(state, pieceSeries)
  return { count, [Symbol.iterator]: () => writePieces(state, count, count === 1 ? state.series.length : pieceSeries) }
}

function* writePieces(state: PartitionState, count: number, pieceSeries: number): Generator<Uint8Array> {
  const room = new PackRoom()
  const names = new NamesWritten()
  const v = Math.max(count > 1 ? 11 : 1, snapshotVersionOf(state, Infinity))
  for (let i = 0; i < count; i++) {
    const from = i * pieceSeries
    const until = Math.min(state.series.length, from + pieceSeries)
    const wire: Wire = {
      v,
      ...(count > 1 ? { piece: [i, count] } : {}),
      ...(i === 0 ? writeFirst(state) : {}),
      ...writeColumns(state, from, until, names),
      minutes: writeMinutes(state, from, until),
      upper: writeUpper(state, from, until),
    }
    if (i === 0 && state.flags.size > 0) wire.flags = [...state.flags].sort((a, b) => a - b)
    Object.assign(wire, writePages(state, from, until))
    if (state.flags.has(Flag.forecasts)) wire.forecasters = writeForecasters(state, from, until)
    if (i === count - 1) Object.assign(wire, writeLast(state))
    yield room.pack(wire, bytesAbout(wire))
  }
}

/** Of a name with its head, mostly less. */
const NAME_BYTES = 64
/** Of what is neither a column nor a name. */
const REST_BYTES = 65_536

/** Nearly as many bytes as the piece will have, or some more. */
function bytesAbout(wire: Wire): number {
  let bytes = REST_BYTES
  const add = (part: unknown): void => {
    if (part instanceof Uint8Array) bytes += part.length + 8
    else if (typeof part === 'string') bytes += NAME_BYTES
    else if (Array.isArray(part)) part.forEach(add)
  }
  Object.values(wire).forEach(add)
  return bytes
}

/**
 * Makes a state of the pieces of any format so far. Throws `RangeError` on bytes that are no piece, or not the next one, and `OperatingError` `version`
 * on those of a later format, or that name a flag which is not `known`.
 */
export function restoring(known: readonly number[]): Restoring<PartitionState> {
  const names = new NamesRead()
  let state: PartitionState | null = null
  let version = 0
  let count = 1
  let taken = 0
  const take = (wire: Wire): void => {
    const [index, of] = wire.piece ?? [0, 1]
    if (taken === 0) {
      must(Number.isSafeInteger(of) && of >= 1 && of > 1 === (wire.piece !== undefined) && (of === 1 || wire.v >= 11), 'it must say of how many pieces it is')
      version = wire.v
      count = of
    }
    must(wire.v === version && index === taken && of === count && taken < count, 'it must hold each of its pieces once')
    state ??= readFirst(wire, known)
    const from = state.series.length
    readColumns(wire, state, names)
    readPages(wire, state, from)
    must(state.flags.has(Flag.forecasts) === (wire.v >= 8 && wire.forecasters !== undefined), 'it must hold what forecasts need exactly if they are switched on')
    if (wire.forecasters !== undefined) readForecasters(wire.forecasters, state, from)
    readMinutes(wire, state, from)
    readUpper(wire, state, from)
    for (let id = from; id < state.series.length; id++) state.series[id].refreshNextEnd(state.summaries)
    taken++
    if (taken === count) readLast(wire, state)
  }
  return {
    take(bytes) {
      const wire = unpack<Wire | null>(bytes)
      const v = wire?.v
      must(Number.isInteger(v) && v! >= 1, `it must have a version: current value is ${told(v)}`)
      if (v! > SNAPSHOT_VERSION) {
        throw new OperatingError('version', `Cannot read a snapshot as its version must be at most ${SNAPSHOT_VERSION}: current value is ${v}. A newer version of Weir wrote it`)
      }
      try {
        take(wire!)
      } catch (error) {
        if (error instanceof RangeError || isOperating(error)) throw error
        // Parts that are of another kind than they must be.
        throw new RangeError('Cannot read a snapshot as it must be whole', { cause: error })
      }
    },
    done() {
      must(state !== null && taken === count, `it must hold all of its pieces: there are ${taken} of ${count}`)
      return state!
    },
  }
}

/** All pieces as one: a single one as it is, several in an array. */
export function writeWhole(state: PartitionState): Uint8Array {
  const pieces = piecesOf(state)
  if (pieces.count > 1) {
    const all = Array.from(pieces, (piece) => piece.slice())
    return new PackRoom().pack(all, all.reduce((sum, { length }) => sum + length + 8, REST_BYTES))
  }
  const [only] = pieces
  return only
}

/** The state in bytes that `writeWhole` gave, of any format so far. */
export function readWhole(bytes: Uint8Array, known: readonly number[]): PartitionState {
  const whole = restoring(known)
  const value = isArray(bytes) ? unpack<Uint8Array[]>(bytes) : [bytes]
  for (const piece of value) whole.take(piece)
  return whole.done()
}

/** Whether what is there in msgpack is an array. */
function isArray([head]: Uint8Array): boolean {
  return (head & 0xf0) === 0x90 || head === 0xdc || head === 0xdd
}
