/** Laws of the ways in: formats, verdicts, encodings of content, names and times of readings. */

import assert from 'node:assert/strict'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { Hono } from 'hono'
import { readBody } from '../../actors/edge/body.ts'
import { decodeCbor } from '../../actors/reading/parse-cbor.ts'
import { formatOf, parseBody } from '../../actors/reading/formats.ts'
import type { Format } from '../../actors/reading/formats.ts'
import { isDevice, isMetric, Names } from '../../actors/reading/validate-names.ts'
import { rfc3339 } from '../../actors/reading/validate-time.ts'
import { Batch } from '../../actors/reading/validate.ts'
import { pack, unpack } from '../../runtime/codec.ts'
import { REJECTS_NAMED_MAX, TS_AHEAD_MS, TS_MIN_MS } from '../../runtime/limits.ts'
import { guardMsgpack } from '../../runtime/msgpack-guard.ts'
import { NOW_MS, read } from '../actors/reading/read.ts'
import type { Read } from '../actors/reading/read.ts'
import { anyBytes, edits, mutate } from './bytes.ts'
import { encodeCbor } from './cbor.ts'
import { law } from './law.ts'
import type { Law } from './law.ts'
import { badItem, body, reading, readings, WAYS } from './readings.ts'

const FORMATS: readonly Format[] = ['json', 'ndjson', 'msgpack', 'senml+json', 'senml+cbor', 'lines']
const format = fc.constantFrom(...FORMATS)
const DEVICE = /^[A-Za-z0-9._:/-]{1,128}$/
const METRIC = /^[A-Za-z][A-Za-z0-9_.]{0,63}$/

/** What holds of every verdict, whatever was sent. */
function assertSound(got: Read): void {
  for (const r of got.readings) {
    assert(DEVICE.test(r.device) && METRIC.test(r.metric), `names ${r.device} ${r.metric}`)
    assert(Number.isInteger(r.ts) && r.ts >= TS_MIN_MS && r.ts <= NOW_MS + TS_AHEAD_MS, `ts ${r.ts}`)
    assert(Math.abs(r.value) <= 1e100 && !Object.is(r.value, -0), `value ${r.value}`)
  }
  assert.equal([...got.rejectedBy.values()].reduce((a, b) => a + b, 0), got.rejectedCount)
  assert.equal(got.rejected.length, Math.min(got.rejectedCount, REJECTS_NAMED_MAX))
  for (let i = 0; i < got.rejected.length; i++) {
    const { index, reason } = got.rejected[i]
    assert(Number.isInteger(index) && index >= 0 && typeof reason === 'string' && reason.length > 4 && reason.length < 2_000, reason)
    assert(reason.isWellFormed(), 'a reason must be text')
    if (i > 0 && got.refusal === null) assert(index >= got.rejected[i - 1].index, 'verdicts come in order')
  }
  for (const sample of got.samples) assert(sample.reading.length <= 512 && sample.reading.isWellFormed())
  if (got.refusal !== null) assert(got.readings.length === 0 && got.rejectedCount > 0)
}

/** Reads bytes of a client, which must stay as they are; and a good body by the same batch behind them. */
function readAnything(of: Format, bytes: Uint8Array): void {
  const given = Buffer.from(bytes)
  const batch = new Batch(new Names())
  const names = new Names()
  batch.reset(names, NOW_MS)
  parseBody(of, given, batch, 'ns')
  assert(given.equals(bytes), 'the body must not be changed')
  assertSound(read(of, bytes))
  batch.reset(names, NOW_MS)
  parseBody('json', GOOD, batch)
  assert(batch.count === 1 && batch.rejectedCount === 0 && batch.value[0] === 2.5, 'a body must not be judged by the one before')
}
const GOOD = Buffer.from('{"device":"d","metric":"m","value":2.5}')

const TOKENS: Record<Format, string[]> = {
  'json': ['[', ']', '{', '}', '"', '\\', ',', ':', '1', '-', '1e', '"a"', '{"device":"d"}', '\\u0041', 'null', ' '],
  'ndjson': ['[', ']', '{', '}', '"', '\\', '\n', '\r', '1', '{"device":"d"}', '{}', ' ', '\u2028'],
  'lines': ['m', ',', ' ', '=', '"', '\\', '\n', '1', 'i', 'device=d', 'e', '.', '#', 'a=1', '\t'],
  'senml+json': ['[', ']', '{"n":"a"}', '{"bn":"/"}', '{"v":1}', ',', '{"bn":"////x","n":"-"}', '"'],
  'msgpack': ['\u0091', '\u0081', '\u00a1a', '\u0090', '\u00c0', '\u00d9\u0001', '\u00cb\u0000', '\u00dc\u0000', '\u00ff', 'd', '\u00c1'],
  'senml+cbor': ['\u0081', '\u00a1', '\u0061a', '\u009f', '\u00ff', '\u00bf', '\u00f6', '\u00c4', '\u007f', '\u0020', '\u00c0'],
}
/** Size of a body of repetitions: what took time by its square would take a million times as long for it as for one of 1 KiB, and not end. */
const REPEATED_BYTES = 1024 * 1024

const year = fc.integer({ min: 100, max: 9999 })
const two = (n: number) => String(n).padStart(2, '0')
/** Parts of a date and time, many of them of no calendar. */
const parts = fc.record({
  year, month: fc.nat(14), day: fc.nat(33), hour: fc.nat(26), minute: fc.nat(62), second: fc.nat(62),
  fraction: fc.constantFrom('', '.5', '.25', '.999', '.1234567', '.000000000001'),
  offset: fc.constantFrom('Z', 'z', '+00:00', '-00:00', '+05:30', '-11:45', '+23:59', '+24:00', '+01:60', ''),
})
type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never
export const timeText = (p: Parts) => `${p.year.toString().padStart(4, '0')}-${two(p.month)}-${two(p.day)}T${two(p.hour)}:${two(p.minute)}:${two(p.second)}${p.fraction}${p.offset}`
export { parts as timeParts }
export type TimeParts = Parts

/** The time that the parts name, by counting days, or NaN where there is none. */
export function timeOracle(p: Parts, secondMax: number): number {
  const leap = (y: number) => (y % 4 === 0 && y % 100 !== 0) || y % 400 === 0
  const months = [31, leap(p.year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  if (p.month < 1 || p.month > 12 || p.day < 1 || p.day > months[p.month - 1] || p.hour > 23 || p.minute > 59 || p.second > secondMax) return NaN
  const before = (y: number) => 365 * y + Math.floor((y + 3) / 4) - Math.floor((y + 99) / 100) + Math.floor((y + 399) / 400)
  const days = before(p.year) - before(1970) + months.slice(0, p.month - 1).reduce((a, b) => a + b, 0) + p.day - 1
  const offset = /^([+-])(\d\d):(\d\d)$/.exec(p.offset)
  if (offset !== null && (Number(offset[2]) > 23 || Number(offset[3]) > 59)) return NaN
  const offsetMinutes = offset === null ? 0 : (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3]))
  const ms = p.fraction === '' ? 0 : Math.floor(Number(`0${p.fraction}`) * 1000)
  return (((days * 24 + p.hour) * 60 + p.minute - offsetMinutes) * 60 + p.second) * 1000 + ms
}

const cborValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), fc.boolean(), fc.constantFrom(null, undefined), fc.string({ unit: 'binary', maxLength: 12 }), fc.uint8Array({ maxLength: 6 })),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(fc.oneof(fc.string({ maxLength: 4 }), fc.integer({ min: -9, max: 9 })), tie('value')), { maxLength: 4 }).map((list) => new Map(list)),
  ),
})).value
const styles = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 9 })
const drawing = (list: readonly number[]) => {
  let i = 0
  return () => list[i++ % list.length]
}

/** With bytes as lists, since of which class they are says nothing. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (Array.isArray(value)) return value.map(plain)
  return value instanceof Map ? new Map([...value].map(([k, v]) => [k, plain(v)])) : value
}

const ENCODERS = {
  identity: (b: Uint8Array) => b,
  gzip: (b: Uint8Array) => gzipSync(b),
  br: (b: Uint8Array) => brotliCompressSync(b, { params: { 1: 1 } }),
  zstd: (b: Uint8Array) => zstdCompressSync(b),
} as const
const BODY_BYTES = 2_000

/** Sends bytes through `readBody`; the hand must hold exactly what was given out. */
async function sent(bytes: Uint8Array, encoding: string): Promise<{ status: number; body: Uint8Array }> {
  let held = 0
  const hand = { hold: (n: number) => ((held += n), true), release: (n: number) => void (held -= n) }
  const app = new Hono()
  app.post('/', async (c) => {
    const got = await readBody(c, { bytesMax: BODY_BYTES, hand })
    assert.equal(held, Buffer.isBuffer(got) ? got.length : 0, 'what is in hand must be what was given out')
    return Buffer.isBuffer(got) ? c.body(Uint8Array.from(got)) : c.json(got, got.status as 400)
  })
  app.onError((error) => {
    throw error
  })
  const answer = await app.request('/', { method: 'POST', body: Buffer.from(bytes), headers: { 'content-encoding': encoding } })
  return { status: answer.status, body: new Uint8Array(await answer.arrayBuffer()) }
}

export const formatLaws: Law[] = [
  law('the same readings give the same columns in every format', 30, [readings], (list) => {
    const wanted = list.map((r) => ({ ...r, value: r.value + 0 }))
    for (const way of Object.keys(WAYS)) {
      const { format: of, bytes } = WAYS[way](list)
      const got = read(of, bytes)
      assert.deepEqual({ way, readings: got.readings, rejected: got.rejected, refusal: got.refusal }, { way, readings: wanted, rejected: [], refusal: null })
    }
  }),

  law(
    'a bad reading costs itself alone, and the verdict names its place',
    30,
    [fc.array(fc.oneof(reading.map((good) => ({ good })), badItem.map((bad) => ({ bad }))), { minLength: 1, maxLength: 8 }), fc.nat(3)],
    (items: readonly ({ good: unknown } | { bad: unknown })[], way) => {
      const list = items.map((item) => ('good' in item ? item.good : item.bad))
      const [of, bytes] = [
        ['json', JSON.stringify(list)],
        ['json', JSON.stringify({ readings: list })],
        ['ndjson', list.map((item) => JSON.stringify(item)).join('\n')],
        ['msgpack', pack(list)],
      ][way] as [Format, string | Uint8Array]
      const got = read(of, bytes)
      assertSound(got)
      assert.deepEqual(got.rejected.map((r) => r.index), items.flatMap((item, i) => ('bad' in item ? [i] : [])))
      assert.deepEqual(got.readings, items.flatMap((item) => ('good' in item ? [{ ...(item.good as { value: number }), value: (item.good as { value: number }).value + 0 }] : [])))
    },
  ),

  law('a valid body that was changed gives sound verdicts, whatever format it claims', 120, [body, edits, fc.option(format, { freq: 4 })], (b, list, other) => {
    readAnything(other ?? b.format, mutate(b.bytes, list))
  }),

  law('bytes of nobody give sound verdicts', 60, [format, anyBytes], (of, bytes) => readAnything(of, bytes)),

  law('any JSON gives sound verdicts', 60, [fc.constantFrom<Format>('json', 'senml+json', 'msgpack'), fc.jsonValue({ maxDepth: 3 })], (of, value) => {
    readAnything(of, of === 'msgpack' ? pack(value) : Buffer.from(JSON.stringify(value)))
  }),

  law('columns with holes of any kind are sound', 40, [fc.record({ device: fc.anything(), metric: fc.anything(), ts: fc.anything(), value: fc.array(fc.anything(), { maxLength: 4 }) }), fc.boolean()], (columns, packed) => {
    let bytes: Uint8Array
    try {
      bytes = packed ? pack(columns) : Buffer.from(JSON.stringify(columns))
    } catch {
      return
    }
    readAnything(packed ? 'msgpack' : 'json', bytes)
  }),

  law('what is repeated without end is read once through', 1, [format.chain((of) => fc.tuple(fc.constant(of), fc.array(fc.constantFrom(...TOKENS[of]), { minLength: 1, maxLength: 6 }), fc.constantFrom('', '"', '\n')))], ([of, tokens, last]) => {
    const piece = Buffer.from(tokens.join(''), of === 'msgpack' || of === 'senml+cbor' ? 'latin1' : 'utf8')
    readAnything(of, Buffer.concat([...Array.from({ length: Math.ceil(REPEATED_BYTES / piece.length) }, () => piece), Buffer.from(last)]))
  }),

  law('CBOR of any form reads back as what was written', 60, [cborValue, styles], (value, list) => {
    assert.deepEqual(plain(decodeCbor(encodeCbor(value, drawing(list)), 32)), plain(value))
  }),

  law('half floats of CBOR are those of IEEE 754', 30, [fc.nat(0xffff)], (bits) => {
    const wanted = new DataView(Uint16Array.of(bits).buffer) as DataView & { getFloat16(at: number, little: boolean): number }
    assert.deepEqual(decodeCbor(Uint8Array.of(0xf9, bits >> 8, bits & 255), 4), wanted.getFloat16(0, true))
  }),

  law('msgpack that the guard lets pass is read without an error', 60, [fc.oneof(anyBytes, fc.tuple(fc.jsonValue({ maxDepth: 3 }), edits).map(([v, list]) => mutate(pack(v), list)))], (bytes) => {
    if (guardMsgpack(bytes, 32) === null) unpack(bytes)
  }),

  law('a body comes out of its encoding as it went in, and what is too large or no such encoding is refused', 4, [fc.uint8Array({ maxLength: 2_200 }), fc.constantFrom(...(Object.keys(ENCODERS) as (keyof typeof ENCODERS)[]))], async (bytes, encoding) => {
    const got = await sent(ENCODERS[encoding](bytes), encoding)
    if (bytes.length > BODY_BYTES) assert.equal(got.status, 413)
    else assert(got.status === 200 ? Buffer.from(bytes).equals(got.body) : got.status === 413 && ENCODERS[encoding](bytes).length > BODY_BYTES)
  }),

  law('a compressed body that was changed is refused or read within the bound', 4, [body, fc.constantFrom(...(Object.keys(ENCODERS) as (keyof typeof ENCODERS)[])), edits], async (b, encoding, list) => {
    const got = await sent(mutate(ENCODERS[encoding](b.bytes), list), encoding)
    assert([200, 400, 413].includes(got.status))
    if (got.status === 200) assert(got.body.length <= BODY_BYTES)
  }),

  law('a media type is found with any parameters, and any other text is none', 40, [fc.constantFrom('application/json', 'application/x-ndjson', 'application/msgpack', 'application/senml+cbor'), fc.string({ maxLength: 8 }), fc.string({ maxLength: 20 })], (type, parameter, other) => {
    assert.equal(formatOf(`${type.toUpperCase()} ;${parameter}`), formatOf(type))
    assert(formatOf(type) !== null)
    if (!other.includes('/')) assert.equal(formatOf(other), null)
  }),

  law('a name is valid exactly where each of its characters is', 80, [fc.string({ unit: fc.constantFrom(...'azAZ09._:/- \n\u00e4\u0000é_'), maxLength: 140 })], (name) => {
    const each = (allowed: string) => [...name].every((c) => /[A-Za-z0-9]/.test(c) || allowed.includes(c))
    assert.equal(isDevice(name), name.length >= 1 && name.length <= 128 && each('._:/-'))
    assert.equal(isMetric(name), name.length >= 1 && name.length <= 64 && /[A-Za-z]/.test(name[0]) && each('_.'))
  }),

  law('a name that was seen is found again, and only under its own', 30, [fc.array(fc.tuple(fc.constantFrom('a', 'b', '__proto__', 'toString'), fc.constantFrom('m', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'constructor')), { maxLength: 40 })], (list) => {
    const names = new Names()
    for (const [device, metric] of list) {
      const owner = names.find(device) ?? names.addDevice(device)!
      const series = owner.find(metric) ?? names.addSeries(owner, metric)!
      assert(series.device.name === device && series.metric === metric && names.find(device) === owner && owner.find(metric) === series)
    }
    assert.equal(names.size, new Set(list.map(([d]) => d)).size + new Set(list.map(String)).size)
  }),

  law('a time as text is that of the calendar, or none', 120, [parts], (p) => {
    const wanted = p.offset === '' ? NaN : timeOracle(p, 60)
    assert.deepEqual(rfc3339(timeText(p)), wanted)
  }),
]
