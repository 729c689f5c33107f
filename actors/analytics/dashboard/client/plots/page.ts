/**
 * The plots: how each field is, when it wants water and how much, and why. Made to be read in five seconds, on a phone in the sun.
 *
 * Owns the cards and when they are asked anew. Leaves words to words.ts, drawings to drawing.ts, and all that is said of a field to its advice.
 */

import { isRefusal } from '../api.ts'
import { announce, button, h, setText } from '../dom.ts'
import type { Context, Page } from '../page.ts'
import { course, tank } from './drawing.ts'
import { deed, MOOD_WORDS, moodOf, summary } from './words.ts'
import type { PlotDay, PlotEntry } from './words.ts'

const AGAIN_MS = 60_000
const TRY_AGAIN_MS = 3_000
const DAYS = 30
const URGENT = ['thirsty', 'soon', 'well', 'unknown', 'resting']

export function open(host: HTMLElement, { api }: Context): Page {
  let left = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const unfolded = new Set<string>()
  const said = h('p', { class: 'lead-in', id: 'plots-said' }, 'Asking…')
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const cards = h('div', { class: 'plots', id: 'plots' })
  host.append(h('div', { class: 'page-head' }, h('h1', {}, 'Plots'), said), trouble, cards)

  async function load(): Promise<void> {
    clearTimeout(timer)
    try {
      const { plots, advised } = await api.get<{ plots: PlotEntry[]; advised: boolean }>('/v1/plots')
      if (left) return
      trouble.hidden = true
      render(plots, advised)
      timer = setTimeout(() => void load(), AGAIN_MS)
    } catch (error) {
      if (left || isRefusal(error)) return
      trouble.hidden = false
      setText(trouble, `Cannot show the plots: ${(error as Error).message.replace(/\.$/, '')}. Trying again.`)
      timer = setTimeout(() => void load(), TRY_AGAIN_MS)
    }
  }

  function render(plots: readonly PlotEntry[], advised: boolean): void {
    const words = summary(plots, advised)
    if (said.textContent !== words) announce(words)
    setText(said, words)
    const order = [...plots].sort((a, b) => URGENT.indexOf(moodOf(a.advice)) - URGENT.indexOf(moodOf(b.advice)) || a.plot.name.localeCompare(b.plot.name))
    cards.replaceChildren(...order.map(card))
  }

  function card({ id, plot, advice }: PlotEntry): HTMLElement {
    const mood = moodOf(advice)
    const { when, much } = deed(advice)
    const crop = typeof plot.crop === 'string' ? plot.crop : plot.crop.name
    const more = h('div', { class: 'plot-more', hidden: true })
    const toggle = button('quiet', 'Its days', () => void unfold(id, more, toggle), { 'aria-expanded': 'false' })
    const reasons = advice === null ? [] : advice.reasons
    const element = h('section', { class: 'card plot-card', 'data-mood': mood, 'aria-label': plot.name },
      h('div', { class: 'plot-head' }, h('h2', {}, plot.name), h('p', { class: 'muted small' }, `${crop} · ${plot.areaHa} ha`), h('p', { class: 'plot-mood' }, MOOD_WORDS[mood])),
      h('p', { class: 'plot-when' }, when),
      h('p', { class: 'plot-much' }, much),
      advice === null ? null : tank(advice),
      reasons.length === 0 ? null : h('ul', { class: 'plot-reasons' }, ...reasons.slice(0, 3).map((reason) => h('li', {}, reason))),
      advice?.nitrogen == null ? null : h('p', { class: 'small' }, advice.nitrogen),
      advice === null ? null : toggle,
      more)
    if (unfolded.has(id)) void unfold(id, more, toggle)
    return element
  }

  async function unfold(id: string, more: HTMLElement, toggle: HTMLButtonElement): Promise<void> {
    if (!more.hidden) {
      more.hidden = true
      toggle.setAttribute('aria-expanded', 'false')
      unfolded.delete(id)
      return
    }
    unfolded.add(id)
    toggle.setAttribute('aria-expanded', 'true')
    more.hidden = false
    more.replaceChildren(h('p', { class: 'muted small' }, 'Asking…'))
    try {
      const { days } = await api.get<{ days: PlotDay[] }>(`/v1/plots/${encodeURIComponent(id)}`, { days: DAYS })
      if (left) return
      const last = days.at(-1)
      if (last === undefined) return more.replaceChildren(h('p', { class: 'muted small' }, 'No day has ended yet.'))
      more.replaceChildren(
        course(days),
        h('p', { class: 'muted small' }, 'Water lacking around the roots; the dashed line is where thirst begins, dots are what the probes say, bars are rain and watering.'),
        ...(last.reasons.length > 3 ? [h('ul', { class: 'plot-reasons' }, ...last.reasons.slice(3).map((reason) => h('li', {}, reason)))] : []),
        ...(last.grade == null ? [] : [h('p', { class: 'muted small' }, last.grade)]))
    } catch (error) {
      if (left || isRefusal(error)) return
      more.replaceChildren(h('p', { class: 'trouble' }, `Cannot show its days: ${(error as Error).message}`))
    }
  }

  void load()
  return {
    show: () => {},
    resume: () => void load(),
    leave: () => {
      left = true
      clearTimeout(timer)
    },
  }
}
