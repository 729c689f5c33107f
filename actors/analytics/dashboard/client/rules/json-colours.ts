/** The parts of JSON in their colours. */

import { coloured } from '../editor.ts'

const TOKENS = /("(?:[^"\\]|\\.)*"?)(\s*:)?|(-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|\b(true|false|null)\b/g

export function jsonColours(text: string): (Node | string)[] {
  return coloured(text, TOKENS, ([, string, colon, number]) => (string ? (colon ? 'name' : 'string') : number ? 'number' : 'word'))
}
