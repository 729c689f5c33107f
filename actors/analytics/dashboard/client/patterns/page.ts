/**
 * Patterns: how a day usually goes for devices that measure the same, which go which way, and who is unlike the others.
 *
 * Owns the questions to the server, one part of the kinds at a time, and the address of them. Leaves a kind to kind-card.ts, and words to words.ts.
 *
 * Invariant: the address holds all that the reader chose.
 */

import { isRefusal } from '../api.ts'
import { button, h, setText } from '../dom.ts'
import { count } from '../format.ts'
import { address } from '../page.ts'
import type { Context, Page } from '../page.ts'
import type { Devices, Fleet } from '../shapes.ts'
import { kindCard } from './kind-card.ts'
import { comingWords, headline } from './words.ts'

/** A day ends once a day; what was just learned is to be seen soon. */
const EVERY_MS = 20_000
const PAGE_KINDS = 12
/** Devices of a group that are named among other kinds, and where a kind is by itself. */
const MEMBERS_FEW = 12
const MEMBERS_ALL = 1_000

interface Place {
  /** Empty: all. */
  readonly metric: string
  /** Names of the devices of the one kind that is shown; empty: all. */
  readonly sort: string
  /** From 1. */
  readonly part: number
}

export function open(host: HTMLElement, { api, units, note }: Context): Page {
  let place: Place = { metric: '', sort: '', part: 1 }
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked = new AbortController()
  let left = false
  /** What is shown, so that the same answer leaves the reader's focus and selection alone. */
  let shown = ''

  const crumbs = h('p', { class: 'crumbs', hidden: true }, h('a', { href: '/patterns' }, 'Patterns'))
  const title = h('h1', {}, 'Patterns of the day')
  const said = h('p', { class: 'lead-in', id: 'patterns-said' }, 'Asking…')
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const metric = h('select', { id: 'patterns-metric', onchange: () => go({ metric: metric.value, sort: '', part: 1 }) })
  const tools = h('div', { class: 'pattern-tools', hidden: true }, h('label', { class: 'muted small', for: 'patterns-metric' }, 'Metric'), metric)
  const body = h('div', { class: 'kinds', id: 'patterns' })
  const before = button('quiet', 'Before', () => go({ ...place, part: place.part - 1 }))
  const after = button('quiet', 'Next', () => go({ ...place, part: place.part + 1 }))
  const part = h('span', { class: 'muted small' })
  const pager = h('nav', { class: 'pager card', 'aria-label': 'Parts of the list', hidden: true }, before, part, after)
  host.append(h('div', { class: 'page-head' }, crumbs, title, said), h('div', { class: 'stack' }, tools, trouble, body, pager))

  function go(next: Place, how: 'push' | 'replace' = 'push'): void {
    place = next
    note(address('/patterns', { metric: next.metric, kind: next.sort, part: next.part > 1 ? String(next.part) : null }), how)
    void ask()
  }

  async function ask(): Promise<void> {
    clearTimeout(timer)
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    const { metric: of, sort, part: at } = place
    try {
      const wish = { metric: of || null, sort: sort || null, order: 'outliers', members: sort ? MEMBERS_ALL : MEMBERS_FEW, limit: PAGE_KINDS, offset: (at - 1) * PAGE_KINDS }
      const fleet = await api.get<Fleet>('/v1/fleet', wish, signal)
      const none = fleet.metrics.length === 0
      const devices = none ? (await api.get<Devices>('/v1/devices', { limit: 1 }, signal)).summary.devices : 0
      trouble.hidden = true
      if (none) showNone(devices)
      else show(fleet)
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      trouble.hidden = false
      setText(trouble, `Cannot show the patterns: ${(error as Error).message.replace(/\.$/, '')}. Trying again.`)
    }
    if (!left && !signal.aborted) again()
  }

  /** A hidden tab asks for nothing; it looks again once it is seen. */
  function again(): void {
    clearTimeout(timer)
    timer = setTimeout(() => (document.hidden ? again() : void ask()), EVERY_MS)
  }

  function showNone(devices: number): void {
    tools.hidden = crumbs.hidden = pager.hidden = true
    shown = ''
    setText(said, devices === 0 ? 'Nothing has been measured yet.' : `No day is known yet of ${devices === 1 ? 'the one device' : `the ${count(devices)} devices`} here.`)
    const words = [h('p', {}, comingWords(Date.now())), devices === 0 && h('p', {}, h('a', { href: '/' }, 'How a first reading is sent'))]
    body.replaceChildren(h('section', { class: 'card empty', id: 'patterns-empty', 'aria-label': 'What will come' }, ...words.filter((word) => word !== false)))
  }

  function show({ found, metrics, kinds }: Fleet): void {
    const { metric: of, sort, part: at } = place
    const parts = Math.max(1, Math.ceil(found / PAGE_KINDS))
    if (at > parts) return go({ ...place, part: parts }, 'replace')
    crumbs.hidden = sort === ''
    setText(said, headline(metrics))
    tools.hidden = metrics.length < 2
    showMetrics(metrics)
    pager.hidden = parts === 1
    before.disabled = at === 1
    after.disabled = at === parts
    setText(part, `${count((at - 1) * PAGE_KINDS + 1)} to ${count((at - 1) * PAGE_KINDS + kinds.length)} of ${count(found)}`)
    const next = JSON.stringify([place, kinds])
    if (next === shown) return
    shown = next
    const focused = body.contains(document.activeElement) ? document.activeElement!.getAttribute('href') : null
    const cards = kinds.map((kind, i) => kindCard(kind, units, { id: `kind-${i}`, alone: sort !== '' && found === 1, nowMs: Date.now() }))
    const named = [of && units.label(of), sort && `devices named ${sort}`].filter(Boolean).join(' of ')
    body.replaceChildren(...(cards.length > 0 ? cards : [h('p', { class: 'card nothing' }, `No pattern is known of ${named}. `, h('a', { href: '/patterns' }, 'Show all'))]))
    if (focused !== null) [...body.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)?.focus({ preventScroll: true })
  }

  function showMetrics(metrics: Fleet['metrics']): void {
    const names = ['', ...metrics.map((m) => m.metric)]
    // One that the address asks for is shown as chosen, though there is nothing of it.
    if (!names.includes(place.metric)) names.push(place.metric)
    if ([...metric.options].map((o) => o.value).join() !== names.join()) metric.replaceChildren(...names.map((name) => h('option', { value: name }, name === '' ? 'All' : units.label(name))))
    metric.value = place.metric
  }

  return {
    show(query) {
      const at = Number(query.get('part') ?? 1)
      place = { metric: query.get('metric') ?? '', sort: query.get('kind') ?? '', part: Number.isInteger(at) && at > 0 ? at : 1 }
      void ask()
    },
    resume: () => void ask(),
    leave() {
      left = true
      asked.abort()
      clearTimeout(timer)
    },
  }
}
