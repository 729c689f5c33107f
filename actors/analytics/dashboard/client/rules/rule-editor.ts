/**
 * One rule being written: the form and the document, which say the same; tried on what was measured; saved, or ended.
 *
 * Owns what is being written, and what the server says of it at its place. Leaves fields to form-fields.ts, trials to trial-panel.ts, the address to the page.
 *
 * - D1 The document is the rule; the form is a way to write it. What is typed in one shows in the other.
 * - D2 Nobody's change is lost unasked: what somebody else saved meanwhile is said, and either can be kept; what is not saved is here again when one
 *   comes back.
 */

import { ApiError } from '../api.ts'
import type { Api } from '../api.ts'
import { announce, button, h, setText } from '../dom.ts'
import { createEditor } from '../editor.ts'
import { count } from '../format.ts'
import type { RuleDocument, RuleRow } from '../shapes.ts'
import type { Units } from '../units.ts'
import { parseIn, pointerOf, sayIn } from './document-errors.ts'
import { createFormFields } from './form-fields.ts'
import { BEGIN, EMPTY, documentOf, fieldAt, formOf, idOf } from './form.ts'
import type { Form, Kind } from './form.ts'
import { jsonColours } from './json-colours.ts'
import type { Range } from './place.ts'
import { createTrialPanel } from './trial-panel.ts'
import { ruleName } from './words.ts'

const NOT_WHOLE = 'The document is not whole yet; once it is, the form shows it.'
const NO_FORM = 'This rule says more than the form can hold. It is edited as a document.'

/** What was written and not saved, by rule, with the revision that it began with; as long as the dashboard is open. */
const drafts = new Map<string, { text: string; revision: number }>()

export interface RuleEditorListener {
  /** It is saved; what it is called now. */
  onSaved(id: string): void
  onDeleted(): void
  /** It was tried, so that the address says so. */
  onTried(range: Range): void
  openAlerts(id: string): number
}

export interface RuleEditor {
  readonly element: HTMLElement
  /** Begins with a stored rule, or with a new one of a kind. */
  begin(rule: RuleRow | null, kind: Kind | null, mayEdit: boolean): void
  try(range: Range): Promise<void>
  leave(): void
}

export function createRuleEditor(api: Api, units: Units, { onSaved, onDeleted, onTried, openAlerts }: RuleEditorListener): RuleEditor {
  /** Revision that what is written began with; 0: there was none. */
  let revision = 0
  let id = ''
  let isNew = true
  let begun = ''
  /** Under which name a draft of it is kept. */
  let draft = ''
  let beginAnew: () => void = () => {}

  const form = createFormFields(api, units, writeForm)
  const editor = createEditor({ id: 'rule-document', label: 'The rule as a document', describedBy: 'rule-document-error', placeholder: '{}', colour: jsonColours, onRun: () => void trial.run(), onInput: readDocument })
  const trial = createTrialPanel(api, {
    subject() {
      clearErrors()
      const body = toSend()
      return body === undefined ? null : { id: id || named.value || 'new', body }
    },
    onTried,
    onWrong: point,
  })
  const named = h('input', { id: 'rule-id', type: 'text', maxlength: 64, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', 'aria-describedby': 'rule-id-error', oninput: () => (named.dataset.own = 'yes') })
  const namedError = h('p', { id: 'rule-id-error', class: 'error' })
  const namedField = h('div', { class: 'field' }, h('label', { for: 'rule-id' }, 'Short name, for addresses and programs; it stays'), named, namedError)
  const trouble = h('p', { class: 'error', role: 'alert', id: 'rule-document-error' })
  const conflict = h('div', { class: 'trouble rule-conflict', role: 'alert', id: 'rule-conflict', hidden: true })
  const save = button('primary', 'Save', () => void store(), { id: 'rule-save' })
  const remove = button('quiet', 'Delete', () => sure.showModal(), { id: 'rule-delete' })
  const onlyReads = h('p', { class: 'muted small', hidden: true }, 'It may be changed and tried here; a key of the role admin saves it.')
  const sureAbout = h('p', { class: 'muted' })
  const sureError = h('p', { class: 'error', role: 'alert' })
  const sure: HTMLDialogElement = h('dialog', { class: 'card', id: 'rule-sure', 'aria-labelledby': 'rule-sure-title' },
    h('div', { class: 'unit-form' }, h('h2', { id: 'rule-sure-title' }, 'Delete this rule?'), sureAbout, sureError,
      h('div', { class: 'form-actions' }, button('primary', 'Delete it', () => void end(), { id: 'rule-delete-sure' }), button('quiet', 'Keep it', () => sure.close()))))
  const asDocument = h('details', { class: 'card editor-card' }, h('summary', {}, 'The same as a document (JSON)'), editor.element,
    h('div', { class: 'rule-trouble' }, trouble, h('p', { class: 'muted small' }, 'What is written here shows in the form, and the other way round. Ctrl or ⌘ with Enter tries it.')))
  const again = h('p', { class: 'rule-again', id: 'rule-again', hidden: true }, 'What you wrote before, and did not save, is here again. ',
    button('as-link', 'Begin anew without it', () => {
      begun = editor.text()
      beginAnew()
    }))
  const both = h('div', { class: 'rule-editor' }, h('section', { class: 'card rule-part', 'aria-label': 'Form' }, form.element, namedField), asDocument)
  const element = h('div', { class: 'stack' },
    conflict, again, both,
    h('div', { class: 'rule-actions' }, save, remove, onlyReads),
    trial.element, sure)

  function written(): Record<string, unknown> | null {
    try {
      const json: unknown = JSON.parse(editor.text())
      return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Record<string, unknown>) : null
    } catch {
      return null
    }
  }

  function showForm(): void {
    const document = written()
    const made = document === null ? null : formOf(document)
    form.show(made, document === null ? NOT_WHOLE : NO_FORM)
    if (isNew && named.dataset.own === undefined && typeof document?.name === 'string') named.value = idOf(document.name)
  }

  function readDocument(): void {
    clearErrors()
    showForm()
    trial.age()
  }

  function writeForm(made: Form): void {
    clearErrors()
    editor.setText(JSON.stringify(documentOf(made, written() ?? {}), null, 2))
    if (isNew && named.dataset.own === undefined) named.value = idOf(made.name)
    trial.age()
  }

  function clearErrors(): void {
    form.clearErrors()
    setText(trouble, '')
    setText(namedError, '')
  }

  /** Says what is wrong at its place: at the field where the form has it, else in the document. */
  function point(problem: unknown): void {
    const { message } = problem as Error
    if (problem instanceof ApiError && problem.problem.parameter === 'id') {
      setText(namedError, message)
      return named.focus()
    }
    const pointer = pointerOf(problem)
    const field = pointer === null ? null : fieldAt(pointer)
    if (field !== null && form.say(field, message)) return
    asDocument.open = true
    sayIn(editor, trouble, problem)
  }

  /** The document to be sent; undefined where it is no JSON, which is said at its place. */
  function toSend(): unknown {
    if (written() === null) asDocument.open = true
    return parseIn(editor, trouble)
  }

  /** `over`: the revision that is saved over, where that is not the one it began with. */
  async function store(over: number = revision): Promise<void> {
    clearErrors()
    conflict.hidden = true
    const of = isNew ? named.value.trim() : id
    if (of === '') {
      setText(namedError, 'It needs a short name, such as dry-soil.')
      return named.focus()
    }
    const body = toSend()
    if (body === undefined) return
    save.disabled = true
    try {
      const headers: Record<string, string> = over === 0 ? { 'If-None-Match': '*' } : { 'If-Match': `"${over}"` }
      await api.send(`/v1/rules/${encodeURIComponent(of)}`, { method: 'PUT', headers, body })
      begun = editor.text()
      announce(`${ruleName(of, body as RuleDocument)} is saved`)
      onSaved(of)
    } catch (problem) {
      if (problem instanceof ApiError && problem.status === 412) await sayConflict(of)
      else point(problem)
    } finally {
      save.disabled = false
    }
  }

  async function sayConflict(of: string): Promise<void> {
    const theirs = await stored(of).catch(() => null)
    if (isNew) {
      setText(namedError, 'There is a rule of this short name already: choose another one.')
      return named.focus()
    }
    const words = theirs === null ? 'Somebody has deleted this rule while you wrote.' : 'Somebody has changed this rule while you wrote.'
    conflict.replaceChildren(h('p', {}, `${words} Nothing is lost yet: which one shall be?`),
      h('div', { class: 'form-actions' },
        theirs !== null && button('quiet', 'Show theirs', () => ((begun = editor.text()), begin(theirs, null, true)), { id: 'rule-theirs' }),
        button('quiet', theirs === null ? 'Save mine anew' : 'Save mine over it', () => void store(theirs?.revision ?? 0), { id: 'rule-mine' })))
    conflict.hidden = false
    conflict.scrollIntoView({ block: 'nearest' })
  }

  /** The rule as it is now; null where it is gone. */
  async function stored(of: string): Promise<RuleRow | null> {
    try {
      return await api.get<RuleRow>(`/v1/rules/${encodeURIComponent(of)}`)
    } catch (problem) {
      if (problem instanceof ApiError && problem.status === 404) return null
      throw problem
    }
  }

  async function end(): Promise<void> {
    setText(sureError, '')
    try {
      await api.send(`/v1/rules/${encodeURIComponent(id)}`, { method: 'DELETE', headers: { 'If-Match': `"${revision}"` } })
      sure.close()
      begun = editor.text()
      announce('The rule is deleted')
      onDeleted()
    } catch (problem) {
      if (!(problem instanceof ApiError) || problem.status !== 412) return setText(sureError, (problem as Error).message)
      sure.close()
      await sayConflict(id)
    }
  }

  function keepDraft(): void {
    if (editor.text() === begun) drafts.delete(draft)
    else drafts.set(draft, { text: editor.text(), revision })
  }

  function begin(rule: RuleRow | null, kind: Kind | null, mayEdit: boolean): void {
    keepDraft()
    trial.clear()
    conflict.hidden = true
    isNew = rule === null
    id = rule?.id ?? ''
    revision = rule?.revision ?? 0
    named.value = ''
    delete named.dataset.own
    namedField.hidden = !isNew
    save.hidden = !mayEdit
    remove.hidden = !mayEdit || isNew
    onlyReads.hidden = mayEdit
    const open = rule === null ? 0 : openAlerts(rule.id)
    setText(sureAbout, `It watches no more${open === 0 ? '' : `, and its ${count(open)} open alert${open === 1 ? ' is' : 's are'} resolved`}. What it has raised stays in the history.`)
    const first = rule?.rule ?? documentOf({ ...EMPTY, ...BEGIN[kind ?? 'threshold'], kind: kind ?? 'threshold' })
    editor.setText(JSON.stringify(first, null, 2))
    begun = editor.text()
    beginAnew = () => begin(rule, kind, mayEdit)
    draft = id || `new ${kind}`
    const kept = drafts.get(draft)
    again.hidden = kept === undefined
    if (kept !== undefined) {
      editor.setText(kept.text)
      revision = kept.revision
    }
    clearErrors()
    showForm()
    // On a phone the form comes first, and is mostly enough.
    both.toggleAttribute('data-alone', formOf(first) === null)
    asDocument.open = formOf(first) === null || !matchMedia('(max-width: 900px)').matches
    if (isNew) form.focus()
  }

  return {
    element,
    begin,
    try: (range) => trial.run(range),
    leave() {
      keepDraft()
      trial.clear()
      sure.close()
    },
  }
}
