/** Where one is in the explorer, as the address says it: the query, and how its answer is shown. Pure. */

import { address } from '../page.ts'

export interface Place {
  readonly sql: string
  readonly shown: 'table' | 'plot'
  /** What the reader chose for the plot; null or empty: as it fits. */
  readonly x: string | null
  readonly y: readonly string[]
  readonly by: string | null
  readonly kind: 'line' | 'bars' | null
}

export function readPlace(query: URLSearchParams): Place {
  const kind = query.get('kind')
  return {
    sql: query.get('sql') ?? '',
    shown: query.get('as') === 'plot' ? 'plot' : 'table',
    x: query.get('x'),
    y: query.getAll('y').flatMap((text) => text.split('\t')).filter((name) => name !== ''),
    by: query.get('by'),
    kind: kind === 'line' || kind === 'bars' ? kind : null,
  }
}

export function placeAddress({ sql, shown, x, y, by, kind }: Place): string {
  return address('/explore', { sql, as: shown === 'plot' ? 'plot' : null, x, y: y.join('\t'), by, kind })
}
