/** What is wrong with a document that is being written, said with its line, and the place of it chosen in the editor. */

import { ApiError } from '../api.ts'
import { setText } from '../dom.ts'
import type { Editor } from '../editor.ts'
import { SyntaxPlace, lineOf, locate } from './locate.ts'

/** The document as it is typed; undefined where it is no JSON, which is said at its place. */
export function parseIn(editor: Editor, trouble: HTMLElement): unknown {
  const text = editor.text()
  try {
    return JSON.parse(text) as unknown
  } catch {
    sayNoJson(editor, trouble, text)
    return undefined
  }
}

function sayNoJson(editor: Editor, trouble: HTMLElement, text: string): void {
  try {
    locate(text, '')
  } catch (problem) {
    const at = problem instanceof SyntaxPlace ? problem.at : 0
    const { line, column } = lineOf(text, at)
    setText(trouble, `Line ${line}, column ${column}: from here on this is no JSON.`)
    editor.focusAt(at, Math.min(text.length, at + 1))
  }
}

/** Pointer of what a server does not take; null where it says none. */
export const pointerOf = (problem: unknown): string | null => (problem instanceof ApiError && typeof problem.problem.pointer === 'string' ? problem.problem.pointer : null)

/** Says what a server does not take, at its place in the document where it names one. */
export function sayIn(editor: Editor, trouble: HTMLElement, problem: unknown): void {
  const { message } = problem as Error
  const pointer = pointerOf(problem)
  if (pointer === null) return setText(trouble, message)
  const text = editor.text()
  const { from, to } = locate(text, pointer)
  setText(trouble, `Line ${lineOf(text, from).line}: ${message}`)
  editor.focusAt(from, to)
}
