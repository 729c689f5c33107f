/**
 * Why something stood out, at a press: what it is in plain words, how far out, what the neighbours did, and whether it was useful to know.
 *
 * Owns the dialog, asking the server, and posting the answer. Leaves the words to why-words.ts. What is known is shown at once, the rest as it comes.
 *
 * Invariant: an answer that was given here stays shown until the server has had time to commit it; then the server's counts.
 */

import { isRefusal } from '../api.ts'
import type { Api } from '../api.ts'
import { button, h, setText } from '../dom.ts'
import { stamp } from '../format.ts'
import { severity } from '../severity.ts'
import type { AnomalyRow, WhyRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import { kindWords, neighbourWords, offWords, partWords, reasonWords, scaleOf } from './why-words.ts'

/** How long an answer may be on its way through the log. */
const COMMITTED_MS = 10_000

export interface Why {
  readonly element: HTMLElement
  ask(anomaly: AnomalyRow): void
  close(): void
  leave(): void
}

export interface WhyListener {
  onZoom(anomaly: AnomalyRow): void
  onClose(): void
}

const keyOf = ({ device, metric, ts, value }: AnomalyRow) => `${device} ${metric} ${ts} ${value}`

export function createWhy(api: Api, units: Units, { onZoom, onClose }: WhyListener): Why {
  let shown: AnomalyRow | null = null
  let asking = new AbortController()
  const given = new Map<string, { useful: boolean; atMs: number }>()

  const title = h('h2', { id: 'why-title' })
  const when = h('p', { class: 'muted small' })
  const meaning = h('p', { class: 'why-meaning' })
  const reason = h('p', { class: 'muted small' })
  const scale = h('div', { class: 'why-scale', 'aria-hidden': 'true' })
  const facts = h('dl', { class: 'why-facts' })
  const neighbours = h('p', { id: 'why-neighbours' })
  const kind = h('p', { class: 'muted small' })
  const yes = button('quiet', 'Yes', () => answer(true), { id: 'useful-yes', 'aria-pressed': 'false' })
  const no = button('quiet', 'No', () => answer(false), { id: 'useful-no', 'aria-pressed': 'false' })
  const said = h('p', { class: 'muted small', id: 'useful-said', role: 'status' })
  const zoom = button('quiet', 'Zoom to it', () => {
    const anomaly = shown
    dialog.close()
    if (anomaly) onZoom(anomaly)
  })
  const dialog = h('dialog', { class: 'why card', id: 'why', 'aria-labelledby': 'why-title' },
    h('div', { class: 'why-head' }, title, button('quiet', 'Close', () => dialog.close(), { id: 'why-close' })),
    when, meaning, scale,
    h('h3', {}, 'The neighbours'), neighbours, facts, reason, kind,
    h('div', { class: 'why-answer', role: 'group', 'aria-labelledby': 'useful-question' },
      h('h3', { id: 'useful-question' }, 'Was this useful?'), yes, no, zoom, said))
  dialog.addEventListener('close', () => {
    asking.abort()
    shown = null
    onClose()
  })
  dialog.addEventListener('click', (event) => {
    // Beside it: the dialog's own box is its padding as well.
    const { left, right, top, bottom } = dialog.getBoundingClientRect()
    if (event.target === dialog && (event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom)) dialog.close()
  })

  function show(a: AnomalyRow): void {
    const words = kindWords(a)
    title.replaceChildren(`${words.name} `, h('span', { class: 'why-value' }, `${units.label(a.metric)} ${units.text(a.metric, a.value)}`))
    setText(when, `${severity(a.score)} · ${a.device} · ${stamp(a.ts)}`)
    // Of one without a kind the reason is all that is known.
    setText(meaning, words.meaning || reasonWords(a))
    setText(reason, words.meaning ? reasonWords(a) : '')
    const at = scaleOf(a)
    scale.hidden = at === null
    if (at) {
      // By properties, since the policy of the page allows no style in its markup.
      const piece = (name: string, style: Partial<CSSStyleDeclaration>) => {
        const element = h('span', { class: name })
        Object.assign(element.style, style)
        return element
      }
      const percent = (n: number) => `${n}%`
      scale.replaceChildren(
        piece('why-band', { left: percent(at.from), width: percent(at.to - at.from) }),
        piece('why-expected', { left: percent(at.expected) }),
        piece('why-spot', { left: percent(at.value) }))
    }
    const usual = a.lower !== null && a.upper !== null ? units.band(a.metric, a.lower, a.upper) : null
    const rows: [name: string, words: string | null][] = [
      ['Expected', a.expected === null ? null : units.text(a.metric, a.expected)], ['Usual', usual], ['How far', offWords(a)], ['Noticed by', partWords(a)],
    ]
    facts.replaceChildren(...rows.flatMap(([name, text]) => (text === null ? [] : [h('div', {}, h('dt', {}, name), h('dd', {}, text))])))
  }

  function showAnswer(useful: boolean | null): void {
    yes.setAttribute('aria-pressed', String(useful === true))
    no.setAttribute('aria-pressed', String(useful === false))
    const metric = shown ? units.label(shown.metric) : ''
    const text = useful ? `Answered yes: of ${metric} here it goes on to tell what is like this.` : `Answered no: of ${metric} here it will tell less that is like this.`
    setText(said, useful === null ? 'The answer makes it watch this more or less closely.' : text)
  }

  async function answer(useful: boolean): Promise<void> {
    const anomaly = shown
    if (!anomaly) return
    const { device, metric, ts, value } = anomaly
    for (const one of [yes, no]) one.disabled = true
    try {
      await api.send('/v1/anomalies/feedback', { method: 'POST', body: { device, metric, ts, value, useful } })
      given.set(keyOf(anomaly), { useful, atMs: Date.now() })
      if (shown === anomaly) showAnswer(useful)
    } catch (error) {
      if (shown === anomaly) setText(said, `Cannot keep the answer: ${(error as Error).message.replace(/\.$/, '')}. Try again in a moment.`)
    } finally {
      for (const one of [yes, no]) one.disabled = false
      if (shown === anomaly) (useful ? yes : no).focus()
    }
  }

  async function look(anomaly: AnomalyRow): Promise<void> {
    asking.abort()
    asking = new AbortController()
    const { signal } = asking
    const { device, metric, ts, value } = anomaly
    try {
      const { anomalies } = await api.get<{ anomalies: WhyRow[] }>('/v1/anomalies', { device, metric, from: ts, to: ts + 1, why: 'true' }, signal)
      const row = anomalies.find((a) => a.value === value)
      if (signal.aborted) return
      if (!row) return setText(neighbours, 'Nothing is known of them: this has left by age.')
      shown = row
      show(row)
      setText(neighbours, neighbourWords(row, units))
      setText(kind, row.neighbours.kind === null ? '' : `Neighbours are the devices named ${row.neighbours.kind}, # being any number.`)
      const mine = given.get(keyOf(row))
      showAnswer(mine && (row.useful === null || Date.now() - mine.atMs < COMMITTED_MS) ? mine.useful : row.useful ?? null)
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      setText(neighbours, `Cannot ask for them: ${(error as Error).message}`)
    }
  }

  return {
    element: dialog,
    ask(anomaly) {
      shown = anomaly
      show(anomaly)
      setText(neighbours, 'Looking at what they did…')
      setText(kind, '')
      showAnswer(given.get(keyOf(anomaly))?.useful ?? anomaly.useful ?? null)
      if (!dialog.open) dialog.showModal()
      dialog.scrollTop = 0
      void look(anomaly)
    },
    close: () => dialog.close(),
    leave() {
      asking.abort()
      dialog.remove()
    },
  }
}
