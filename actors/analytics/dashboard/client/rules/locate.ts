/**
 * Places in a JSON text: where the value of a pointer stands, and where the text stops being JSON. Pure.
 *
 * Owns a reader that remembers places, as `JSON.parse` does not, and says nothing of places that all browsers understand.
 */

export interface Span {
  /** From 0, in UTF-16 units. */
  readonly from: number
  /** Behind its end. */
  readonly to: number
}

export class SyntaxPlace extends Error {
  readonly at: number

  constructor(at: number) {
    super(`Cannot read this as JSON from place ${at} on`)
    this.at = at
  }
}

const LITERAL = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const SPACE = /[ \t\n\r]*/y

/** The span of each value by its pointer (RFC 6901), the whole text's by the empty one. Throws `SyntaxPlace`. */
export function placesOf(text: string): Map<string, Span> {
  const places = new Map<string, Span>()
  let at = 0

  const skip = () => {
    SPACE.lastIndex = at
    at += SPACE.exec(text)![0].length
  }
  const take = (sign: string) => {
    skip()
    if (text[at] !== sign) return false
    at++
    return true
  }
  const literal = (): string => {
    LITERAL.lastIndex = at
    const found = LITERAL.exec(text)?.[0]
    if (found === undefined) throw new SyntaxPlace(at)
    at += found.length
    return found
  }

  function value(pointer: string): void {
    skip()
    const from = at
    if (take('{')) members(pointer, '}')
    else if (take('[')) members(pointer, ']')
    else literal()
    places.set(pointer, { from, to: at })
  }

  function members(pointer: string, end: '}' | ']'): void {
    if (take(end)) return
    for (let i = 0; ; i++) {
      skip()
      let name = String(i)
      if (end === '}') {
        if (text[at] !== '"') throw new SyntaxPlace(at)
        name = JSON.parse(literal()) as string
        if (!take(':')) throw new SyntaxPlace(at)
      }
      value(`${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`)
      if (take(end)) return
      if (!take(',')) throw new SyntaxPlace(at)
    }
  }

  value('')
  skip()
  if (at < text.length) throw new SyntaxPlace(at)
  return places
}

/** Where the value of a pointer stands; of one that is missing, the innermost part around it that is there. */
export function locate(text: string, pointer: string): Span {
  const places = placesOf(text)
  for (let of = pointer; ; of = of.slice(0, of.lastIndexOf('/'))) {
    const found = places.get(of)
    if (found !== undefined) return found
  }
}

/** Line and column of a place, from 1. */
export function lineOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at)
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') }
}
