/** The pages of the dashboard: the server makes the navigation of them, the client loads a page's module when it is first opened. Pure. */

export interface PageInfo {
  /** Its folder under client/, with a page.ts in it. */
  readonly name: string
  readonly path: string
  readonly label: string
  /** Whether the navigation names it; a device's page is come to by its name. */
  readonly listed: boolean
  /** The page that it belongs to: where there is little room, the navigation names that one alone, and it stands beside it. */
  readonly under?: string
}

export const PAGES: readonly PageInfo[] = [
  { name: 'fleet', path: '/', label: 'Fleet', listed: true },
  { name: 'device', path: '/device', label: 'Device', listed: false },
  { name: 'plots', path: '/plots', label: 'Plots', listed: true, under: 'fleet' },
  { name: 'alerts', path: '/alerts', label: 'Alerts', listed: true },
  { name: 'rules', path: '/rules', label: 'Rules', listed: true, under: 'alerts' },
  { name: 'patterns', path: '/patterns', label: 'Patterns', listed: true },
  { name: 'explore', path: '/explore', label: 'Explore', listed: true },
  { name: 'system', path: '/system', label: 'System', listed: true },
  { name: 'units', path: '/units', label: 'Units', listed: true, under: 'system' },
]

/** The page at a path; null where there is none. */
export function pageAt(path: string): PageInfo | null {
  return PAGES.find((page) => page.path === path) ?? null
}

/** The pages of a part: one that others stand under, and these; none where it is by itself. */
export function partOf({ name, under }: PageInfo): readonly PageInfo[] {
  const head = under ?? name
  const part = PAGES.filter((page) => page.listed && (page.name === head || page.under === head))
  return part.length > 1 ? part : []
}
