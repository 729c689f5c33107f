/** Readings, good and bad, and the bodies that carry them in each format. */

import fc from 'fast-check'
import type { Format } from '../../actors/reading/formats.ts'
import type { Reading } from '../../actors/reading/input.ts'
import { pack } from '../../runtime/codec.ts'
import { TS_AHEAD_MS, TS_MIN_MS } from '../../runtime/limits.ts'
import { NOW_MS } from '../actors/reading/read.ts'
import { encodeCbor } from './cbor.ts'

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const text = (units: string, maxLength: number, minLength = 1) => fc.string({ unit: fc.constantFrom(...units), minLength, maxLength })

// One that ends with a separator is not the same device in SenML, whose names have separators of their own.
export const device = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('d', 'field-7/probe-2', '__proto__x', 'urn:dev:mac:0', 'constructor', 'a'.repeat(128), '7', 'a.b', '-', '//a') },
  { weight: 2, arbitrary: text(`${LETTERS}0123456789._:/-`, 20).map((name) => name.replace(/[/:_.]+$/, '') || 'd') },
)
export const metric = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('t', 'soil_moisture', 'constructor', 'toString', 'hasOwnProperty', 'a.b', 'M'.repeat(64), 'value') },
  { weight: 2, arbitrary: fc.tuple(text(LETTERS, 1), text(`${LETTERS}0123456789_.`, 10, 0)).map(([a, b]) => a + b) },
)
export const ts = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: NOW_MS - 3_600_000, max: NOW_MS + 60_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: TS_MIN_MS, max: NOW_MS + TS_AHEAD_MS }) },
)
export const value = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -500, max: 500 }).map((n) => n / 4) },
  { weight: 2, arbitrary: fc.double({ min: -1e100, max: 1e100, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 1e100, -1e100, 5e-324, 1e-7, 1e21, 123456789012) },
)
export const reading: fc.Arbitrary<Reading> = fc.record({ device, metric, ts, value }, { noNullPrototype: true })
export const readings = fc.array(reading, { minLength: 1, maxLength: 6 })

/** What no reading may be: each costs exactly one verdict. */
export const badItem: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, 7, 'x', true, [], [1], {}, { device: 'd' }, { device: 'd', metric: 'm' }),
  fc.tuple(reading, fc.constantFrom('', 'a b', 'ä', 'a'.repeat(129), 7, null, {}, ['d'], 'd\n')).map(([r, bad]) => ({ ...r, device: bad })),
  fc.tuple(reading, fc.constantFrom('', '_m', '7m', 'm-m', 'm'.repeat(65), 7, null, 'm\n')).map(([r, bad]) => ({ ...r, metric: bad })),
  fc.tuple(reading, fc.constantFrom(null, '1', 1.1e100, -1e101, [], {}, [1])).map(([r, bad]) => ({ ...r, value: bad })),
  fc.tuple(reading, fc.constantFrom(null, 'now', '2026-02-30T00:00:00Z', 1_767_225_600, -1, 8.64e15, 1e300, [], true)).map(([r, bad]) => ({ ...r, ts: bad })),
  fc.tuple(reading, fc.constantFrom(null, [], 7, {}, 'x')).map(([{ device, ts }, bad]) => ({ device, ts, values: bad })),
  reading.map((r) => ({ ...r, values: { m: 1 } })),
)

/** A body's bytes, and the format that they are of. */
export interface Body {
  readonly format: Format
  readonly bytes: Uint8Array
}

const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s)
const column = <K extends keyof Reading>(list: readonly Reading[], key: K): Reading[K][] => list.map((r) => r[key])
const columns = (list: readonly Reading[]) => ({
  device: column(list, 'device'),
  metric: column(list, 'metric'),
  ts: column(list, 'ts'),
  value: column(list, 'value'),
})

/** Each way to write readings; all of them mean the same. */
export const WAYS: Record<string, (list: readonly Reading[]) => Body> = {
  'json': (list) => ({ format: 'json', bytes: utf8(JSON.stringify(list)) }),
  'json, spread out': (list) => ({ format: 'json', bytes: utf8(`\ufeff${JSON.stringify({ readings: list }, null, 2)}`) }),
  'json columns': (list) => ({ format: 'json', bytes: utf8(JSON.stringify(columns(list))) }),
  'json, values by instant': (list) => ({ format: 'json', bytes: utf8(JSON.stringify(list.map((r) => ({ device: r.device, ts: r.ts, values: { [r.metric]: r.value } })))) }),
  'json, times as text': (list) => ({ format: 'json', bytes: utf8(JSON.stringify(list.map((r) => ({ ...r, ts: new Date(r.ts).toISOString() })))) }),
  'ndjson': (list) => ({ format: 'ndjson', bytes: utf8(list.map((r) => JSON.stringify(r)).join('\r\n \n')) }),
  'msgpack': (list) => ({ format: 'msgpack', bytes: pack(list) }),
  'msgpack columns': (list) => ({ format: 'msgpack', bytes: pack(columns(list)) }),
  'senml+json': (list) => ({ format: 'senml+json', bytes: utf8(JSON.stringify(list.map((r) => ({ bn: `${r.device}/`, n: r.metric, t: r.ts / 1000, v: r.value })))) }),
  'senml+cbor': (list) => ({
    format: 'senml+cbor',
    bytes: encodeCbor(list.map((r) => new Map<unknown, unknown>([[-2, `${r.device}/`], [0, r.metric], [6, r.ts / 1000], [2, r.value]]))),
  }),
  'lines': (list) => ({ format: 'lines', bytes: utf8(list.map((r) => `m,device=${r.device} ${r.metric}=${r.value} ${r.ts}000000`).join('\n')) }),
}

export const body: fc.Arbitrary<Body> = fc.tuple(readings, fc.constantFrom(...Object.keys(WAYS))).map(([list, way]) => WAYS[way](list))
