/** A route being written, as a document in a dialog; what the server does not take is said at its place. */

import { ApiError } from '../api.ts'
import type { Api } from '../api.ts'
import { announce, button, h, setText } from '../dom.ts'
import { createEditor } from '../editor.ts'
import { parseIn, sayIn } from './document-errors.ts'
import { jsonColours } from './json-colours.ts'
import type { RouteRow } from './route-words.ts'

/** What a new one begins with. */
const BEGIN = {
  webhook: { name: "The farmer's phone", match: { severity: 'critical' }, target: { webhook: { url: 'https://' } }, remind: '4h' },
  email: { name: 'A mail', match: { severity: ['critical', 'warning'] }, target: { email: { to: '', from: '', server: 'smtp://' } }, groupBy: ['rule'] },
  nats: { name: 'Other programs', target: { nats: { stored: false } } },
} as const
export const ROUTE_KINDS = [['webhook', 'a webhook'], ['email', 'e-mail'], ['nats', 'a subject of NATS']] as const
export type RouteKind = keyof typeof BEGIN

export interface RouteDialog {
  readonly element: HTMLDialogElement
  open(route: RouteRow | RouteKind): void
  close(): void
}

export function createRouteDialog(api: Api, onChanged: () => void): RouteDialog {
  let stored: RouteRow | null = null
  const title = h('h2', { id: 'route-title' })
  const named = h('input', { id: 'route-id', type: 'text', maxlength: 64, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', 'aria-describedby': 'route-trouble' })
  const namedField = h('div', { class: 'field' }, h('label', { for: 'route-id' }, 'Short name; it stays'), named)
  const trouble = h('p', { class: 'error', role: 'alert', id: 'route-trouble' })
  const editor = createEditor({ id: 'route-document', label: 'The route as a document', describedBy: 'route-trouble', placeholder: '{}', colour: jsonColours, onRun: () => void save(), onInput: () => setText(trouble, '') })
  const secret = h('p', { class: 'route-secret', role: 'status', hidden: true })
  const remove = button('quiet', 'Delete', () => void end(), { id: 'route-delete' })
  const element: HTMLDialogElement = h('dialog', { class: 'card', id: 'route', 'aria-labelledby': 'route-title' },
    h('div', { class: 'unit-form' }, title, namedField, editor.element, trouble, secret,
      h('div', { class: 'form-actions' }, button('primary', 'Save', () => void save(), { id: 'route-save' }), button('quiet', 'Close', () => element.close()), remove)))

  const path = () => `/v1/routes/${encodeURIComponent(stored?.id ?? named.value.trim())}`

  async function save(): Promise<void> {
    setText(trouble, '')
    if (stored === null && named.value.trim() === '') {
      setText(trouble, 'It needs a short name, such as phone.')
      return named.focus()
    }
    const body = parseIn(editor, trouble)
    if (body === undefined) return
    try {
      const headers: Record<string, string> = stored === null ? { 'If-None-Match': '*' } : { 'If-Match': `"${stored.revision}"` }
      const now = (await (await api.send(path(), { method: 'PUT', headers, body })).json()) as RouteRow & { secret?: string }
      announce('The route is saved')
      onChanged()
      if (now.secret === undefined) return element.close()
      // It is told this once: the dialog stays until somebody has taken it.
      show(now)
      secret.hidden = false
      secret.replaceChildren('Its messages are signed with this secret, which is shown this once: ', h('code', {}, now.secret))
    } catch (problem) {
      sayProblem(problem)
    }
  }

  async function end(): Promise<void> {
    try {
      await api.send(path(), { method: 'DELETE', headers: { 'If-Match': `"${stored?.revision}"` } })
      announce('The route is deleted')
      onChanged()
      element.close()
    } catch (problem) {
      sayProblem(problem)
    }
  }

  function sayProblem(problem: unknown): void {
    const isConflict = problem instanceof ApiError && problem.status === 412
    if (!isConflict) return sayIn(editor, trouble, problem)
    setText(trouble, stored === null ? 'There is a route of this short name already: choose another one.' : 'Somebody has changed this route while you wrote. Close this, and open it anew: it begins with theirs.')
  }

  function show(route: RouteRow): void {
    stored = route
    namedField.hidden = true
    remove.hidden = false
    editor.setText(JSON.stringify(route.route, null, 2))
  }

  return {
    element,
    open(route) {
      setText(trouble, '')
      secret.hidden = true
      secret.replaceChildren()
      setText(title, typeof route === 'string' ? 'A new route' : (route.route.name ?? route.id))
      if (typeof route !== 'string') show(route)
      else {
        stored = null
        named.value = ''
        namedField.hidden = false
        remove.hidden = true
        editor.setText(JSON.stringify(BEGIN[route], null, 2))
      }
      element.showModal()
      if (stored === null) named.focus()
      else editor.focusAt(0)
    },
    close: () => element.close(),
  }
}
