/** The question behind a button of an alert: shall it be so, and what is there to say about it? */

import { button, h, setText } from '../dom.ts'
import type { AlertRow } from '../shapes.ts'

/** What a person can do about an alert. */
export interface Verb {
  /** As the API has it. */
  readonly name: string
  readonly label: string
  /** What comes of it. */
  readonly about: string
  readonly key: string
  /** States in which it can be done. */
  readonly from: readonly string[]
  /** What it will be afterwards. */
  readonly state: string
  /** Whether it asks for how long. */
  readonly isTimed?: boolean
}

export const VERBS: readonly Verb[] = [
  { name: 'ack', label: 'Acknowledge', about: 'Others see that somebody looks after it. It stays open until all is well.', key: 'a', from: ['open', 'shelved'], state: 'acked' },
  { name: 'shelve', label: 'Put aside', about: 'Nothing is said of it for a time, unless it grows worse.', key: 's', from: ['open', 'acked'], state: 'shelved', isTimed: true },
  { name: 'unshelve', label: 'Take up again', about: 'It is open again, and said to be.', key: 'u', from: ['shelved'], state: 'open' },
  { name: 'resolve', label: 'Resolve', about: 'It is over, and comes back only after all was well once.', key: 'r', from: ['open', 'acked', 'shelved'], state: 'resolved' },
]

/** Whether that can be done with an alert now. */
export const fits = ({ from }: Verb, { state }: { readonly state: string }): boolean => from.includes(state)

/** How long an alert may be put aside; a day's work is the usual. */
const TIMES = [['1h', '1 hour'], ['8h', '8 hours'], ['1d', '1 day'], ['3d', '3 days'], ['7d', '7 days'], ['30d', '30 days']] as const
const TIME_USUAL = '8h'
/** As many characters as the server takes. */
const NOTE_CHARS_MAX = 500

export interface AnswerDialog {
  readonly element: HTMLDialogElement
  ask(verb: Verb, alert: AlertRow, title: string): void
  close(): void
}

/** What a person says to it, as the API takes it. */
export interface Answer {
  readonly note?: string
  readonly for?: string
}

/** `onAnswer` throws with words where it can't be done. */
export function createAnswerDialog(onAnswer: (verb: Verb, alert: AlertRow, answer: Answer) => Promise<void>): AnswerDialog {
  let asked: { verb: Verb; alert: AlertRow } | null = null
  const title = h('h2', { id: 'answer-title' })
  const about = h('p', { class: 'muted small' })
  const note = h('textarea', { id: 'answer-note', rows: 3, maxlength: NOTE_CHARS_MAX, 'aria-describedby': 'answer-error' })
  const time = h('select', { id: 'answer-time' }, ...TIMES.map(([value, label]) => h('option', { value }, label)))
  const timeField = h('div', { class: 'field' }, h('label', { for: 'answer-time' }, 'For'), time)
  const error = h('p', { class: 'error', role: 'alert', id: 'answer-error' })
  const sure = h('button', { type: 'submit', class: 'primary' })
  const form = h('form', { class: 'unit-form', novalidate: true },
    title, about, timeField,
    h('div', { class: 'field' }, h('label', { for: 'answer-note' }, 'A note for the others, if there is one'), note), error,
    h('div', { class: 'form-actions' }, sure, button('quiet', 'Cancel', () => element.close())))
  const element: HTMLDialogElement = h('dialog', { class: 'card', id: 'answer', 'aria-labelledby': 'answer-title' }, form)
  note.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey) return
    event.preventDefault()
    form.requestSubmit()
  })
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (asked === null) return
    sure.disabled = true
    setText(error, '')
    try {
      const words = note.value.trim()
      await onAnswer(asked.verb, asked.alert, { ...(words === '' ? {} : { note: words }), ...(asked.verb.isTimed ? { for: time.value } : {}) })
      element.close()
    } catch (problem) {
      setText(error, (problem as Error).message)
    } finally {
      sure.disabled = false
    }
  })
  return {
    element,
    ask(verb, alert, of) {
      asked = { verb, alert }
      setText(title, `${verb.label}: ${of}`)
      setText(about, verb.about)
      setText(sure, verb.label)
      setText(error, '')
      note.value = ''
      time.value = TIME_USUAL
      timeField.hidden = verb.isTimed !== true
      element.showModal()
      ;(verb.isTimed ? time : note).focus()
    },
    close: () => element.close(),
  }
}
