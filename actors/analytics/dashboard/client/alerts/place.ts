/** What of the alerts is in view, as the address holds it. Pure. */

import { address } from '../page.ts'

export const SHOWS = [
  { value: 'open', label: 'Open' },
  { value: 'resolved', label: 'Over' },
  { value: 'all', label: 'All' },
] as const
export type Show = (typeof SHOWS)[number]['value']

export interface Place {
  readonly show: Show
  /** These are empty for any. */
  readonly severity: string
  readonly prefix: string
  readonly rule: string
  /** The alert whose history is open; empty for none. */
  readonly id: string
}

export function readPlace(query: URLSearchParams): Place {
  const text = (name: string) => query.get(name) ?? ''
  return { show: SHOWS.find(({ value }) => value === query.get('state'))?.value ?? 'open', severity: text('severity'), prefix: text('prefix'), rule: text('rule'), id: text('id') }
}

export function placeAddress({ show, severity, prefix, rule, id }: Place): string {
  return address('/alerts', { state: show === 'open' ? null : show, severity, prefix, rule, id })
}
