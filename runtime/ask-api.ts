/** Asks the interface of a running system, for commands that edit through it: what it refuses is said in its own words. */

import { readAdminKey } from './admin-key.ts'
import { OperatingError } from './errors.ts'

export interface ApiAccess {
  /** Edge or store. */
  readonly url: string
  /** Null: the one in `<data>/admin.key`. */
  readonly key: string | null
  readonly data: string
  /** The revision that must still hold, 0 for none yet; null for any. */
  readonly revision: number | null
}

/** The answer, parsed; null where it is empty. `body` is JSON. Throws `OperatingError` `config`. */
export async function askApi({ url, key, data, revision }: ApiAccess, method: string, path: string, body?: string): Promise<unknown> {
  const headers: Record<string, string> = { authorization: `Bearer ${key ?? (await readAdminKey(data))}` }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (revision === 0) headers['if-none-match'] = '*'
  else if (revision !== null) headers['if-match'] = `"${revision}"`
  let answer: Response
  try {
    answer = await fetch(new URL(path, url), { method, headers, body })
  } catch (cause) {
    throw new OperatingError('config', `Cannot reach ${url} as a system must run there: ${String((cause as Error).cause ?? cause)}`, { cause })
  }
  const text = await answer.text()
  if (answer.ok) return text === '' ? null : JSON.parse(text)
  throw new OperatingError('config', problemIn(text) ?? `${url} answered ${answer.status}`)
}

function problemIn(text: string): string | null {
  try {
    return (JSON.parse(text) as { detail?: string }).detail ?? null
  } catch {
    return null
  }
}

/** Rows of cells as text, in columns. */
export function columnsOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd()).join('\n')
}
