/**
 * One alert in the list: what, where, since when, what its rule says, what was done about it, and its history at a press.
 *
 * Owns its elements, which stay while the alert is listed, so that focus, selection and an open history are left in peace.
 */

import { button, h, setText } from '../dom.ts'
import { count, stamp } from '../format.ts'
import { address } from '../page.ts'
import { devicesWords, ruleName, stepsWords } from '../rules/words.ts'
import type { AlertRow, AlertStep, RuleDocument } from '../shapes.ts'
import type { Units } from '../units.ts'
import { fits, VERBS } from './answer-dialog.ts'
import type { Verb } from './answer-dialog.ts'
import { amiss, toneOf } from './order.ts'
import { answerWords, capital, eventWords, isOfActor, sinceWords } from './words.ts'

export interface Row {
  readonly element: HTMLLIElement
  readonly alert: AlertRow
  /** `rule`: null where it is gone. `verbs`: what may be done. */
  update(alert: AlertRow, rule: RuleDocument | null, mayAct: boolean): void
  /** Its times, as of now. */
  tick(): void
  openHistory(open: boolean): void
  focus(): void
}

export interface RowListener {
  onAsk(verb: Verb, alert: AlertRow): void
  onHistory(alert: AlertRow, open: boolean): void
}

export function createRow(first: AlertRow, units: Units, { onAsk, onHistory }: RowListener): Row {
  let alert = first
  let shown = ''
  const severity = h('span', { class: 'alert-severity' })
  const what = h('h2', { class: 'alert-what' })
  const value = h('span', { class: 'alert-value' })
  const since = h('span')
  const where = h('span')
  const says = h('p', { class: 'alert-rule muted small' })
  const answered = h('p', { class: 'alert-answered small' })
  const steps = h('ol', { class: 'alert-steps' })
  const summary = h('summary')
  const history = h('details', { class: 'alert-history', ontoggle: () => onHistory(alert, history.open) }, summary, steps)
  const actions = h('div', { class: 'alert-actions' })
  const element = h('li', { class: 'alert', 'data-id': first.id },
    h('div', { class: 'alert-main' },
      h('p', { class: 'alert-head' }, severity, ' ', value),
      what,
      h('p', { class: 'alert-where small' }, where, ' · ', since),
      answered, says, history),
    actions)

  function stepRow(step: AlertStep): HTMLElement {
    return h('li', { 'data-event': step.event },
      h('span', { class: 'muted small' }, stamp(step.at)),
      h('span', {}, h('strong', {}, eventWords(step.event)), step.event === 'acknowledged' || step.event === 'resolved' ? '' : ` (${step.severity})`, `: ${step.message}`))
  }

  function sayTimes(): void {
    const now = Date.now()
    setText(since, sinceWords(alert, now))
    setText(answered, answerWords(alert, now))
    answered.hidden = answered.textContent === ''
  }

  return {
    element,
    get alert() {
      return alert
    },
    update(next, rule, mayAct) {
      alert = next
      const signature = JSON.stringify([next, rule, mayAct])
      if (signature === shown) return sayTimes()
      shown = signature
      const step = amiss(next)
      element.dataset.state = next.state
      element.dataset.tone = toneOf(next.severity)
      setText(severity, capital(next.severity))
      setText(what, step.message)
      setText(value, step.value === null ? '' : units.text(next.metric, step.value))
      const ofActor = isOfActor(next)
      where.replaceChildren(ofActor ? next.device : h('a', { href: address('/device', { id: next.device, metrics: next.metric }) }, next.device), ` · ${units.label(next.metric)}`)
      if (ofActor) setText(says, `Told by the actor ${next.metric}`)
      else says.replaceChildren('Rule ', h('a', { href: address('/rules', { id: next.rule }) }, ruleName(next.rule, rule ?? undefined)),
        rule === null ? ', which is gone' : `: ${units.label(rule.select.metric)} of ${devicesWords(rule.select)} ${stepsWords(rule, units).join('; ')}`)
      setText(summary, `History (${count(next.history.length)})`)
      steps.replaceChildren(...next.history.map(stepRow))
      const verbs = mayAct ? VERBS.filter((verb) => fits(verb, next)) : []
      const focused = actions.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.verb : undefined
      actions.replaceChildren(...verbs.map((verb) => button('quiet', verb.label, () => onAsk(verb, alert), { 'data-verb': verb.name, 'aria-label': `${verb.label}: ${step.message}` })))
      // The button that was pressed is gone: reading goes on within the same alert.
      if (focused !== undefined) (actions.querySelector<HTMLElement>(`[data-verb="${focused}"]`) ?? summary).focus({ preventScroll: true })
      sayTimes()
    },
    tick: sayTimes,
    openHistory(open) {
      if (history.open !== open) history.open = open
    },
    focus: () => summary.focus(),
  }
}
