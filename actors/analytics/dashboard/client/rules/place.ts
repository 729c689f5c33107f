/** Which rule is in view, and on how much of the past it is tried, as the address holds it. Pure. */

import { address } from '../page.ts'
import { KINDS } from './form.ts'
import type { Kind } from './form.ts'

export const RANGES = [
  { value: '1d', label: '1 day' },
  { value: '7d', label: '7 days' },
  { value: '30d', label: '30 days' },
] as const
export type Range = (typeof RANGES)[number]['value']

export interface Place {
  /** Empty: the list of them, or a new one. */
  readonly id: string
  /** A new rule begins as one of these; null for none. */
  readonly begin: Kind | null
  /** Null: not tried. */
  readonly tried: Range | null
}

export function readPlace(query: URLSearchParams): Place {
  const id = query.get('id') ?? ''
  return {
    id,
    begin: id === '' ? (KINDS.find(({ value }) => value === query.get('new'))?.value ?? null) : null,
    tried: RANGES.find(({ value }) => value === query.get('try'))?.value ?? null,
  }
}

export function placeAddress({ id, begin, tried }: Place): string {
  return address('/rules', { id, new: begin, try: tried })
}
