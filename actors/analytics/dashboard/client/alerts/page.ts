/**
 * Alerts: what is amiss, the worst first, and what somebody does about it.
 *
 * Owns the questions to the server, what comes live, the address, keys, and answers of people. Leaves an alert to row.ts, the order to order.ts.
 *
 * - A1 What somebody answered shows at once; what the server then says counts.
 * - A2 Whatever comes live, the list is what the server says: an event only has it asked.
 */

import { isRefusal } from '../api.ts'
import { announce, button, h, segments, setText } from '../dom.ts'
import { count } from '../format.ts'
import { follow } from '../live.ts'
import type { Context, Page } from '../page.ts'
import { ruleName } from '../rules/words.ts'
import { createSoon } from '../soon.ts'
import type { AlertEvent, AlertRow, Alerts, RuleRow, Rules } from '../shapes.ts'
import { createAnswerDialog, fits, VERBS } from './answer-dialog.ts'
import type { Answer, Verb } from './answer-dialog.ts'
import { amiss, inOrder, rankOf } from './order.ts'
import { SHOWS, placeAddress, readPlace } from './place.ts'
import type { Place, Show } from './place.ts'
import { createRow } from './row.ts'
import type { Row } from './row.ts'
import { OPEN_MAX, OPEN_STATES } from './watch.ts'
import { capital, headline } from './words.ts'

const EVERY_MS = 10_000
/** Events often come several at a time: they are asked about once. */
const EVENT_PAUSE_MS = 250
const TYPING_PAUSE_MS = 200
const PAST_STEP = 50
/** For so long what somebody answered is shown though the server does not say so yet. */
const ANSWER_MS = 10_000
const SEVERITIES = ['critical', 'warning', 'info']

export function open(host: HTMLElement, { api, units, alerts: watch, note }: Context): Page {
  let place: Place = readPlace(new URLSearchParams())
  let rules: readonly RuleRow[] | null = null
  let mayEdit = false
  let mayAct = false
  let past = PAST_STEP
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked = new AbortController()
  let left = false
  let stopStream: () => void = () => {}
  const soon = createSoon(ask, EVENT_PAUSE_MS)
  const rows = new Map<string, Row>()
  const answers = new Map<string, { state: string; untilMs: number }>()
  const severities = new Set(SEVERITIES)

  const said = h('span', { id: 'alerts-said' }, 'Asking…')
  const stream = h('span', { class: 'stream', id: 'alerts-stream', 'data-state': 'idle' })
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const shows = h('fieldset', { class: 'segments', id: 'alerts-shows' }, h('legend', { class: 'unseen' }, 'Which alerts'))
  const showButtons = segments(shows, 'alerts-show', SHOWS, (value) => go({ show: value as Show }))
  const severity = h('select', { id: 'alerts-severity', onchange: () => go({ severity: severity.value }) })
  const rule = h('select', { id: 'alerts-rule', onchange: () => go({ rule: rule.value }) })
  const prefix = h('input', { id: 'alerts-prefix', type: 'search', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', placeholder: 'field-7/' })
  const narrow = button('quiet', 'Narrow', () => tools.toggleAttribute('data-narrow'), { class: 'quiet narrow' })
  const tools = h('div', { class: 'alert-tools' }, shows, narrow,
    h('div', { class: 'field' }, h('label', { for: 'alerts-severity' }, 'Severity'), severity),
    h('div', { class: 'field' }, h('label', { for: 'alerts-prefix' }, 'Devices that begin with'), prefix),
    h('div', { class: 'field' }, h('label', { for: 'alerts-rule' }, 'Rule'), rule))
  const list = h('ul', { class: 'alerts', id: 'alerts' })
  const none = h('div', { class: 'card empty', id: 'alerts-none', hidden: true })
  const more = button('quiet', 'Show older ones', () => ((past += PAST_STEP), void ask()), { id: 'alerts-older', hidden: true })
  const keys = h('p', { class: 'muted small hint wide-only', hidden: true }, 'Keys, within the list: ↓ and ↑ go from alert to alert, Enter opens the history, A acknowledges, S puts aside, U takes up again, R resolves.')
  const onlyReads = h('p', { class: 'muted small hint', id: 'alerts-reads', hidden: true }, 'With a key of the role admin alerts are answered here.')
  const dialog = createAnswerDialog(answer)
  host.append(
    h('div', { class: 'page-head' }, h('h1', {}, 'Alerts'), h('p', { class: 'lead-in' }, said, ' ', stream)),
    h('div', { class: 'stack' },
      tools,
      trouble, list, none, h('div', {}, more), keys, onlyReads),
    dialog.element)

  let typing: ReturnType<typeof setTimeout> | undefined
  prefix.addEventListener('input', () => {
    clearTimeout(typing)
    typing = setTimeout(() => go({ prefix: prefix.value.trim() }, 'replace'), TYPING_PAUSE_MS)
  })
  list.addEventListener('keydown', (event) => {
    const at = event.target instanceof Element ? event.target.closest<HTMLElement>('.alert') : null
    if (at === null || event.ctrlKey || event.metaKey || event.altKey) return
    const row = rows.get(at.dataset.id!)!
    const verb = mayAct ? VERBS.find((verb) => verb.key === event.key.toLowerCase() && fits(verb, row.alert)) : undefined
    const beside = event.key === 'ArrowDown' ? at.nextElementSibling : event.key === 'ArrowUp' ? at.previousElementSibling : null
    if (verb === undefined && beside === null) return
    event.preventDefault()
    if (verb !== undefined) onAsk(verb, row.alert)
    else rows.get((beside as HTMLElement).dataset.id!)?.focus()
  })

  function go(change: Partial<Place>, how: 'push' | 'replace' = 'push'): void {
    place = { ...place, ...change }
    past = PAST_STEP
    note(placeAddress(place), how)
    showChoices()
    void ask()
  }

  const isNarrowed = () => place.severity !== '' || place.prefix !== '' || place.rule !== ''

  function showChoices(): void {
    showButtons.set(place.show)
    if (place.severity !== '') severities.add(place.severity)
    const ranked = [...severities].sort((a, b) => rankOf(b) - rankOf(a) || (a < b ? -1 : 1))
    choices(severity, [['', 'Any'], ...ranked.map((name) => [name, capital(name)] as const)], place.severity)
    const known = (rules ?? []).map(({ id, rule: of }) => [id, ruleName(id, of)] as const)
    const gone = place.rule === '' || known.some(([id]) => id === place.rule) ? [] : [[place.rule, place.rule] as const]
    choices(rule, [['', 'Any'], ...known, ...gone], place.rule)
    if (document.activeElement !== prefix) prefix.value = place.prefix
  }

  async function ask(): Promise<void> {
    clearTimeout(timer)
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    const { show, ...by } = place
    const wish = { severity: by.severity || null, prefix: by.prefix || null, rule: by.rule || null }
    const page = (state: string, limit: number) => api.get<Alerts>('/v1/alerts', { ...wish, state, limit }, signal)
    const nothing: Alerts = { alerts: [], cursor: null, mayAct: false }
    try {
      const [there, now, before] = await Promise.all([
        api.get<Rules>('/v1/rules', {}, signal),
        show === 'resolved' ? nothing : page(OPEN_STATES, OPEN_MAX),
        show === 'open' ? nothing : page('resolved', past),
      ])
      trouble.hidden = true
      rules = there.rules
      mayEdit = there.mayEdit
      mayAct = now.mayAct || before.mayAct
      render(now, before)
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      trouble.hidden = false
      setText(trouble, `Cannot show the alerts: ${(error as Error).message.replace(/\.$/, '')}. Trying again.`)
    }
    if (!left && !signal.aborted) again()
  }

  /** A hidden tab asks for nothing; it looks again once it is seen. */
  function again(): void {
    clearTimeout(timer)
    timer = setTimeout(() => (document.hidden ? again() : void ask()), EVERY_MS)
  }

  function render(now: Alerts, before: Alerts): void {
    const alerts = inOrder([...now.alerts, ...before.alerts].map(answered))
    for (const alert of alerts) severities.add(alert.severity)
    showChoices()
    const ofRule = new Map((rules ?? []).map(({ id, rule: of }) => [id, of]))
    const listed = new Set(alerts.map(({ id }) => id))
    for (const [id, row] of rows) {
      if (listed.has(id)) continue
      row.element.remove()
      rows.delete(id)
    }
    alerts.forEach((alert, i) => {
      let row = rows.get(alert.id)
      if (row === undefined) {
        rows.set(alert.id, (row = createRow(alert, units, { onAsk, onHistory })))
        if (alert.id === place.id) row.openHistory(true)
      }
      row.update(alert, ofRule.get(alert.rule) ?? null, mayAct)
      if (list.children[i] !== row.element) move(row.element, i)
    })
    setText(said, place.show === 'resolved' ? `${count(alerts.length)}${before.cursor === null ? '' : ' or more'} that are over.` : isNarrowed() && alerts.length === 0 ? 'None that fits.' : headline(alerts.filter(({ state }) => state !== 'resolved')))
    if (now.cursor !== null) setText(said, `More than ${count(OPEN_MAX)} are open: the newest of them are shown.`)
    more.hidden = before.cursor === null
    list.hidden = alerts.length === 0
    keys.hidden = alerts.length === 0 || !mayAct
    onlyReads.hidden = alerts.length === 0 || mayAct
    none.hidden = alerts.length > 0
    if (alerts.length === 0) showNone()
  }

  /** Puts a row in its place; one that holds the focus keeps it. */
  function move(element: HTMLElement, i: number): void {
    const focused = element.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null
    list.insertBefore(element, list.children[i] ?? null)
    focused?.focus({ preventScroll: true })
  }

  function showNone(): void {
    const say = (title: string, about: string, link: HTMLElement | null) => none.replaceChildren(h('h2', {}, title), h('p', { class: 'muted' }, about), ...(link === null ? [] : [link]))
    if (isNarrowed()) return say('No alert fits', 'None is of this severity, rule and beginning of a name.', h('a', { href: placeAddress({ show: place.show, severity: '', prefix: '', rule: '', id: '' }) }, 'Show those of all'))
    if (rules?.length === 0) {
      const write = mayEdit ? h('a', { href: '/rules?new=threshold' }, 'Write the first rule') : null
      return say('Nothing is watched yet', `An alert is raised by a rule, such as “soil moisture below 14 % for 10 minutes”. ${mayEdit ? 'Each can be tried on what was measured before it counts.' : 'A key of the role admin may write one.'}`, write)
    }
    if (place.show === 'open') return say('Nothing is amiss', `${count(rules?.length ?? 0)} rule${rules?.length === 1 ? ' watches' : 's watch'}. What they raise appears here by itself.`, h('a', { href: '/alerts?state=resolved' }, 'What has been'))
    say('Nothing has been raised', 'What the rules raise appears here, and stays when it is over.', h('a', { href: '/rules' }, 'The rules'))
  }

  function answered(alert: AlertRow): AlertRow {
    const given = answers.get(alert.id)
    if (given === undefined) return alert
    if (given.state === alert.state || alert.state === 'resolved' || Date.now() > given.untilMs) answers.delete(alert.id)
    return { ...alert, state: given.state }
  }

  function onAsk(verb: Verb, alert: AlertRow): void {
    dialog.ask(verb, alert, amiss(alert).message)
  }

  function onHistory({ id }: AlertRow, isOpen: boolean): void {
    if (isOpen === (place.id === id)) return
    if (!isOpen && place.id !== id) return
    place = { ...place, id: isOpen ? id : '' }
    note(placeAddress(place), 'replace')
  }

  async function answer(verb: Verb, alert: AlertRow, given: Answer): Promise<void> {
    await api.send(`/v1/alerts/${encodeURIComponent(alert.id)}/${verb.name}`, { method: 'POST', body: given })
    answers.set(alert.id, { state: verb.state, untilMs: Date.now() + ANSWER_MS })
    announce(`${verb.label}: done`)
    const row = rows.get(alert.id)
    if (row) row.update({ ...row.alert, state: verb.state }, rules?.find(({ id }) => id === alert.rule)?.rule ?? null, mayAct)
    soon.ask()
    watch.refresh()
  }

  function listen(): void {
    stopStream()
    stopStream = follow(api, '/v1/live', { kind: 'alert' }, {
      onEvent({ event, data }) {
        if (event !== 'alert') return
        const { event: step, message, severity: of } = JSON.parse(data) as AlertEvent
        if (step === 'opened' || step === 'reopened' || step === 'escalated') announce(`${capital(of)}: ${message}`)
        soon.ask()
        watch.refresh()
      },
      onState(state) {
        stream.dataset.state = state
        setText(stream, state === 'live' ? 'live' : state === 'waiting' ? 'reconnecting' : '')
        if (state === 'live') soon.ask()
      },
    })
  }
  listen()

  return {
    show(query) {
      place = readPlace(query)
      past = PAST_STEP
      tools.toggleAttribute('data-narrow', isNarrowed())
      for (const [id, row] of rows) row.openHistory(id === place.id)
      showChoices()
      void ask()
    },
    tick() {
      for (const row of rows.values()) row.tick()
    },
    pause: () => stopStream(),
    resume() {
      listen()
      void ask()
    },
    leave() {
      left = true
      stopStream()
      asked.abort()
      soon.stop()
      clearTimeout(timer)
      clearTimeout(typing)
      dialog.close()
    },
  }
}

/** Fills a select where its options have changed: an open one is left in peace. */
function choices(select: HTMLSelectElement, options: readonly (readonly [value: string, label: string])[], chosen: string): void {
  const signature = JSON.stringify(options)
  if (select.dataset.options !== signature) {
    select.dataset.options = signature
    select.replaceChildren(...options.map(([value, label]) => h('option', { value }, label)))
  }
  select.value = chosen
}
