/**
 * The fields of the form: a sentence to be filled in, by the kind of rule.
 *
 * Owns the elements, and which of them a kind has. Leaves what they mean to form.ts, and what they must be to the server, whose words are shown at the field.
 */

import type { Api } from '../api.ts'
import { h, segments, setText } from '../dom.ts'
import type { Devices } from '../shapes.ts'
import type { Units } from '../units.ts'
import { BEGIN, KINDS } from './form.ts'
import type { Form, Kind } from './form.ts'

const TYPING_PAUSE_MS = 160
const DEVICES_OFFERED = 20
const SEVERITIES = ['info', 'warning', 'critical']
const WHICH = [['all', 'All that measure it'], ['prefix', 'Those whose names begin with'], ['device', 'One device']] as const
const SIDES: Readonly<Record<Kind, readonly [down: string, up: string]>> = {
  threshold: ['is below', 'is above'], rate: ['falls by', 'rises by'], silence: ['', ''], forecast: ['is expected below', 'is expected above'], neighbours: ['is below what they suggest by', 'is above what they suggest by'],
}

export interface FormFields {
  readonly element: HTMLElement
  /** Fills the fields; null: the document has more than they could hold. What is being typed in is left alone. */
  show(form: Form | null, why: string): void
  /** An error at a field; false where the form does not have it now. */
  say(field: keyof Form, text: string): boolean
  clearErrors(): void
  focus(): void
}

export function createFormFields(api: Api, units: Units, onChange: (form: Form) => void): FormFields {
  let form: Form | null = null
  let metrics: readonly string[] = []
  const errors = new Map<string, HTMLElement>()

  const change = (part: Partial<Form>) => {
    if (form === null) return
    form = { ...form, ...part }
    arrange(form)
    onChange(form)
  }
  const input = (name: keyof Form, attributes: Record<string, string> = {}): HTMLInputElement => {
    const element: HTMLInputElement = h('input', { id: `rule-${name}`, type: 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', 'aria-describedby': `rule-${name}-error`, oninput: () => change({ [name]: element.value.trim() }), ...attributes })
    return element
  }
  const select = (name: keyof Form, options: readonly (readonly [value: string, label: string])[]): HTMLSelectElement => {
    const element: HTMLSelectElement = h('select', { id: `rule-${name}`, 'aria-describedby': `rule-${name}-error`, onchange: () => change({ [name]: element.value }) }, ...options.map(([value, label]) => h('option', { value }, label)))
    return element
  }
  const severity = (name: 'severity' | 'worseSeverity') => input(name, { list: 'rule-severities', maxlength: '32' })
  const fields = {
    name: input('name', { maxlength: '100', placeholder: 'Soil too dry', spellcheck: 'true' }),
    metric: select('metric', []),
    which: select('which', WHICH),
    device: input('device', { list: 'rule-devices', placeholder: 'field-7/' }),
    side: select('side', [['down', ''], ['up', '']]),
    limit: input('limit'),
    clear: input('clear', { inputmode: 'decimal' }),
    within: input('within', { placeholder: '6h' }),
    hold: input('hold', { placeholder: '10m' }),
    severity: severity('severity'),
    worse: input('worse'),
    worseSeverity: severity('worseSeverity'),
  }
  const labels = new Map<string, HTMLElement>()
  const field = (name: keyof typeof fields, label: string) => {
    const words = h('span', {}, label)
    const error = h('p', { id: `rule-${name}-error`, class: 'error' })
    errors.set(name, error)
    labels.set(name, words)
    return h('div', { class: 'field', 'data-field': name }, h('label', { for: `rule-${name}` }, words), fields[name], error)
  }
  const kinds = h('fieldset', { class: 'segments', id: 'rule-kinds' }, h('legend', { class: 'unseen' }, 'What is watched for'))
  const kindButtons = segments(kinds, 'rule-kind', KINDS, (value) => change({ ...BEGIN[value as Kind], kind: value as Kind, clear: '', limit: '', worse: '', ...(value === 'silence' ? { within: '', hold: '' } : {}) }))
  const offered = h('datalist', { id: 'rule-devices' })
  const body = h('div', { class: 'rule-fields' },
    kinds, field('name', 'Called'),
    h('div', { class: 'field-pair' }, field('metric', 'What is watched'), field('which', 'Of which devices')), field('device', 'Device'),
    h('div', { class: 'field-pair' }, field('side', 'When it'), field('limit', 'Limit')),
    h('div', { class: 'field-pair' }, field('within', 'Within'), field('hold', 'Without a break for'), field('clear', 'Over again at')),
    field('severity', 'Severity'),
    h('div', { class: 'field-pair' }, field('worse', 'Worse beyond'), field('worseSeverity', 'Severity then')),
    offered, h('datalist', { id: 'rule-severities' }, ...SEVERITIES.map((value) => h('option', { value }))))
  const none = h('p', { class: 'muted', id: 'rule-no-form', hidden: true })
  const element = h('div', { class: 'rule-form', role: 'group', 'aria-label': 'The rule as a form' }, none, body)

  let typing: ReturnType<typeof setTimeout> | undefined
  fields.device.addEventListener('input', () => {
    clearTimeout(typing)
    typing = setTimeout(() => void offer(), TYPING_PAUSE_MS)
  })
  fields.device.addEventListener('focus', () => void offer())

  /** Devices whose names fit what is typed; a name can be typed whole without. */
  async function offer(): Promise<void> {
    const { devices } = await api.get<Devices>('/v1/devices', { q: fields.device.value.trim(), order: 'name', limit: DEVICES_OFFERED }).catch(() => ({ devices: [] }))
    offered.replaceChildren(...devices.map((d) => h('option', { value: d.device })))
  }

  async function learnMetrics(): Promise<void> {
    const { summary } = await api.get<Devices>('/v1/devices', { limit: 1 }).catch(() => ({ summary: { metrics: [] as Devices['summary']['metrics'] } }))
    metrics = summary.metrics.map(({ metric }) => metric).sort()
    if (form === null) return
    // A new rule watches something that is there, not nothing.
    if (form.metric === '' && metrics.length > 0) change({ metric: metrics[0] })
    else arrange(form)
  }
  void learnMetrics()

  /** Which fields there are, and what they are called, of a kind. */
  function arrange(of: Form): void {
    const shown: Record<string, boolean> = { device: of.which !== 'all', side: of.kind !== 'silence', clear: of.kind === 'threshold', within: of.kind === 'rate' || of.kind === 'forecast', hold: of.kind !== 'silence' }
    for (const [name, isShown] of Object.entries(shown)) body.querySelector<HTMLElement>(`[data-field="${name}"]`)!.hidden = !isShown
    const [down, up] = SIDES[of.kind]
    setText(fields.side.options[0], down)
    setText(fields.side.options[1], up)
    const symbol = units.symbol(of.metric)
    const isSilence = of.kind === 'silence'
    setText(labels.get('limit')!, isSilence ? 'When nothing comes for' : symbol === '' ? 'Limit' : `Limit in ${symbol}`)
    setText(labels.get('worse')!, isSilence ? 'Worse after' : 'Worse beyond')
    setText(labels.get('device')!, of.which === 'device' ? 'Device' : 'Beginning of their names')
    fields.limit.placeholder = isSilence ? 'its own usual gaps' : of.kind === 'rate' ? '5' : '14'
    fields.worse.placeholder = isSilence ? '2h' : 'no second step'
    fields.clear.placeholder = of.limit || 'the limit'
    const names = [...new Set([...metrics, ...(of.metric === '' ? [] : [of.metric])])]
    if ([...fields.metric.options].map((o) => o.value).join('\n') !== names.join('\n')) fields.metric.replaceChildren(...names.map((name) => h('option', { value: name }, units.label(name))))
    fields.metric.value = of.metric
  }

  return {
    element,
    show(next, why) {
      form = next
      body.hidden = next === null
      none.hidden = next !== null
      setText(none, why)
      if (next === null) return
      kindButtons.set(next.kind)
      arrange(next)
      for (const [name, control] of Object.entries(fields)) if (document.activeElement !== control || control.value.trim() !== next[name as keyof Form]) control.value = next[name as keyof Form]
    },
    say(name, text) {
      const error = errors.get(name)
      if (form === null || error === undefined || error.closest<HTMLElement>('.field')!.hidden) return false
      setText(error, text)
      fields[name as keyof typeof fields].focus()
      return true
    },
    clearErrors() {
      for (const error of errors.values()) setText(error, '')
    },
    focus: () => fields.name.focus(),
  }
}
