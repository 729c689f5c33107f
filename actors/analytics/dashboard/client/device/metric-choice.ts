/** Which metrics of a device are shown: a row of switches, each with the metric's last value. */

import { h, setText } from '../dom.ts'
import type { ReadingRow, SeriesRow } from '../shapes.ts'
import type { Units } from '../units.ts'

export interface MetricChoice {
  readonly element: HTMLElement
  show(rows: readonly SeriesRow[], chosen: readonly string[]): void
  /** A reading came. */
  note(reading: ReadingRow): void
}

export function createMetricChoice(units: Units, onChoose: (metrics: string[]) => void): MetricChoice {
  const element = h('fieldset', { class: 'chips', id: 'metrics', hidden: true }, h('legend', { class: 'unseen' }, 'Metrics shown'))
  const chips = new Map<string, { input: HTMLInputElement; value: HTMLElement; element: HTMLElement }>()

  function choose(): void {
    const chosen = [...chips].filter(([, chip]) => chip.input.checked).map(([name]) => name)
    // With none there would be nothing to look at: the last one stays.
    if (chosen.length > 0) onChoose(chosen)
    else onChoose([...chips.keys()].slice(0, 1))
  }

  return {
    element,
    show(rows, chosen) {
      element.hidden = rows.length < 2
      const names = new Set(rows.map((row) => row.metric))
      for (const [name, chip] of chips) {
        if (names.has(name)) continue
        chip.element.remove()
        chips.delete(name)
      }
      for (const { metric, value } of rows) {
        let chip = chips.get(metric)
        if (!chip) {
          const input = h('input', { type: 'checkbox', onchange: choose })
          const said = h('span', { class: 'chip-value' })
          const label = h('label', { class: 'chip', title: metric }, input, h('span', {}, units.label(metric)), said)
          chips.set(metric, (chip = { input, value: said, element: label }))
          element.append(label)
        }
        chip.input.checked = chosen.includes(metric)
        setText(chip.value, units.text(metric, value))
      }
    },
    note: ({ metric, value }) => {
      const chip = chips.get(metric)
      if (chip) setText(chip.value, units.text(metric, value))
    },
  }
}
