/**
 * The form that names what drives a series, in a dialog: up to four other series, each by its device and one of its metrics.
 *
 * Owns the dialog and what is known of the devices that are typed. Leaves the checks to the server, whose words are shown at the field; but a series that
 * was never measured is not named here, since it would be a slip of the pen.
 */

import { ApiError } from '../api.ts'
import type { Api } from '../api.ts'
import { announce, button, h, setText } from '../dom.ts'
import type { Devices, SeriesKey, SeriesRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import type { EditDrivers } from './drivers.ts'

/** As many as the server takes. */
const DRIVERS_MAX = 4
const TYPING_PAUSE_MS = 160
const DEVICES_OFFERED = 20
const SERIES_MAX = 500

export interface DriversForm {
  readonly element: HTMLDialogElement
  readonly open: EditDrivers
  close(): void
}

/** One driver as it is being named. */
interface Entry {
  readonly element: HTMLElement
  readonly device: HTMLInputElement
  readonly metric: HTMLSelectElement
  readonly errors: { readonly device: HTMLElement; readonly metric: HTMLElement }
  /** The metrics of the device that is typed, as they come. */
  asked: Promise<void>
}

export function createDriversForm(api: Api, units: Units): DriversForm {
  let series: SeriesKey | null = null
  let onSaved: () => void = () => {}
  let entries: Entry[] = []
  let made = 0

  const title = h('h2', { id: 'drivers-title' })
  const offered = h('datalist', { id: 'drivers-devices' })
  const rows = h('div', { class: 'drivers-entries' })
  const add = button('quiet', 'Add another', () => addEntry(null).device.focus(), { id: 'drivers-add' })
  const whole = h('p', { class: 'error', role: 'alert', id: 'drivers-error' })
  const save = h('button', { type: 'submit', class: 'primary' }, 'Save')
  const form = h('form', { class: 'unit-form', novalidate: true },
    title,
    h('p', { class: 'muted small' }, 'Series whose hours move this one, as rain and warm air do with moist soil. What they do is learned from now on, and goes into the forecast where it helps.'),
    rows, h('div', {}, add), whole, offered,
    h('div', { class: 'form-actions' }, save, button('quiet', 'Cancel', () => element.close())))
  const element: HTMLDialogElement = h('dialog', { class: 'card', id: 'drivers', 'aria-labelledby': 'drivers-title' }, form)

  function addEntry(driver: SeriesKey | null): Entry {
    const id = `driver-${++made}`
    const device = h('input', { id: `${id}-device`, type: 'text', list: 'drivers-devices', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', 'aria-describedby': `${id}-device-error`, placeholder: 'mast-1' })
    const metric = h('select', { id: `${id}-metric`, 'aria-describedby': `${id}-metric-error` })
    const errors = { device: h('p', { id: `${id}-device-error`, class: 'error' }), metric: h('p', { id: `${id}-metric-error`, class: 'error' }) }
    const remove = button('quiet', 'Remove', () => {
      entries = entries.filter((other) => other !== entry)
      entry.element.remove()
      showRoom()
      ;(entries.at(-1)?.device ?? add).focus()
    }, { 'aria-label': 'Remove this driver' })
    const entry: Entry = {
      element: h('div', { class: 'drivers-entry', role: 'group', 'aria-label': 'A driver' },
        h('div', { class: 'field' }, h('label', { for: device.id }, 'Device'), device),
        h('div', { class: 'field' }, h('label', { for: metric.id }, 'Metric'), metric), remove, errors.device, errors.metric),
      device, metric, errors, asked: Promise.resolve(),
    }
    let typing: ReturnType<typeof setTimeout> | undefined
    device.addEventListener('input', () => {
      clearTimeout(typing)
      typing = setTimeout(() => void offer(device.value.trim()), TYPING_PAUSE_MS)
    })
    device.addEventListener('change', () => (entry.asked = fill(entry, '')))
    device.value = driver?.device ?? ''
    if (driver) entry.asked = fill(entry, driver.metric)
    entries.push(entry)
    rows.append(entry.element)
    showRoom()
    return entry
  }

  /** Devices whose names fit what is typed. Without an answer a name can be typed whole. */
  async function offer(typed: string): Promise<void> {
    const { devices } = await api.get<Devices>('/v1/devices', { q: typed, order: 'name', limit: DEVICES_OFFERED }).catch(() => ({ devices: [] }))
    offered.replaceChildren(...devices.map((d) => h('option', { value: d.device })))
  }

  /** Offers the metrics of the device that is typed, `wanted` as the chosen one. */
  async function fill({ device, metric }: Entry, wanted: string): Promise<void> {
    const name = device.value.trim()
    const { series: known } = name === '' ? { series: [] } : await api.get<{ series: SeriesRow[] }>('/v1/series', { device: name, limit: SERIES_MAX }).catch(() => ({ series: [] as SeriesRow[] }))
    if (device.value.trim() !== name) return
    // What was named before it was measured stays named.
    const names = [...new Set([...known.map((row) => row.metric), ...(wanted === '' ? [] : [wanted])])]
    metric.replaceChildren(...names.map((of) => h('option', { value: of }, units.label(of))))
    if (wanted !== '') metric.value = wanted
  }

  function showRoom(): void {
    add.hidden = entries.length >= DRIVERS_MAX
    setText(add, entries.length === 0 ? 'Add one' : 'Add another')
  }

  function say(place: HTMLElement, text: string, control: HTMLElement | null): void {
    setText(place, text)
    control?.focus()
  }

  function clearErrors(): void {
    for (const place of form.querySelectorAll<HTMLElement>('.error')) setText(place, '')
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (series === null) return
    clearErrors()
    save.disabled = true
    const of = series
    const named = entries.filter(({ device }) => device.value.trim() !== '')
    try {
      await Promise.all(named.map((entry) => entry.asked))
      const unknown = named.find(({ metric }) => metric.value === '')
      if (unknown) return say(unknown.errors.device, `Nothing was measured by a device of this name: ${unknown.device.value.trim()}. Check how it is written.`, unknown.device)
      const drivers = named.map(({ device, metric }) => ({ device: device.value.trim(), metric: metric.value }))
      await api.send('/v1/drivers', { method: 'POST', body: { device: of.device, metric: of.metric, drivers } })
      announce(drivers.length === 0 ? `${units.label(of.metric)} has no drivers any more` : `What drives ${units.label(of.metric)} is named`)
      element.close()
      onSaved()
    } catch (problem) {
      const [, i, field] = /^\/drivers\/(\d+)(?:\/(device|metric))?$/.exec(problem instanceof ApiError ? String(problem.problem.pointer) : '') ?? []
      const entry = named[Number(i ?? -1)]
      if (!entry) return say(whole, (problem as Error).message, null)
      say(field === 'metric' ? entry.errors.metric : entry.errors.device, (problem as Error).message, field === 'metric' ? entry.metric : entry.device)
    } finally {
      save.disabled = false
    }
  })

  return {
    element,
    open(of, drivers, then) {
      series = of
      onSaved = then
      setText(title, `What drives ${units.label(of.metric)}`)
      entries = []
      rows.replaceChildren()
      clearErrors()
      for (const driver of drivers) addEntry(driver)
      if (drivers.length === 0) addEntry(null)
      void offer('')
      element.showModal()
      entries[0].device.focus()
    },
    close: () => element.close(),
  }
}
