/**
 * The messages of `own.<n>`, the input of an own actor: what the feed writes (feed.ts), and what its owner and people tell it.
 *
 * - `readings`  readings that partitions have admitted, each piece under the sequence in RESULTS of the commit that covers it
 * - `tick`      time passes
 * - `document`  a document, or its end
 * - `action`    what somebody does about an alert
 * - `code`      from here on the actor is told by this code, and its view has these columns
 */

import { pack, toBytes, toFloat64, told, toUint16, unpack } from '../../runtime/codec.ts'
import type { AlertVerb } from '../reading/input.ts'

/** Readings of one tenant that one commit covers. */
export interface OwnPiece {
  /** Of the commit, in RESULTS. */
  readonly seq: number
  readonly tenant: string
  /** When the log had the block, epoch ms. */
  readonly receivedAt: number
  readonly rows: readonly (readonly [device: string, metric: string, ts: number, value: number])[]
}

export interface OwnReadings {
  readonly kind: 'readings'
  /** Creation of RESULTS. */
  readonly created: string
  /** Commits up to `after` were told before, those up to `upTo` are with this. */
  readonly after: number
  readonly upTo: number
  readonly pieces: readonly OwnPiece[]
}

export interface OwnDocument {
  readonly kind: 'document'
  readonly tenant: string
  readonly id: string
  readonly revision: number
  /** JSON (plain.ts); null: taken away. */
  readonly body: string | null
}

export interface OwnAction {
  readonly kind: 'action'
  readonly alert: string
  readonly action: AlertVerb
  readonly by: string
  readonly note: string
  /** Of `shelve`: until when, epoch ms. */
  readonly until?: number
}

export interface OwnCode {
  readonly kind: 'code'
  readonly code: string
  /** Null: the actor has no ticks. */
  readonly everyMs: number | null
  readonly columns: readonly (readonly [name: string, type: string])[]
}

export type OwnInput = OwnReadings | OwnDocument | OwnAction | OwnCode | { readonly kind: 'tick' }

export function encodeOwnReadings({ created, after, upTo, pieces }: Omit<OwnReadings, 'kind'>): Uint8Array {
  const names = new Map<string, number>()
  const numberOf = (name: string): number => names.get(name) ?? (names.set(name, names.size), names.size - 1)
  const packed = pieces.map(({ seq, tenant, receivedAt, rows }) => {
    const device = Uint16Array.from(rows, (row) => numberOf(row[0]))
    const metric = Uint16Array.from(rows, (row) => numberOf(row[1]))
    return [seq, tenant, receivedAt, ...[device, metric, Float64Array.from(rows, (row) => row[2]), Float64Array.from(rows, (row) => row[3])].map(toBytes)]
  })
  return pack({ k: 'f', c: created, a: after, u: upTo, n: [...names.keys()], p: packed })
}

const TICK = pack({ k: 't' })
export const encodeOwnTick = (): Uint8Array => TICK

export function encodeOwnDocument({ tenant, id, revision, body }: Omit<OwnDocument, 'kind'>): Uint8Array {
  return pack({ k: 'd', t: tenant, i: id, n: revision, b: body })
}

export function encodeOwnAction({ alert, action, by, note, until }: Omit<OwnAction, 'kind'>): Uint8Array {
  return pack({ k: 'a', i: alert, a: action, w: by, n: note, ...(until === undefined ? {} : { u: Math.floor(until) }) })
}

export function encodeOwnCode({ code, everyMs, columns }: Omit<OwnCode, 'kind'>): Uint8Array {
  return pack({ k: 'c', c: code, e: everyMs, v: columns.flat() })
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Throws `RangeError` on bytes that are no such message. */
export function decodeOwnInput(data: Uint8Array): OwnInput {
  const wire = unpack<Record<string, unknown> | null>(data)
  const { k, c, a, u, n, p, t, i, b, w, e, v } = typeof wire === 'object' && wire !== null ? wire : {}
  if (k === 't') return { kind: 'tick' }
  if (k === 'f' && isText(c) && isCount(a) && isCount(u) && u >= a && Array.isArray(n) && n.every(isText) && Array.isArray(p)) {
    return { kind: 'readings', created: c, after: a, upTo: u, pieces: p.map((piece) => pieceIn(piece, n)) }
  }
  if (k === 'd' && isText(t) && isText(i) && isCount(n) && (b === null || isText(b))) return { kind: 'document', tenant: t, id: i, revision: n, body: b }
  if (k === 'a' && isText(i) && isText(w) && isText(n)) {
    if (a === 'shelve' && isCount(u)) return { kind: 'action', alert: i, action: a, by: w, note: n, until: u }
    if (a === 'ack' || a === 'resolve' || a === 'unshelve') return { kind: 'action', alert: i, action: a, by: w, note: n }
  }
  if (k === 'c' && isText(c) && (e === null || isCount(e)) && Array.isArray(v) && v.length % 2 === 0 && v.every(isText)) {
    return { kind: 'code', code: c, everyMs: e, columns: Array.from({ length: v.length / 2 }, (_, at) => [v[2 * at] as string, v[2 * at + 1] as string] as const) }
  }
  throw new RangeError(`Cannot read a message to an own actor as it must be whole, of kind f, t, d, a or c: current kind is ${told(k)}`)
}

function pieceIn(piece: unknown, names: readonly string[]): OwnPiece {
  const [seq, tenant, receivedAt, ...columns] = Array.isArray(piece) ? (piece as unknown[]) : []
  if (!isCount(seq) || !isText(tenant) || !Number.isFinite(receivedAt) || columns.length !== 4) throw new RangeError('Cannot read readings to an own actor as each piece must be whole')
  const [devices, metrics, ts, value] = [toUint16(columns[0]), toUint16(columns[1]), toFloat64(columns[2]), toFloat64(columns[3])]
  const sound = [metrics, ts, value].every((column) => column.length === devices.length) && [...devices, ...metrics].every((at) => at < names.length)
  if (!sound) throw new RangeError('Cannot read readings to an own actor as their columns must be of one length, and of names that are there')
  return { seq, tenant, receivedAt: receivedAt as number, rows: Array.from(devices, (device, at) => [names[device], names[metrics[at]], ts[at], value[at]] as const) }
}
