/** The rules there are: what each says, whether it watches, what it has raised; kept by id and only changed, so that the focus stays. */

import { amiss, inOrder, since, toneOf } from '../alerts/order.ts'
import { button, h } from '../dom.ts'
import { age, count } from '../format.ts'
import { address } from '../page.ts'
import type { AlertRow, RuleRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import { devicesWords, ruleName, stepsWords } from './words.ts'

/** What a rule has raised. */
export interface Raised {
  readonly open: readonly AlertRow[]
  /** When it last raised something; null: never. */
  readonly last: number | null
}

/** What each rule has raised, of alerts in any order. */
export function raisedBy(alerts: readonly AlertRow[]): Map<string, Raised> {
  const by = new Map<string, Raised>()
  for (const alert of inOrder(alerts)) {
    const { open, last } = by.get(alert.rule) ?? { open: [], last: null }
    by.set(alert.rule, { open: alert.state === 'resolved' ? open : [...open, alert], last: Math.max(last ?? -Infinity, since(alert), amiss(alert).at) })
  }
  return by
}

export interface RuleList {
  readonly element: HTMLElement
  show(rules: readonly RuleRow[], raised: ReadonlyMap<string, Raised>, mayEdit: boolean): void
}

export function createRuleList(units: Units, onSwitch: (rule: RuleRow) => void): RuleList {
  const element = h('ul', { class: 'rules', id: 'rules' })
  let shown = ''

  function rowOf(row: RuleRow, { open, last }: Raised, mayEdit: boolean, now: number): HTMLElement {
    const { id, rule, in_force } = row
    const isOn = rule.enabled !== false
    const state = !isOn ? 'Switched off' : in_force ? 'Watches' : 'Is being put in force'
    const fired = last === null ? 'has never raised anything' : `raised something ${age(last, now)}`
    return h('li', { class: 'rule', 'data-id': id, 'data-state': isOn ? (in_force ? 'good' : 'warn') : 'off' },
      h('span', { class: 'dot', 'aria-hidden': 'true' }),
      h('div', { class: 'rule-main' },
        h('h2', {}, h('a', { href: address('/rules', { id }), 'data-focus': `name ${id}` }, ruleName(id, rule))),
        h('p', {}, `${units.label(rule.select.metric)} of ${devicesWords(rule.select)}`),
        h('ul', { class: 'rule-steps small' }, ...stepsWords(rule, units).map((step) => h('li', {}, step))),
        h('p', { class: 'muted small' }, `${state}; ${fired}`, id === rule.name || rule.name === undefined ? '' : ` · ${id}`)),
      h('div', { class: 'rule-side' },
        open.length > 0 && h('a', { class: 'rule-open', 'data-tone': toneOf(open[0].severity), 'data-focus': `open ${id}`, href: address('/alerts', { rule: id }) }, `${count(open.length)} open`),
        mayEdit && button('quiet', isOn ? 'Switch off' : 'Switch on', () => onSwitch(row), { 'data-focus': `switch ${id}`, 'aria-label': `${isOn ? 'Switch off' : 'Switch on'}: ${ruleName(id, rule)}` })))
  }

  return {
    element,
    show(rules, raised, mayEdit) {
      const now = Date.now()
      const none: Raised = { open: [], last: null }
      const of = (id: string) => raised.get(id) ?? none
      const sorted = [...rules].sort((a, b) => Number(of(b.id).open.length > 0) - Number(of(a.id).open.length > 0) || ruleName(a.id, a.rule).localeCompare(ruleName(b.id, b.rule)))
      const next = JSON.stringify([sorted, mayEdit, sorted.map(({ id }) => [of(id).open.length, of(id).last === null ? '' : age(of(id).last, now)])])
      if (next === shown) return
      shown = next
      const focused = element.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.focus : undefined
      element.replaceChildren(...sorted.map((row) => rowOf(row, of(row.id), mayEdit, now)))
      if (focused !== undefined) [...element.querySelectorAll<HTMLElement>('[data-focus]')].find((e) => e.dataset.focus === focused)?.focus({ preventScroll: true })
    },
  }
}
