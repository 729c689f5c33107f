/**
 * An answer as text, piece by piece: JSON, NDJSON, CSV.
 *
 * JSON is `{"columns":[{"name","type"}],"rows":[{…}],"truncated":false}`; NDJSON an object a line; CSV as RFC 4180 says, with a header line.
 */

import type { DuckDBDataChunk } from '@duckdb/node-api'
import { columnTexts, csvField, typeName } from './cells.ts'
import type { AnswerColumn } from './cells.ts'

/** Turns chunks of rows into an answer. */
export interface AnswerWriter {
  begin(): Uint8Array | string
  /** The first `rows` rows of a chunk. */
  add(chunk: DuckDBDataChunk, rows: number): Uint8Array | string
  /** `truncated`: there were more rows, which only JSON can say. */
  end(truncated: boolean): Uint8Array | string
}

export function textWriter(format: 'json' | 'ndjson' | 'csv', columns: readonly AnswerColumn[], timeMs: boolean): AnswerWriter {
  if (format === 'csv') return csvWriter(columns, timeMs)
  const keys = columns.map(({ name }, i) => `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)
  const row = objectRow(columns, keys, timeMs)
  if (format === 'ndjson') return { begin: () => '', add: (chunk, rows) => row(chunk, rows, '', '\n'), end: () => '' }
  let any = false
  return {
    begin: () => `{"columns":${JSON.stringify(columns.map(({ name, type }) => ({ name, type: typeName(type) })))},"rows":[`,
    add: (chunk, rows) => {
      const written = row(chunk, rows, '\n,', '')
      // The first row of all has no comma before it.
      const first = !any && rows > 0
      any ||= rows > 0
      return first ? written.slice(2) : written
    },
    end: (truncated) => `],"truncated":${truncated}}`,
  }
}

function objectRow(columns: readonly AnswerColumn[], keys: readonly string[], timeMs: boolean) {
  return (chunk: DuckDBDataChunk, rows: number, before: string, behind: string): string => {
    const texts = columns.map((column, at) => columnTexts(chunk, at, column, { timeMs, csv: false }))
    let written = ''
    for (let i = 0; i < rows; i++) {
      written += before
      for (let at = 0; at < keys.length; at++) written += keys[at] + texts[at][i]
      written += `}${behind}`
    }
    return written
  }
}

function csvWriter(columns: readonly AnswerColumn[], timeMs: boolean): AnswerWriter {
  return {
    begin: () => `${columns.map(({ name }) => csvField(name)).join(',')}\r\n`,
    add: (chunk, rows) => {
      const texts = columns.map((column, at) => columnTexts(chunk, at, column, { timeMs, csv: true }))
      let written = ''
      for (let i = 0; i < rows; i++) {
        for (let at = 0; at < texts.length; at++) written += (at === 0 ? '' : ',') + texts[at][i]
        written += '\r\n'
      }
      return written
    },
    end: () => '',
  }
}
