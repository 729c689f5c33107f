/**
 * States as text: JSON, with the three numbers that JSON lacks written as `{"$": "NaN"}`.
 *
 * Owns what plain data is, and refuses the rest by the place where it stands. The same state gives the same text, and a text the same state, so that
 * whoever resumes an actor goes on with exactly what it had.
 */

const ODD = new Map<number, string>([[NaN, 'NaN'], [Infinity, 'Infinity'], [-Infinity, '-Infinity']])
const NUMBERS = new Map([...ODD].map(([number, name]) => [name, number]))
const MARK = '$'
const DEPTH_MAX = 32

/** Throws `TypeError` that names the place of what is not plain data. */
export function encodePlain(value: unknown): string {
  return JSON.stringify(plain(value, '', 0))
}

function plain(value: unknown, at: string, depth: number): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : { [MARK]: ODD.get(value) }
  if (depth > DEPTH_MAX) throw new TypeError(`Cannot keep it as ${at || 'it'} must be at most ${DEPTH_MAX} deep`)
  if (Array.isArray(value)) return Array.from(value, (item, i) => plain(item, `${at}[${i}]`, depth + 1))
  const kind = typeof value === 'object' ? Object.getPrototypeOf(value) : null
  if (typeof value === 'object' && (kind === Object.prototype || kind === null)) {
    const entries = Object.entries(value as object)
    if (entries.some(([name]) => name === MARK || name === '__proto__')) throw new TypeError(`Cannot keep it as ${at || 'it'} must have no property ${MARK} or __proto__`)
    return Object.fromEntries(entries.map(([name, item]) => [name, plain(item, at === '' ? name : `${at}.${name}`, depth + 1)]))
  }
  const current = typeof value === 'object' ? `of the class ${String((value as object).constructor?.name)}` : value === undefined ? 'undefined' : `a ${typeof value}`
  throw new TypeError(`Cannot keep it as ${at || 'it'} must be plain data: current value is ${current}`)
}

export function decodePlain(text: string): unknown {
  return JSON.parse(text, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !(MARK in value)) return value
    return NUMBERS.get(String((value as Record<string, unknown>)[MARK])) ?? value
  })
}

/** Plain data that nobody can change any more. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) for (const part of Object.values(Object.freeze(value))) freeze(part)
  return value
}
