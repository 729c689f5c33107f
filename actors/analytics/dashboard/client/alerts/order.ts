/** Which alert comes first: what nobody looks after yet, then what is most severe, then what is newest. Pure. */

import type { AlertRow, AlertStep } from '../shapes.ts'

/** Severities are words of the rules' authors; of these one knows how severe they are, all others stand beside a warning. */
const RANKS: Readonly<Record<string, number>> = { emergency: 5, fatal: 5, critical: 4, error: 3, severe: 3, high: 3, major: 3, warning: 2, medium: 2, minor: 1, low: 1, notice: 1, info: 0, debug: 0 }
const RANK_OTHER = 2
const RANK_CRITICAL = 4
const STATES = ['open', 'acked', 'shelved', 'resolved']
/** Steps that say what is amiss; the others say what became of it. One that was put aside is taken up again by a person, or says it anew. */
const RAISING = new Set(['opened', 'reopened', 'escalated', 'eased', 'flapping'])
const saysAmiss = ({ event, person }: AlertStep) => RAISING.has(event) || (event === 'unshelved' && person === null)

export type Tone = 'bad' | 'warn' | 'info'

export const rankOf = (severity: string): number => RANKS[severity.toLowerCase()] ?? RANK_OTHER

export const isCritical = ({ severity }: { readonly severity: string }): boolean => rankOf(severity) >= RANK_CRITICAL

export function toneOf(severity: string): Tone {
  const rank = rankOf(severity)
  if (rank >= 3) return 'bad'
  return rank === 2 ? 'warn' : 'info'
}

/** In the order in which they want a look. */
export function inOrder(alerts: readonly AlertRow[]): AlertRow[] {
  const place = ({ state }: AlertRow) => (STATES.indexOf(state) < 0 ? 0 : STATES.indexOf(state))
  return [...alerts].sort((a, b) => place(a) - place(b) || (a.state === 'resolved' ? 0 : rankOf(b.severity) - rankOf(a.severity)) || since(b) - since(a) || (a.id < b.id ? -1 : 1))
}

/** The last step that says what is amiss. */
export function amiss({ history }: Pick<AlertRow, 'history'>): AlertStep {
  return history.findLast(saysAmiss) ?? history[0]
}

/** Since when it has been open; of what is resolved, since when it was. */
export function since({ history, opened_at }: Pick<AlertRow, 'history' | 'opened_at'>): number {
  return history.findLast(({ event }) => event === 'opened' || event === 'reopened')?.at ?? opened_at
}

/** The times in which it was open; the last one ends at `nowMs` where it still is. */
export function spansOf({ history }: Pick<AlertRow, 'history'>, nowMs: number): { from: number; to: number }[] {
  const spans: { from: number; to: number }[] = []
  let from: number | null = null
  for (const { event, at } of history) {
    if (event === 'resolved') {
      if (from !== null) spans.push({ from, to: at })
      from = null
    } else if (RAISING.has(event)) from ??= at
  }
  if (from !== null) spans.push({ from, to: Math.max(from, nowMs) })
  return spans
}
