/**
 * Grafana without Grafana: what its plugin Infinity does of a query of a dashboard, from variables to the columns of a frame, as the plugin's
 * own backend does it (version 3.11: request.go, headers.go, rootselector.go, jsonframer.go).
 *
 * Leaves out what the dashboards of Weir do not use. A selector in jq is run by the real jq, where there is one.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../../deploy/grafana')

interface Pair {
  readonly key: string
  readonly value: string
}

export interface Column {
  readonly selector: string
  readonly text: string
  readonly type: 'string' | 'number' | 'timestamp_epoch'
}

export interface InfinityQuery {
  readonly refId: string
  readonly type: 'json'
  readonly source: 'url'
  readonly parser: 'backend' | 'jq-backend'
  readonly format: string
  readonly url: string
  readonly url_options: { readonly method: 'GET' | 'POST'; readonly params: readonly Pair[]; readonly body_content_type?: string; readonly data?: string }
  readonly root_selector: string
  readonly columns: readonly Column[]
}

export interface Datasource {
  readonly type: string
  readonly uid: string
}

export interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly datasource: Datasource
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets: readonly (InfinityQuery & { readonly expr?: string })[]
  readonly fieldConfig: { readonly overrides: readonly { readonly matcher: { readonly id: string; readonly options: string } }[] }
  readonly transformations?: readonly { readonly id: string; readonly options: { readonly indexByName?: Record<string, number> } }[]
}

export interface Variable {
  readonly name: string
  readonly type: string
  readonly current: { readonly value: string }
  readonly query: string | { readonly infinityQuery: InfinityQuery }
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
  readonly annotations: { readonly list: readonly { readonly name: string; readonly filter: { readonly ids: readonly number[] }; readonly target: InfinityQuery }[] }
}

export function dashboard(name: string): Dashboard {
  return JSON.parse(readFileSync(join(folder, 'dashboards', `${name}.json`), 'utf8')) as Dashboard
}

/** A file of provisioning, with variables of the environment put in as Grafana does. */
export function provisioned(path: string, env: Readonly<Record<string, string>>): string {
  return put(readFileSync(join(folder, 'provisioning', path), 'utf8'), env)
}

/** `$name` and `${name}` by their values; what has none stays as it is. */
export function put(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced: string | undefined, bare: string | undefined) => values[braced ?? bare!] ?? all)
}

/** The macro of the plugin: of pairs of a duration and a value the first that the range is no longer than, else the last value. */
function customInterval(text: string, rangeMs: number): string {
  const unitsMs: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 }
  return text.replaceAll(/\$__customInterval\((.*?)\)/g, (_, list: string) => {
    const words = list.split(',')
    for (let i = 0; i + 1 < words.length; i += 2) {
      const [, count, unit] = /^(\d+)([mhd])$/.exec(words[i])!
      if (rangeMs <= Number(count) * unitsMs[unit]) return words[i + 1]
    }
    return words.at(-1)!
  })
}

/** A frame: a list of values for each column that the query names. */
export type Frame = Record<string, (string | number | Date | null)[]>

export interface Grafana {
  readonly url: string
  readonly bearerToken: string
  readonly from: number
  readonly to: number
}

/**
 * Sends a query as the plugin's backend does, and frames the answer; null where the rows are selected by jq, and there is none. Throws what
 * Grafana would show as an error.
 */
export async function ask({ url, bearerToken, from, to }: Grafana, query: InfinityQuery, variables: Readonly<Record<string, string>>): Promise<Frame | null> {
  const values = { ...variables, __from: String(from), __to: String(to) }
  const text = (of: string) => customInterval(put(of, values), to - from)
  const { method, params, data, body_content_type: type } = query.url_options
  const search = new URLSearchParams(params.map(({ key, value }) => [key, text(value)]))
  const headers: Record<string, string> = { accept: 'application/json;q=0.9,text/plain', 'accept-encoding': 'gzip', authorization: `Bearer ${bearerToken}` }
  if (method === 'POST') headers['content-type'] = type!
  const answer = await fetch(`${url}${text(query.url)}?${search}`, { method, headers, body: method === 'POST' ? text(data!) : undefined })
  const body = await answer.text()
  if (answer.status >= 400) throw new Error(`${query.url}?${search}: ${answer.status} ${body}`)
  if (query.parser === 'jq-backend' && !hasJq) return null
  const rows = select(JSON.parse(body), query)
  return Object.fromEntries(query.columns.map((column) => [column.text, rows.map((row) => cell(at(row, column.selector), column))]))
}

export const hasJq = spawnSync('jq', ['--version']).status === 0

function select(answer: unknown, { parser, root_selector }: InfinityQuery): unknown[] {
  const rows = parser === 'backend' ? at(answer, root_selector) : (JSON.parse(execFileSync('jq', ['-c', root_selector], { input: JSON.stringify(answer), encoding: 'utf8', maxBuffer: 1 << 26 })) as unknown)
  if (!Array.isArray(rows)) throw new Error(`The root selector ${root_selector} finds no list.`)
  return rows
}

/** A path of names with dots between, the part of gjson that the dashboards use. */
function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((of, name) => (of as Record<string, unknown> | null | undefined)?.[name], value)
}

/** A value as its column's type has it; throws where the plugin would show nothing. */
function cell(value: unknown, { type, text }: Column): string | number | Date | null {
  if (value === null || value === undefined) return null
  if (typeof value !== (type === 'string' ? 'string' : 'number')) throw new Error(`${text} must be of type ${type}: current value is ${JSON.stringify(value)}`)
  return type === 'timestamp_epoch' ? new Date(value as number) : (value as string | number)
}
