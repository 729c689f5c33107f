/** The formats of a request's body by their media types, and the one way into their parsers. */

import { parseJson, parseNdjson } from './parse-json.ts'
import { parseLines } from './parse-lines.ts'
import type { Precision } from './parse-lines.ts'
import { parseMsgpack } from './parse-msgpack.ts'
import { parseSenmlCbor, parseSenmlJson } from './parse-senml.ts'
import type { Batch } from './validate.ts'

export type Format = 'json' | 'ndjson' | 'msgpack' | 'senml+json' | 'senml+cbor' | 'lines'

const MEDIA_TYPES = new Map<string, Format>([
  ['application/json', 'json'],
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['application/msgpack', 'msgpack'],
  ['application/vnd.msgpack', 'msgpack'],
  ['application/x-msgpack', 'msgpack'],
  ['application/senml+json', 'senml+json'],
  ['application/senml+cbor', 'senml+cbor'],
])

/** The media types of `POST /v1/readings`, for the one who sent another. */
export const MEDIA_TYPES_TOLD = 'application/json, application/x-ndjson, application/msgpack, application/senml+json, application/senml+cbor'

/** The format of a `Content-Type`, its parameters aside, or null where it is none that Weir reads. */
export function formatOf(contentType: string): Format | null {
  const known = MEDIA_TYPES.get(contentType)
  if (known !== undefined) return known
  return MEDIA_TYPES.get(contentType.split(';', 1)[0].trim().toLowerCase()) ?? null
}

/** Parses and validates a body into `batch`, which was reset for it. Never throws on what a client sent. */
export function parseBody(format: Format, body: Buffer, batch: Batch, precision: Precision = 'ns'): void {
  switch (format) {
    case 'json':
      return parseJson(textOf(body), batch)
    case 'ndjson':
      return parseNdjson(textOf(body), batch)
    case 'msgpack':
      return parseMsgpack(body, batch)
    case 'senml+json':
      return parseSenmlJson(textOf(body), batch)
    case 'senml+cbor':
      return parseSenmlCbor(body, batch)
    case 'lines':
      return parseLines(textOf(body), batch, precision)
  }
}

/** The body as text, without a byte order mark. Bytes that are no UTF-8 become U+FFFD, which no name may hold. */
function textOf(body: Buffer): string {
  const from = body.length >= 3 && body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0
  return body.toString('utf8', from)
}
