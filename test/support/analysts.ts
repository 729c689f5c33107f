/**
 * Analysts' programs as one process: each opens the lake anew, by `weir.duckdb` or by `open.sql` from inside the folder, asks, asks the same
 * again, and closes. Every manifest of the lake must be settled, so that its windows count its readings.
 *
 * Arguments: folder of the lake, opens, and how many at a time. Prints an `AnalystsReport`.
 */

import { DuckDBInstance } from '@duckdb/node-api'
import { readFileSync } from 'node:fs'
import process from 'node:process'

export interface AnalystsReport {
  readonly opens: number
  readonly errors: readonly string[]
  /** Opens in which two answers did not fit each other. */
  readonly torn: readonly string[]
  /** The longest of them, ms, and all together. */
  readonly longestMs: number
  readonly tookMs: number
}

const QUESTIONS = [
  'SELECT count(*)::INT AS n FROM readings',
  'SELECT coalesce(sum(count), 0)::INT AS n FROM windows WHERE size = INTERVAL 1 MINUTE',
  'SELECT (SELECT count(*) FROM readings)::INT AS n, (SELECT count(*) FROM anomalies)::INT AS a',
  'SELECT count(*)::INT AS n FROM readings',
]

const [folder, opens, atOnce] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
process.chdir(folder)
const errors: string[] = []
const torn: string[] = []
let longestMs = 0
let left = opens

async function open(byScript: boolean): Promise<void> {
  const began = performance.now()
  const instance = byScript ? await DuckDBInstance.create(':memory:') : await DuckDBInstance.create('weir.duckdb', { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  try {
    if (byScript) await connection.run(readFileSync('open.sql', 'utf8'))
    const answers: number[] = []
    for (const sql of QUESTIONS) answers.push((await connection.runAndReadAll(sql)).getRowObjectsJson()[0].n as number)
    if (new Set(answers).size !== 1) torn.push(answers.join(' '))
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
  longestMs = Math.max(longestMs, performance.now() - began)
}

const began = performance.now()
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (left-- > 0) await open(left % 2 === 0).catch((error) => errors.push(String(error)))
  }),
)
process.stdout.write(JSON.stringify({ opens, errors: errors.slice(0, 5), torn: torn.slice(0, 5), longestMs, tookMs: performance.now() - began } satisfies AnalystsReport))
