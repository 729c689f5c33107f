/** A rule tried on what was measured: how much of it, what would have been raised, and whether that is still of the rule as it is written now. */

import type { Api } from '../api.ts'
import { button, h, segments, setText } from '../dom.ts'
import { pointerOf } from './document-errors.ts'
import { RANGES } from './place.ts'
import type { Range } from './place.ts'
import { timeline, trialTable } from './timeline.ts'
import { trialWords } from './trial.ts'
import type { Trial } from './trial.ts'

const BEFORE = 'What would it have raised? Try it on what was measured: nothing is saved, and nobody is told.'

export interface TrialPanelListener {
  /** What is to be tried; null where it is nothing that could be, which is said elsewhere. */
  subject(): { readonly id: string; readonly body: unknown } | null
  onTried(range: Range): void
  /** The server does not take the rule, and says where. */
  onWrong(problem: unknown): void
}

export interface TrialPanel {
  readonly element: HTMLElement
  /** Tries it; by default on as much as before. */
  run(range?: Range): Promise<void>
  /** The rule has changed: what is shown is of what it was. */
  age(): void
  /** Another rule: nothing is tried yet. */
  clear(): void
}

export function createTrialPanel(api: Api, { subject, onTried, onWrong }: TrialPanelListener): TrialPanel {
  let range: Range = '7d'
  let trying = new AbortController()
  const ranges = h('fieldset', { class: 'segments', id: 'rule-ranges' }, h('legend', { class: 'unseen' }, 'How much of the past'))
  const buttons = segments(ranges, 'rule-range', RANGES, (value) => void run(value as Range))
  const said = h('p', { id: 'trial-said', role: 'status', class: 'muted' }, BEFORE)
  const body = h('div', { id: 'trial' })
  const element = h('section', { class: 'card rule-part', 'aria-label': 'Trial' },
    h('div', { class: 'trial-tools' }, h('h2', {}, 'On what was measured'), ranges, button('quiet', 'Try it', () => void run(), { id: 'rule-try' })), said, body)

  async function run(of: Range = range): Promise<void> {
    range = of
    buttons.set(range)
    const rule = subject()
    if (rule === null) return
    trying.abort()
    trying = new AbortController()
    const { signal } = trying
    body.setAttribute('aria-busy', 'true')
    setText(said, 'Trying…')
    onTried(range)
    try {
      const response = await api.send(`/v1/rules/${encodeURIComponent(rule.id)}/try?time=ms&from=-${range}`, { method: 'POST', body: rule.body, signal })
      const trial = (await response.json()) as Trial
      if (signal.aborted) return
      const now = Date.now()
      delete body.dataset.stale
      setText(said, trialWords(trial, RANGES.find(({ value }) => value === range)!.label))
      body.replaceChildren(...(trial.events.length === 0 ? [] : [timeline(trial, now), trialTable(trial, now)]))
    } catch (problem) {
      if (signal.aborted) return
      body.replaceChildren()
      const isWrong = pointerOf(problem) !== null
      setText(said, isWrong ? 'It can be tried once it is right.' : (problem as Error).message)
      if (isWrong) onWrong(problem)
    } finally {
      if (!signal.aborted) body.removeAttribute('aria-busy')
    }
  }

  return {
    element,
    run,
    age() {
      if (!body.hasChildNodes() || body.dataset.stale !== undefined) return
      body.dataset.stale = ''
      setText(said, 'The rule has changed since it was tried.')
    },
    clear() {
      trying.abort()
      buttons.set(range)
      body.replaceChildren()
      body.removeAttribute('aria-busy')
      delete body.dataset.stale
      setText(said, BEFORE)
    },
  }
}
