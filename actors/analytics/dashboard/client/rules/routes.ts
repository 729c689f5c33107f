/**
 * Where alerts are sent: the routes, and how each fares. For admins alone, as they lead out of the system.
 *
 * Owns asking for them. Leaves words to route-words.ts, and writing one to route-dialog.ts.
 */

import { isRefusal } from '../api.ts'
import type { Api } from '../api.ts'
import { button, h, setText } from '../dom.ts'
import { ROUTE_KINDS, createRouteDialog } from './route-dialog.ts'
import { matchWords, statusWords, targetWords } from './route-words.ts'
import type { RouteRow } from './route-words.ts'

export interface Routes {
  readonly element: HTMLElement
  /** Asks for them anew. */
  refresh(): Promise<void>
  leave(): void
}

export function createRoutes(api: Api): Routes {
  const asked = new AbortController()
  const list = h('ul', { class: 'rules', id: 'routes' })
  const said = h('p', { class: 'muted', id: 'routes-said', role: 'status' })
  const dialog = createRouteDialog(api, () => void refresh())
  const element = h('section', { class: 'stack routes', 'aria-labelledby': 'routes-title', hidden: true },
    h('div', {}, h('h2', { id: 'routes-title' }, 'Where alerts are sent'), said), list,
    h('div', { class: 'rule-new' }, h('span', { class: 'muted small' }, 'Send to'), ...ROUTE_KINDS.map(([kind, label]) => button('quiet', label, () => dialog.open(kind), { 'data-kind': kind }))),
    dialog.element)
  let shown = ''

  async function refresh(): Promise<void> {
    try {
      const { routes } = await api.get<{ routes: RouteRow[] }>('/v1/routes', {}, asked.signal)
      show(routes)
    } catch (error) {
      if (asked.signal.aborted || isRefusal(error)) return
      setText(said, `Cannot show them: ${(error as Error).message}`)
    }
    element.hidden = false
  }

  /** Sends a message that says no more than that it is a test. */
  async function test({ id }: RouteRow): Promise<void> {
    setText(said, 'Sending a test…')
    try {
      const { delivered, error } = await api.send(`/v1/routes/${id}/test`, { method: 'POST' }).then((answer) => answer.json() as Promise<{ delivered: boolean; error: string | null }>)
      setText(said, delivered ? 'The test has been taken.' : `The test was not taken: ${error}.`)
    } catch (error) {
      setText(said, (error as Error).message)
    }
  }

  function show(routes: readonly RouteRow[]): void {
    setText(said, routes.length === 0 ? 'To nobody yet: they are seen here alone. A route tells a phone, a mailbox or a program of them.' : 'Each route gets what fits it, and what nobody answers again where it says so.')
    const now = Date.now()
    const rows = routes.map((route) => ({ route, where: `${matchWords(route.route.match)} ${targetWords(route.route.target)}`, how: route.route.enabled === false ? 'Switched off' : statusWords(route.status, now) }))
    const next = JSON.stringify(rows)
    if (next === shown) return
    shown = next
    const focused = list.contains(document.activeElement) ? document.activeElement!.closest<HTMLElement>('.rule')?.dataset.id : undefined
    list.replaceChildren(...rows.map(({ route, where, how }) =>
      h('li', { class: 'rule', 'data-id': route.id, 'data-state': route.route.enabled === false ? 'off' : route.status.failing ? 'bad' : 'good' },
        h('span', { class: 'dot', 'aria-hidden': 'true' }),
        h('div', { class: 'rule-main' }, h('h3', {}, route.route.name ?? route.id), h('p', {}, where), h('p', { class: 'muted small' }, how)),
        h('div', { class: 'rule-side' }, button('quiet', 'Edit', () => dialog.open(route), { 'aria-label': `Edit the route ${route.route.name ?? route.id}` }),
          button('quiet', 'Test', () => void test(route), { 'aria-label': `Send a test by the route ${route.route.name ?? route.id}` })))))
    if (focused !== undefined) list.querySelector<HTMLElement>(`[data-id="${focused}"] button`)?.focus({ preventScroll: true })
  }

  return {
    element,
    refresh,
    leave() {
      asked.abort()
      dialog.close()
    },
  }
}
