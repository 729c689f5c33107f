/**
 * Answers of the analytics API: a list of rows as JSON, NDJSON, CSV, Arrow or Parquet, times as the request wants them, and the cursor.
 *
 * Owns formats and their negotiation, and the wording of a bad parameter. Leaves what the rows are to the queries.
 */

import type { Context } from 'hono'
import { problem } from '../../../runtime/http.ts'
import type { Lake } from '../data/lake.ts'
import { formatTime } from '../data/times.ts'

export const FORMATS = ['json', 'csv', 'ndjson', 'arrow', 'parquet'] as const
export type Format = (typeof FORMATS)[number]

/** Formats of lists beside JSON, and their types. */
export const LIST_FORMATS = {
  csv: 'text/csv; charset=utf-8; header=present',
  ndjson: 'application/x-ndjson; charset=utf-8',
  arrow: 'application/vnd.apache.arrow.stream',
  parquet: 'application/vnd.apache.parquet',
} as const satisfies Partial<Record<Format, string>>

const TYPES: Readonly<Record<string, Format>> = {
  'application/json': 'json',
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/vnd.apache.arrow.stream': 'arrow',
  'application/vnd.apache.parquet': 'parquet',
}

/** A request that can't be answered as it is. */
export class ParameterError extends Error {
  readonly parameter: string

  /** `must` completes "… must be"; `current` is what was sent. */
  constructor(parameter: string, must: string, current: string) {
    super(`Cannot use ${parameter} as it must be ${must}: current value is ${JSON.stringify(current)}`)
    this.name = 'ParameterError'
    this.parameter = parameter
  }
}

export function badParameter(error: ParameterError): Response {
  return problem(null, { status: 400, title: 'Bad parameter', detail: error.message, extra: { parameter: error.parameter } })
}

/** The format wanted: `format=`, else the first of `Accept` that is there; null where none of what is asked for is there. */
export function formatOf(c: Context, parameter: string | undefined): Format | null {
  if (parameter !== undefined && parameter !== '') return (FORMATS as readonly string[]).includes(parameter) ? (parameter as Format) : null
  const accept = c.req.header('accept')
  if (accept === undefined || accept.trim() === '') return 'json'
  const ranges = accept
    .split(',')
    .map((part) => {
      const [type, ...parameters] = part.split(';').map((p) => p.trim().toLowerCase())
      const q = parameters.find((p) => p.startsWith('q='))
      return { type, q: q === undefined ? 1 : Number(q.slice(2)) }
    })
    .filter((range) => range.q > 0)
    .sort((a, b) => b.q - a.q)
  for (const { type } of ranges) {
    const format = TYPES[type]
    if (format !== undefined) return format
    if (type === '*/*' || type === 'application/*') return 'json'
    if (type === 'text/*') return 'csv'
  }
  return null
}

/** What is answered where none of the formats asked for is there; `there` are those that are. */
export function notAcceptable(there: readonly string[]): Response {
  const detail = `The formats of this path are ${there.join(', ')}. Ask for one by format=, or by Accept with its type.`
  return problem(null, { status: 406, title: 'No such format', detail, extra: { formats: there } })
}

/** A column of a list. Times are epoch ms; counts are whole. */
export interface ColumnSpec {
  readonly name: string
  readonly kind: 'text' | 'number' | 'count' | 'time' | 'flag'
}

export const textColumn = (name: string): ColumnSpec => ({ name, kind: 'text' })
export const numberColumn = (name: string): ColumnSpec => ({ name, kind: 'number' })
export const countColumn = (name: string): ColumnSpec => ({ name, kind: 'count' })
/** True, false, or null. */
export const flagColumn = (name: string): ColumnSpec => ({ name, kind: 'flag' })
export const timeColumn = (name: string): ColumnSpec => ({ name, kind: 'time' })

export interface Listing {
  /** Name of the list in JSON. */
  readonly name: string
  readonly columns: readonly ColumnSpec[]
  /** A row an array, in the order of the columns. Changed in place. */
  readonly rows: unknown[][]
  readonly cursor: string | null
}

/** How a list is wanted. The lake makes Parquet. */
export interface Form {
  readonly format: Format
  readonly timeMs: boolean
  readonly lake: Pick<Lake, 'parquet'>
}

/** The type of an answer in a format. */
export function contentTypeOf(format: Format): string {
  return format === 'json' ? 'application/json; charset=utf-8' : LIST_FORMATS[format]
}

/** A list in the form wanted. Beside JSON the cursor is in the headers: `X-Next-Cursor`, and `Link` with rel=next. */
export async function listReply(c: Context, listing: Listing, { format, timeMs, lake }: Form): Promise<Response> {
  const { name, columns, rows, cursor } = listing
  const headers: Record<string, string> = { 'content-type': contentTypeOf(format), 'cache-control': 'no-store' }
  if (cursor !== null) {
    const next = new URL(c.req.url)
    next.searchParams.set('cursor', cursor)
    headers['x-next-cursor'] = cursor
    headers.link = `<${next.pathname}${next.search}>; rel="next"`
  }
  if (format === 'parquet') return c.body(await lake.parquet(columns, rows, { timeMs }), 200, headers)
  if (format === 'arrow') {
    const { arrowList } = await import('./arrow.ts')
    return c.body(arrowList(columns, rows, { timeMs }), 200, headers)
  }
  if (!timeMs) {
    for (const [at, { kind }] of columns.entries()) {
      if (kind === 'time') for (const row of rows) row[at] = formatTime(row[at] as number | null)
    }
  }
  if (format === 'json') return c.body(JSON.stringify({ [name]: objects(columns, rows), cursor }), 200, headers)
  if (format === 'ndjson') return c.body(objects(columns, rows).map((row) => `${JSON.stringify(row)}\n`).join(''), 200, headers)
  return c.body(csv(columns, rows), 200, headers)
}

function objects(columns: readonly ColumnSpec[], rows: readonly unknown[][]): Record<string, unknown>[] {
  return rows.map((row) => {
    const object: Record<string, unknown> = {}
    for (let i = 0; i < columns.length; i++) object[columns[i].name] = row[i]
    return object
  })
}

/** RFC 4180, with a header line. */
function csv(columns: readonly ColumnSpec[], rows: readonly unknown[][]): string {
  const lines = new Array<string>(rows.length + 1)
  lines[0] = columns.map((column) => column.name).join(',')
  for (const [i, row] of rows.entries()) lines[i + 1] = row.map(field).join(',')
  return `${lines.join('\r\n')}\r\n`
}

function field(value: unknown): string {
  if (value === null || value === undefined || (typeof value === 'number' && !Number.isFinite(value))) return ''
  const written = String(value)
  return /[",\r\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written
}

/** A cursor: where a page ended, as text that only this server reads. */
export function encodeCursor(place: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** The place of a cursor whose parts are of `shape`: `s` a string, `n` a number. */
export function decodeCursor(cursor: string | undefined, shape: string): any[] | null {
  if (cursor === undefined || cursor === '') return null
  let place: unknown
  try {
    place = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    place = null
  }
  const right =
    Array.isArray(place) &&
    place.length === shape.length &&
    place.every((part, i) => (shape[i] === 's' ? typeof part === 'string' : typeof part === 'number' && Number.isFinite(part)))
  if (!right) throw new ParameterError('cursor', 'the cursor of the page before, of the same request', cursor)
  return place as any[]
}
