/** What a page of the dashboard is given, and what it gives: each page's module exports `open`. */

import type { AlertWatch } from './alerts/watch.ts'
import type { Api } from './api.ts'
import type { Monitor } from './monitor.ts'
import type { Units } from './units.ts'

export interface Context {
  readonly api: Api
  readonly units: Units
  readonly monitor: Monitor
  readonly alerts: AlertWatch
  /** Goes to an address of the dashboard by the reader's will: a step of the history. */
  go(href: string): void
  /** Writes what is shown into the address; the page shows it already. `push` makes it a step of the history. */
  note(href: string, how: 'push' | 'replace'): void
}

export interface Page {
  /** Shows what the query of the address asks for: at first, and after each step through the history. */
  show(query: URLSearchParams): void
  /** Every second, while the tab is in sight. */
  tick?(): void
  /** The colours changed. */
  recolour?(): void
  /** The tab has been hidden for a while, and is seen again: streams are let go, and taken up. */
  pause?(): void
  resume?(): void
  /** Another page takes its place. */
  leave(): void
}

export type OpenPage = (host: HTMLElement, context: Context) => Page

/** An address with a query. Slashes and colons stand in it as they are: device names are full of them. Null and empty values are left out. */
export function address(path: string, values: Record<string, string | null | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) if (value) query.set(name, value)
  const text = query.toString().replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%2C', ',')
  return text === '' ? path : `${path}?${text}`
}
