/** Sessions of parts: what is stored of each, and how those of several parts are joined. */

import { refuse } from './listed.ts'
import { some } from './tree.ts'
import type { Node } from './tree.ts'

/** What is stored of each session of a part: its series, its bounds; as k0 to k4. */
export const SESSION_PARTS = ['tenant', 'device', 'metric', 'session_start', 'session_end']

export function checkSessions(keys: readonly Node[], where: Node | null): void {
  const names = keys.map((key) => (key.class === 'COLUMN_REF' ? (key.column_names as string[])[0] : ''))
  const sound = names.every((name) => SESSION_PARTS.includes(name)) && ['device', 'metric', 'session_start'].every((name) => names.includes(name))
  if (!sound) throw refuse('a view of sessions has a row for each of them: it must be grouped by device, metric and session_start, and beside them by session_end and tenant at most')
  if (where !== null) checkUnbound(where)
}

/** Of a condition, or an aggregate. */
export function checkUnbound(node: Node): void {
  const isBound = (of: Node) => of.class === 'COLUMN_REF' && ['session_start', 'session_end'].includes((of.column_names as string[])[0])
  if (some(node, isBound)) throw refuse('where a session begins and ends is not known until all of its parts are together: session_start and session_end must not stand in WHERE, or within an aggregate')
}

/** Sessions of parts, joined where no gap is between them. */
export function joinedSessions(keys: readonly Node[], gap: string, sums: readonly string[]): string {
  const series = 'tenant, device, metric'
  const named = `SELECT * RENAME (${SESSION_PARTS.map((name, i) => `k${i} AS ${name}`).join(', ')}) FROM whole`
  const begins = `SELECT *, CASE WHEN session_start - max(session_end) OVER (PARTITION BY ${series} ORDER BY session_start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) <= ${gap} THEN 0 ELSE 1 END AS begins FROM (${named})`
  const numbered = `SELECT *, sum(begins) OVER (PARTITION BY ${series} ORDER BY session_start) AS session FROM (${begins})`
  const bounds: Readonly<Record<string, string>> = { session_start: 'min(session_start)', session_end: 'max(session_end)' }
  const shown = keys.map((key, i) => [(key.column_names as string[])[0], i] as const).map(([name, i]) => `${bounds[name] ?? name} AS k${i}`)
  return `SELECT ${[...shown, ...sums].join(', ')} FROM (${numbered}) GROUP BY ${series}, session`
}
