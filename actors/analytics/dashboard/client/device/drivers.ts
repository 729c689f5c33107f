/**
 * What drives one series, beneath its chart: each driver with what it does, whether the forecast goes by them, and a button for those who may name them.
 *
 * Owns asking for them. Leaves the sentences to drivers-words.ts, and naming to drivers-form.ts.
 */

import { isRefusal } from '../api.ts'
import type { Api } from '../api.ts'
import { button, h, setText } from '../dom.ts'
import { address } from '../page.ts'
import type { DriversOf, SeriesKey } from '../shapes.ts'
import type { Units } from '../units.ts'
import { effectWords, usedWords } from './drivers-words.ts'

/** What is found is told once a day; somebody else may name others at any time. */
const REFRESH_MS = 300_000

/** Opens the form for the drivers of a series; `onSaved` once they have been named. */
export type EditDrivers = (series: SeriesKey, drivers: readonly SeriesKey[], onSaved: () => void) => void

export interface Drivers {
  readonly element: HTMLElement
  /** Asks anew where that was long ago. Never rejects. */
  refresh(): void
  leave(): void
}

export function createDrivers(api: Api, units: Units, series: SeriesKey, onEdit: EditDrivers): Drivers {
  const leaving = new AbortController()
  let askedAt = -Infinity
  let told: DriversOf | null = null

  const name = units.label(series.metric)
  const list = h('ul', { class: 'drivers-list' })
  const use = h('span', { class: 'muted drivers-use' })
  const edit = button('quiet', '', () => told && onEdit(series, told.drivers, () => void ask()), { 'data-drivers': series.metric, 'aria-haspopup': 'dialog' })
  const element = h('div', { class: 'drivers small', role: 'group', 'aria-label': `What drives ${name}`, hidden: true }, list, h('p', { class: 'drivers-foot' }, use, ' ', edit))

  async function ask(): Promise<void> {
    askedAt = Date.now()
    try {
      const answer = await api.get<DriversOf>('/v1/drivers', { device: series.device, metric: series.metric }, leaving.signal)
      if (!leaving.signal.aborted) show(answer)
    } catch (error) {
      if (leaving.signal.aborted || isRefusal(error)) return
      // What is drawn does not depend on it: the next round asks again.
      askedAt = -Infinity
    }
  }

  function show(answer: DriversOf): void {
    told = answer
    const { drivers, mayEdit } = answer
    element.hidden = drivers.length === 0 && !mayEdit
    edit.hidden = !mayEdit
    setText(edit, drivers.length === 0 ? 'Name what drives it' : 'Change')
    edit.setAttribute('aria-label', drivers.length === 0 ? `Name what drives it: ${name}` : `Change what drives ${name}`)
    list.hidden = drivers.length === 0
    list.replaceChildren(...drivers.map((driver) =>
      h('li', {}, 'Driven by ',
        h('a', { href: address('/device', { id: driver.device, metrics: driver.metric }) }, `${units.label(driver.metric)} of ${driver.device}`),
        `: ${effectWords(series.metric, driver, units).join('; ')}.`)))
    setText(use, `${usedWords(answer, Date.now())}${list.textContent.includes('±') ? ' Each effect is besides the others; ± is the standard error.' : ''}`)
  }

  return {
    element,
    refresh() {
      if (Date.now() - askedAt > REFRESH_MS) void ask()
    },
    leave: () => leaving.abort(),
  }
}
