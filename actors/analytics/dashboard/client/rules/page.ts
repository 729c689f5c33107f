/**
 * Rules: which there are and what they have raised; one of them at a time to be read, tried and written.
 *
 * Owns the questions to the server, the address, and which of the two is in view. Leaves the list to list.ts, a rule to rule-editor.ts.
 *
 * - P1 What is being written is never replaced by what the server says: that comes anew only with another address.
 */

import { ApiError, isRefusal } from '../api.ts'
import { announce, h, setText } from '../dom.ts'
import { count } from '../format.ts'
import type { Context, Page } from '../page.ts'
import type { Alerts, RuleRow, Rules } from '../shapes.ts'
import { KINDS } from './form.ts'
import { createRuleList, raisedBy } from './list.ts'
import type { Raised } from './list.ts'
import { placeAddress, readPlace } from './place.ts'
import type { Place } from './place.ts'
import { createRoutes } from './routes.ts'
import { createRuleEditor } from './rule-editor.ts'
import { ruleName } from './words.ts'

const EVERY_MS = 5_000
/** A rule comes into force within a moment, which somebody waits for. */
const EVERY_SOON_MS = 700
/** The newest alerts say what each rule has raised; of those that they do not name, so many are asked about. */
const ALERTS_MAX = 1_000
const ASKED_MAX = 20

export function open(host: HTMLElement, { api, units, note, go }: Context): Page {
  let place: Place = readPlace(new URLSearchParams())
  let known: Rules | null = null
  let raised: ReadonlyMap<string, Raised> = new Map()
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked = new AbortController()
  let left = false
  /** What the editor was begun with: another address begins it anew. */
  let begun = ''

  const crumbs = h('p', { class: 'crumbs', hidden: true }, h('a', { href: '/rules' }, 'Rules'))
  const title = h('h1', {}, 'Rules')
  const said = h('p', { class: 'lead-in', id: 'rules-said' }, 'Asking…')
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const add = h('div', { class: 'rule-new', id: 'rule-new', hidden: true }, h('span', { class: 'muted small' }, 'A new one for'),
    ...KINDS.map(({ value, label }) => h('a', { class: 'button quiet', href: placeAddress({ id: '', begin: value, tried: null }) }, label.toLowerCase())))
  const list = createRuleList(units, (rule) => void switchOver(rule))
  const none = h('section', { class: 'card empty', id: 'rules-none', 'aria-label': 'A first rule', hidden: true },
    h('p', {}, 'A rule says what must not be: soil drier than 14 %, a tank that empties fast, a probe that falls silent, a frost that is to come. What goes by it is raised as an alert, once, and told when it is over.'))
  const routes = createRoutes(api)
  const listed = h('div', { class: 'stack' }, add, none, list.element, routes.element)
  const editor = createRuleEditor(api, units, {
    onSaved: (id) => {
      // Where it stands from now on is its own address, which begins with what is stored.
      begun = ''
      if (place.id === id) void ask()
      else go(placeAddress({ id, begin: null, tried: place.tried }))
    },
    onDeleted: () => go('/rules'),
    onTried: (tried) => {
      if (tried === place.tried) return
      place = { ...place, tried }
      note(placeAddress(place), 'replace')
    },
    openAlerts: (id) => raised.get(id)?.open.length ?? 0,
  })
  // Neither of them is in view before it is known which one is wanted, and with what.
  listed.hidden = editor.element.hidden = true
  host.append(h('div', { class: 'page-head' }, crumbs, title, said), h('div', { class: 'stack' }, trouble, listed, editor.element))

  async function ask(): Promise<void> {
    clearTimeout(timer)
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    try {
      const [rules, newest] = await Promise.all([api.get<Rules>('/v1/rules', {}, signal), api.get<Alerts>('/v1/alerts', { limit: ALERTS_MAX }, signal)])
      const found = [...newest.alerts]
      if (newest.cursor !== null) {
        const named = new Set(found.map(({ rule }) => rule))
        const others = rules.rules.filter(({ id }) => !named.has(id)).slice(0, ASKED_MAX)
        for (const { alerts } of await Promise.all(others.map(({ id }) => api.get<Alerts>('/v1/alerts', { rule: id, limit: 1 }, signal)))) found.push(...alerts)
      }
      trouble.hidden = true
      known = rules
      raised = raisedBy(found)
      render(rules)
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      trouble.hidden = false
      setText(trouble, `Cannot show the rules: ${(error as Error).message.replace(/\.$/, '')}. Trying again.`)
    }
    if (!left && !signal.aborted) again()
  }

  /** A hidden tab asks for nothing; it looks again once it is seen. */
  function again(): void {
    clearTimeout(timer)
    const isSoon = known !== null && known.rules.some(({ in_force }) => !in_force)
    timer = setTimeout(() => (document.hidden ? again() : void ask()), isSoon ? EVERY_SOON_MS : EVERY_MS)
  }

  function render({ rules, mayEdit }: Rules): void {
    const isList = place.id === '' && place.begin === null
    crumbs.hidden = isList
    listed.hidden = !isList
    if (isList) return showList(rules, mayEdit)
    const rule = rules.find(({ id }) => id === place.id) ?? null
    if (place.id !== '' && rule === null && begun !== place.id) {
      editor.element.hidden = true
      setText(title, place.id)
      return setText(said, 'There is no such rule; it may have been deleted.')
    }
    editor.element.hidden = false
    setText(title, rule === null ? (place.id || 'A new rule') : ruleName(rule.id, rule.rule))
    setText(said, rule === null ? 'It watches nothing until it is saved.' : stateWords(rule))
    const wanted = place.id || `new ${place.begin}`
    if (begun === wanted) return
    begun = wanted
    editor.begin(rule, place.begin, mayEdit)
    if (place.tried !== null) void editor.try(place.tried)
  }

  function stateWords({ id, rule, in_force }: RuleRow): string {
    const open = raised.get(id)?.open.length ?? 0
    const alerts = open === 0 ? 'nothing of it is open' : `${count(open)} alert${open === 1 ? ' is' : 's are'} open`
    if (rule.enabled === false) return `Switched off; ${alerts}.`
    return in_force ? `It watches, as it is saved; ${alerts}.` : 'It is saved, and being put in force.'
  }

  function showList(rules: readonly RuleRow[], mayEdit: boolean): void {
    begun = ''
    editor.element.hidden = true
    setText(title, 'Rules')
    const on = rules.filter(({ rule }) => rule.enabled !== false).length
    setText(said, rules.length === 0 ? 'Nothing is watched yet.' : `${count(on)} of ${count(rules.length)} watch${on === 1 ? 'es' : ''}.${mayEdit ? '' : ' A key of the role admin may change them.'}`)
    add.hidden = !mayEdit
    none.hidden = rules.length > 0
    list.show(rules, raised, mayEdit)
    if (mayEdit) void routes.refresh()
  }

  async function switchOver({ id, revision, rule }: RuleRow): Promise<void> {
    const { enabled, ...rest } = rule
    try {
      await api.send(`/v1/rules/${encodeURIComponent(id)}`, { method: 'PUT', headers: { 'If-Match': `"${revision}"` }, body: enabled === false ? rest : { ...rest, enabled: false } })
      announce(`${ruleName(id, rule)} is switched ${enabled === false ? 'on' : 'off'}`)
    } catch (error) {
      trouble.hidden = false
      setText(trouble, error instanceof ApiError && error.status === 412 ? 'Somebody has changed this rule meanwhile: it is shown as it is now.' : (error as Error).message)
      return void setTimeout(() => !left && void ask(), EVERY_MS)
    }
    await ask()
  }

  return {
    show(query) {
      const next = readPlace(query)
      if (next.id !== place.id || next.begin !== place.begin) begun = ''
      else if (next.tried !== null && next.tried !== place.tried && begun !== '') void editor.try(next.tried)
      place = next
      // Of a rule that was just saved nothing is known here before the answer.
      if (known !== null && (place.id === '' || known.rules.some(({ id }) => id === place.id))) render(known)
      void ask()
    },
    resume: () => void ask(),
    leave() {
      left = true
      asked.abort()
      clearTimeout(timer)
      editor.leave()
      routes.leave()
    },
  }
}
