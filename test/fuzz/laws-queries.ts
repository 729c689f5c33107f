/** Laws of what clients ask with: times, parameters, cursors, live ids, headers; and of durations and names of snapshots. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeId, encodeId } from '../../actors/analytics/live/ids.ts'
import { choiceOf, choicesOf, filterOf, limitOf, numberOf, rangeOf, seriesOf, sizeOf, timeMsOf, zoneOf } from '../../actors/analytics/http/parameters.ts'
import { decodeCursor, encodeCursor, ParameterError } from '../../actors/analytics/http/reply.ts'
import { formatTime, parseTime } from '../../actors/analytics/data/times.ts'
import { parseSize } from '../../actors/analytics/query/window-grid.ts'
import { zoneName } from '../../runtime/zones.ts'
import { formatDuration, parseBytes, parseDuration } from '../../runtime/config.ts'
import { Keyring } from '../../runtime/keys.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { parseSnapshotName, snapshotName } from '../../runtime/snapshots.ts'
import { NOW_MS } from '../actors/reading/read.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { timeOracle, timeParts, timeText } from './laws-formats.ts'
import { law } from './law.ts'
import type { Law } from './law.ts'

const anyTime = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 })
const odd = fc.string({ unit: fc.constantFrom(...'0123456789-+:.TZ /,azhdm_ \u00e4\u0000"\\'), maxLength: 24 })
const text = fc.oneof(odd, fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('-1h', 'now', '-7d', '1e3', '', '0', '-0', 'NaN', 'Infinity', '2026-01-01', 'Europe/Vienna'))
const query = fc.dictionary(fc.constantFrom('device', 'metric', 'prefix', 'from', 'to', 'limit', 'tz', 'time', 'cursor', 'kind'), text, { maxKeys: 6, noNullPrototype: true })
const seq = fc.nat({ max: Number.MAX_SAFE_INTEGER })

/** Runs a reader of parameters: it gives a value or refuses with its own error. */
function asked<T>(run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error
    return null
  }
}

const ring = async () => {
  const clock = new ManualClock({ seed: 1 })
  const keyring = await Keyring.open(await new MemoryWorld({ clock }).connect().kv('keys'), clock)
  const { secret } = await keyring.create({ role: 'device' })
  return { keyring, secret }
}
const rung = ring()

export const queryLaws: Law[] = [
  law('a time that was written is read again, in each form that there is', 80, [anyTime], (ms) => {
    const written = formatTime(ms)!
    for (const form of [written, String(ms), written.replace('Z', '+00:00'), written.replace('T', ' '), written.replace('Z', ' 00:00'), written.slice(0, -1), ` ${written} `]) {
      assert.equal(parseTime(form, NOW_MS), ms, form)
    }
  }),
  law('a time of a query is that of the calendar, or none', 80, [timeParts], (p) => {
    const wanted = timeOracle(p, 59)
    const got = parseTime(timeText(p), NOW_MS)
    assert.equal(got, Number.isNaN(wanted) ? null : wanted, timeText(p))
  }),
  law('any text is a time in range or none', 80, [text], (of) => {
    const ms = parseTime(of, NOW_MS)
    assert(ms === null || (Number.isInteger(ms) && Math.abs(ms) <= 8.64e15 && formatTime(ms) !== null))
  }),
  law('a time before now is so far before it', 40, [fc.integer({ min: 1, max: 10 ** 12 })], (ms) => {
    assert.equal(parseDuration(formatDuration(ms)), ms)
    assert.equal(parseTime(`-${formatDuration(ms)}`, NOW_MS), NOW_MS - ms)
    assert.equal(parseTime(`+${formatDuration(ms)}`, NOW_MS), NOW_MS + ms)
  }),
  law('any text is a duration, a size, or neither', 40, [text], (of) => {
    for (const got of [parseDuration(of), parseBytes(of)]) assert(got === null || got >= 0)
  }),
  law('any text is a zone or none', 20, [text], (of) => void zoneName(of)),
  law('any text is a size of windows or none', 20, [text], (of) => void parseSize(of)),
  law('any query is answered or refused by a parameter error', 120, [query], (q) => {
    const filter = asked(() => filterOf(q))
    if (filter !== null) for (const name of [...(filter.devices ?? []), ...(filter.metrics ?? [])]) assert(/^[A-Za-z0-9._:/-]{1,128}$/.test(name))
    asked(() => seriesOf(q))
    const range = asked(() => rangeOf(q, NOW_MS))
    assert(range === null || range.from <= range.to)
    const limit = asked(() => limitOf(q))
    assert(limit === null || (Number.isInteger(limit) && limit >= 1))
    asked(() => zoneOf(q))
    asked(() => sizeOf(q))
    asked(() => timeMsOf(q))
    asked(() => choiceOf('kind', q.kind, ['a', 'b'], 'a'))
    asked(() => choicesOf('kind', q.kind, ['a', 'b']))
    const number = asked(() => numberOf('x', q.limit, { fallback: 1, min: -5, max: 5, integer: false }))
    assert(number === null || (number >= -5 && number <= 5))
    for (const shape of ['ss', 'nssn', 'ssnn']) asked(() => decodeCursor(q.cursor, shape))
  }),
  law('a cursor leads to its place, and a changed one there or nowhere', 60, [fc.string({ unit: 'binary', maxLength: 9 }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.nat(200), fc.constantFrom(...'aZ0-_=! ')], (name, number, at, c) => {
    const place = [number + 0, name, name, number + 0]
    const cursor = encodeCursor(place)
    assert.deepEqual(decodeCursor(cursor, 'nssn'), JSON.parse(JSON.stringify(place)))
    assert.equal(asked(() => decodeCursor(cursor, 'ssnn')), null)
    const from = at % cursor.length
    const changed = asked(() => decodeCursor(cursor.slice(0, from) + c + cursor.slice(from + 1), 'nssn'))
    assert(changed === null || (typeof changed[0] === 'number' && typeof changed[1] === 'string' && changed.length === 4))
  }),
  law('the id of a live event leads to its place', 80, [fc.array(seq, { minLength: 9, maxLength: 9 }), fc.nat(8), fc.integer({ min: -1, max: 2 ** 31 })], (vector, stream, row) => {
    const id = encodeId('38908c9b', { vector, stream, row })
    assert.deepEqual(decodeId('38908c9b', id, 8), { vector, stream: row < 0 ? 0 : stream, row })
    assert.equal(decodeId('38908c9c', id, 8), null)
    assert.equal(decodeId('38908c9b', id, 7), null)
  }),
  law('any text is the id of a whole place or none', 80, [fc.oneof(text, fc.string({ unit: fc.constantFrom(...'0123abcz.-'), maxLength: 40 }).map((s) => `38908c9b-${s}`))], (id) => {
    const place = decodeId('38908c9b', id, 2)
    if (place === null) return
    assert(place.vector.length === 3 && place.stream <= 2 && [...place.vector, place.stream].every((n) => Number.isSafeInteger(n) && n >= 0) && Number.isSafeInteger(place.row))
  }),
  law('no header opens but the one with the key', 40, [fc.oneof(text, text.map((t) => `Bearer ${t}`)), fc.nat(200), fc.constantFrom(...'aZ0 _\n')], async (header, at, c) => {
    const { keyring, secret } = await rung
    assert.equal(keyring.authenticate(header), null)
    const from = at % secret.length
    const changed = secret.slice(0, from) + c + secret.slice(from + 1)
    assert.equal(keyring.authenticate(`Bearer ${changed}`) === null, changed !== secret)
    assert(keyring.authenticate(`bearer  ${secret} `) !== null)
  }),
  law('the name of a snapshot says what it is of, and no other text does', 40, [fc.nat(), fc.nat(), seq, text], (partition, epoch, at, other) => {
    const name = snapshotName('partition', { partition, epoch, position: { created: 'c', seq: at, timeMs: 1 } })
    assert.deepEqual(parseSnapshotName('partition', name), { partition, epoch, seq: at })
    assert.equal(parseSnapshotName('part', name), null)
    const parsed = parseSnapshotName('partition', `partition.${other}`)
    assert(parsed === null || (/^\d+\.\d+\.\d+$/.test(other)))
  }),
]
