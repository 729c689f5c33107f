/** The pages of the dashboard: the server makes the navigation of them, the client loads a page's module when it is first opened. Pure. */

export interface PageInfo {
  /** Its folder under client/, with a page.ts in it. */
  readonly name: string
  readonly path: string
  readonly label: string
  /** Whether the navigation names it; a device's page is come to by its name. */
  readonly listed: boolean
}

export const PAGES: readonly PageInfo[] = [
  { name: 'fleet', path: '/', label: 'Fleet', listed: true },
  { name: 'device', path: '/device', label: 'Device', listed: false },
  { name: 'patterns', path: '/patterns', label: 'Patterns', listed: true },
  { name: 'explore', path: '/explore', label: 'Explore', listed: true },
  { name: 'system', path: '/system', label: 'System', listed: true },
  { name: 'units', path: '/units', label: 'Units', listed: true },
]

/** The page at a path; null where there is none. */
export function pageAt(path: string): PageInfo | null {
  return PAGES.find((page) => page.path === path) ?? null
}
