/**
 * InfluxDB line protocol: `measurement,tag=a,tag=b field=1,field=2i 1767225600000000000`.
 *
 * What a line's device and metric are:
 * - a tag `device` (or `device_id`): it is the device, and a field is a metric; other tags are not kept;
 * - else a tag `host`, as Telegraf's own readings have it: the device is `host`, then each other tag's value in order of the tags'
 *   names, joined by `/`; the metric is `measurement.field`, since one host speaks of many things;
 * - else: the device is the measurement, then each tag's value as above; a field is a metric.
 * In the latter two, characters that no device may have become `_`, for such names are made by machines and may hold anything.
 *
 * Fields are numbers, integers (`i`, `u`), booleans; a field of text is rejected and costs only itself. An item is a line that is
 * not blank and no comment; a line break within quotes belongs to its line.
 *
 * Source: docs.influxdata.com, "Line protocol".
 */

import { quote } from './validate.ts'
import type { Batch } from './validate.ts'

export const PRECISIONS = ['ns', 'us', 'ms', 's'] as const
export type Precision = (typeof PRECISIONS)[number]

// Written so that no digit can be matched in two ways: a long one that is no number must not take time by its square.
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const INTEGER = /^([+-]?\d+)[iu]$/
const TRUE = new Set(['t', 'T', 'true', 'True', 'TRUE'])
const FALSE = new Set(['f', 'F', 'false', 'False', 'FALSE'])

export function parseLines(text: string, batch: Batch, precision: Precision): void {
  let from = 0
  let index = 0
  /** Where the next quote stands: looked for once a quote, not once a line. */
  let quoteAt = -1
  while (from < text.length && !batch.tooMany) {
    if (quoteAt < from) quoteAt = indexOr(text, '"', from)
    const lineEnd = indexOr(text, '\n', from)
    const to = quoteAt > lineEnd ? lineEnd : endOfQuoted(text, from, lineEnd)
    const line = text.slice(from, to).trim()
    from = to + 1
    if (line === '' || line.startsWith('#')) continue
    addLine(line, index, batch, precision)
    index++
  }
}

/** Where `mark` stands from `from` on, or the text's length. */
function indexOr(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from)
  return at === -1 ? text.length : at
}

/** The end of a line with quotes: a line break within them is a part of it, unless the quotes never close. */
function endOfQuoted(text: string, from: number, lineEnd: number): number {
  let open = false
  for (let i = from; i < text.length; i++) {
    const c = text[i]
    if (c === '\\') i++
    else if (c === '"') open = !open
    else if (c === '\n' && !open) return i
  }
  return open ? lineEnd : text.length
}

function addLine(line: string, index: number, batch: Batch, precision: Precision): void {
  // Head, fields and time are parted by spaces that no backslash escapes; in the fields, quotes protect spaces too.
  const headEnd = find(line, 0, ' ', false)
  const fieldsFrom = headEnd + countSpaces(line, headEnd)
  const fieldsEnd = find(line, fieldsFrom, ' ', true)
  const fields = line.slice(fieldsFrom, fieldsEnd)
  const time = line.slice(fieldsEnd).trim()
  if (headEnd === 0 || headEnd === line.length || fields === '') {
    return batch.reject(index, '', () => 'a line must be "measurement,tag=value field=value time".', line)
  }
  const [measurement, ...tagTexts] = split(line.slice(0, headEnd), ',', false)
  const tags: [string, string][] = []
  for (const tag of tagTexts) {
    const at = find(tag, 0, '=', false)
    if (at <= 0 || at >= tag.length - 1) return batch.reject(index, '', () => `a tag must be "name=value": current value is ${quote(tag)}.`, line)
    tags.push([unescape(tag.slice(0, at)), unescape(tag.slice(at + 1))])
  }
  const ts = timeOf(time, precision)
  const { device, prefix } = placeOf(unescape(measurement), tags)
  for (const field of split(fields, ',', true)) {
    if (batch.tooMany) return
    const at = find(field, 0, '=', false)
    const name = unescape(field.slice(0, at))
    const raw = field.slice(at + 1)
    if (at <= 0 || raw === '') {
      batch.reject(index, '', () => `a field must be "name=value": current value is ${quote(field)}.`, line)
      continue
    }
    batch.add(index, device, prefix + name, ts, fieldValue(raw), line, 'field')
  }
}

function placeOf(measurement: string, tags: [string, string][]): { device: string; prefix: string } {
  const own = tags.find(([name]) => name === 'device') ?? tags.find(([name]) => name === 'device_id')
  if (own !== undefined) return { device: own[1], prefix: '' }
  const host = tags.find(([name]) => name === 'host')
  const rest = tags.filter((tag) => tag !== host).sort(([a], [b]) => (a < b ? -1 : 1))
  const device = [host === undefined ? measurement : host[1], ...rest.map(([, value]) => value)].join('/')
  return { device: device.replace(/[^A-Za-z0-9._:/-]/g, '_'), prefix: host === undefined ? '' : `${measurement}.` }
}

/** A number, a boolean, or what it is instead, which validation rejects. */
function fieldValue(raw: string): unknown {
  if (NUMBER.test(raw)) return Number(raw)
  const integer = INTEGER.exec(raw)
  if (integer !== null) return Number(integer[1])
  if (TRUE.has(raw)) return true
  if (FALSE.has(raw)) return false
  return raw.startsWith('"') && raw.endsWith('"') ? raw.slice(1, -1) : raw
}

/** Epoch ms; undefined where the line has no time; the text itself where it is no integer. Finer digits are cut as text, since they exceed a double. */
function timeOf(text: string, precision: Precision): number | string | undefined {
  if (text === '') return undefined
  if (!/^-?\d{1,20}$/.test(text)) return `${text} (a time in line protocol is an integer)`
  if (precision === 's') return Number(text) * 1000
  if (precision === 'ms') return Number(text)
  const digits = precision === 'us' ? 3 : 6
  return Number(text.slice(0, -digits) || '0')
}

/** Where `mark` stands unescaped, and outside quotes where those count; else the text's length. */
function find(text: string, from: number, mark: string, quotes: boolean): number {
  let open = false
  for (let i = from; i < text.length; i++) {
    const c = text[i]
    if (c === '\\') i++
    else if (quotes && c === '"') open = !open
    else if (c === mark && !open) return i
  }
  return text.length
}

function split(text: string, mark: string, quotes: boolean): string[] {
  // Nothing escaped or quoted: the common case, and a fast one.
  if (!text.includes('\\') && !(quotes && text.includes('"'))) return text.split(mark)
  const pieces: string[] = []
  for (let from = 0; from <= text.length; ) {
    const to = find(text, from, mark, quotes)
    pieces.push(text.slice(from, to))
    from = to + 1
  }
  return pieces
}

function countSpaces(text: string, from: number): number {
  let count = 0
  while (text[from + count] === ' ') count++
  return count
}

function unescape(text: string): string {
  return text.includes('\\') ? text.replace(/\\([,= \\"])/g, '$1') : text
}
