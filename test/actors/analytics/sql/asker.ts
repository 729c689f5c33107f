/** A house whose lake holds two tenants in the same segments, with rows that are still fresh; and hands to ask it by SQL. */

import type { DuckDBConnection } from '@duckdb/node-api'
import { DuckDBInstance } from '@duckdb/node-api'
import { columnsSql } from '../../../../actors/store/tables.ts'
import { House, T0, windowRow } from '../house.ts'
import type { NamedAnomaly, NamedWindow } from '../house.ts'

/** What the other tenant's rows can be told by, in any answer. */
export const SECRET = 'SECRET'
export const SECRET_VALUE = 777_777

export interface Answer {
  readonly status: number
  readonly text: string
  readonly json: any
}

export class Asker {
  readonly house: House
  constructor(house: House) {
    this.house = house
  }

  async response(sql: string, options: { key?: string; path?: string; headers?: Record<string, string>; signal?: AbortSignal } & Record<string, unknown> = {}): Promise<Response> {
    const { key = 'default analyst', path = '/v1/sql', headers, signal, ...body } = options
    return this.house.analytics.app.request(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.house.keys[key]}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ sql, ...body }),
      signal,
    })
  }

  async ask(sql: string, options: Parameters<Asker['response']>[1] = {}): Promise<Answer> {
    const answer = await this.response(sql, options)
    const text = await answer.text()
    return { status: answer.status, text, json: /json/.test(answer.headers.get('content-type') ?? '') && !/ndjson/.test(answer.headers.get('content-type')!) ? JSON.parse(text) : null }
  }

  /** The rows of a good query, a row an array. */
  async rows(sql: string, options: Parameters<Asker['response']>[1] = {}): Promise<any[][]> {
    const { status, json, text } = await this.ask(sql, options)
    if (status !== 200) throw new Error(`${sql}: ${text}`)
    return json.rows.map((row: object) => Object.values(row))
  }
}

const DEVICES = ['field-1/probe-1', 'field-1/probe-2', 'field-2/probe-1', 'tank']
const METRICS = ['moisture', 'temperature']

/** Rows of both tenants: some sealed in two segments, some fresh. `plain` holds the first tenant's rows alone. */
export async function askerWithRows(sql: { memoryMiB?: number; rssMaxMiB?: number } = {}): Promise<{ asker: Asker; plain: DuckDBConnection; close: () => Promise<void> }> {
  const house = await House.open({ sql })
  const instance = await DuckDBInstance.create(':memory:')
  const plain = await instance.connect()
  await plain.run("SET TimeZone='UTC'")
  for (const table of ['readings', 'windows', 'anomalies', 'rejects'] as const) await plain.run(`CREATE TABLE ${table} (${columnsSql(table)})`)
  for (let part = 0; part < 3; part++) {
    const rows = DEVICES.flatMap((device, d) =>
      METRICS.flatMap((metric, m) => Array.from({ length: 40 }, (_, i) => ({ device, metric, ts: T0 + part * 3_600_000 + i * 60_000 + d * 1_000, value: Math.round(1_000 * Math.sin(d + m + i / 5 + part)) / 100 }))),
    )
    const windows: NamedWindow[] = rows.map((row) => windowRow(row.device, Math.floor(row.ts / 60_000) * 60_000, [row.value], { metric: row.metric }))
    const anomalies: NamedAnomaly[] = rows.filter((_, i) => i % 29 === part).map((row) => ({ device: row.device, metric: row.metric, ts: row.ts, value: row.value, score: 0.9, expected: 1, lower: 0, upper: 2, reason: `"odd", as it is ${row.value}` }))
    for (const row of rows) await plain.run(`INSERT INTO readings VALUES ('default', $1, $2, make_timestamp(${row.ts * 1000}), ${row.value}, NULL)`, [row.device, row.metric])
    for (const w of windows) {
      await plain.run(`INSERT INTO windows VALUES ('default', $1, $2, INTERVAL 1 MINUTE, make_timestamp(${w.start * 1000}), 1, ${w.sum}, ${w.min}, ${w.max}, ${w.sum}, NULL, ${w.first}, ${w.last}, ${w.p50}, ${w.p95}, ${w.p99}, 'watermark', NULL, 0)`, [w.device, w.metric])
    }
    for (const a of anomalies) await plain.run(`INSERT INTO anomalies VALUES ('default', $1, $2, make_timestamp(${a.ts * 1000}), ${a.value}, 0.9, 1, 0, 2, $3, NULL, NULL)`, [a.device, a.metric, a.reason])
    await house.post(rows)
    const others = rows.map((row, i) => ({ ...row, device: `${SECRET}-${i % 5}`, value: SECRET_VALUE + (i % 3) }))
    await house.post(others, 'other')
    await house.commit({ windows, anomalies })
    await house.commit({
      tenant: 'other',
      empty: [],
      windows: others.map((row) => windowRow(row.device, Math.floor(row.ts / 60_000) * 60_000, [row.value], { metric: row.metric })),
      anomalies: [{ device: `${SECRET}-0`, metric: 'moisture', ts: T0, value: SECRET_VALUE, score: 1, expected: 1, lower: 0, upper: 2, reason: SECRET }],
    })
    // The last part stays fresh.
    if (part < 2) await house.seal()
  }
  return {
    asker: new Asker(house),
    plain,
    close: async () => {
      plain.closeSync()
      instance.closeSync()
      await house.close()
    },
  }
}
