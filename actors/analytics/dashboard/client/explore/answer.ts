/**
 * An answer of SQL, and what can be drawn of it.
 *
 * Pure. Owns the choice of axes, and the columns of a plot. Leaves drawing to plot.ts and result-table.ts.
 */

export interface Column {
  readonly name: string
  readonly type: string
}

export interface Answer {
  readonly columns: readonly Column[]
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly truncated: boolean
}

export type Kind = 'time' | 'number' | 'text'

/** What a column is, for the eye. */
export function kindOf({ type }: Column): Kind {
  if (/^(TIMESTAMP|DATE)/i.test(type)) return 'time'
  return /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|REAL|DECIMAL(\(.*\))?)$/i.test(type) ? 'number' : 'text'
}

/** A plot: over time or a number, or a bar a text. `by` splits each value by a text column. */
export interface Choice {
  readonly x: string
  readonly xKind: Kind
  readonly y: readonly string[]
  readonly by: string | null
  readonly kind: 'line' | 'bars'
}

export interface Wishes {
  readonly x: string | null
  readonly y: readonly string[]
  readonly by: string | null
  readonly kind: 'line' | 'bars' | null
}

/** The wish that nothing splits the values. */
export const NO_SPLIT = '-'
/** Lines that one can still tell apart. */
export const LINES_MAX = 8
const VALUES_FIRST = 3

/** The plot that fits, with what the reader wishes where it can be had; null where there is nothing to draw. */
export function choose({ columns, rows }: Answer, wishes: Wishes): Choice | null {
  const of = (kind: Kind) => columns.filter((c) => kindOf(c) === kind).map((c) => c.name)
  const [times, numbers, texts] = [of('time'), of('number'), of('text')]
  const all = columns.map((c) => c.name)
  const x = wishes.x !== null && all.includes(wishes.x) ? wishes.x : (times[0] ?? (texts.length > 0 && numbers.length > 0 ? texts[0] : numbers.length > 1 ? numbers[0] : undefined))
  if (x === undefined || rows.length === 0) return null
  const others = numbers.filter((name) => name !== x)
  const wished = wishes.y.filter((name) => others.includes(name))
  const y = wished.length > 0 ? wished : others.slice(0, VALUES_FIRST)
  if (y.length === 0) return null
  const xKind = kindOf(columns.find((c) => c.name === x)!)
  const by = xKind === 'text' || wishes.by === NO_SPLIT ? null : splitBy(rows, x, texts.filter((name) => name !== x), wishes.by)
  const kind = xKind === 'text' ? 'bars' : (wishes.kind ?? 'line')
  return { x, xKind, y: by === null ? y : wished.length > 0 ? wished : y.slice(0, 1), by, kind }
}

/** The text column that tells rows of one x apart, if so few values do that each can have a line. */
function splitBy(rows: Answer['rows'], x: string, texts: readonly string[], wish: string | null): string | null {
  if (wish !== null && texts.includes(wish)) return wish
  if (new Set(rows.map((row) => row[x])).size === rows.length) return null
  return texts.find((name) => {
    const values = new Set(rows.map((row) => row[name]))
    return values.size > 1 && values.size <= LINES_MAX
  }) ?? null
}

/** A number as it may come: as a text, where it is beyond what JSON's numbers hold. */
export function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}

/** A time in epoch ms, as it may come: as one, or as RFC 3339. */
export function timeOf(value: unknown): number | null {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return null
  const ms = Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(value) ? value : `${value.replace(' ', 'T')}Z`)
  return Number.isNaN(ms) ? null : ms
}

export interface Lines {
  readonly names: readonly string[]
  /** Of all lines, growing. */
  readonly x: readonly number[]
  readonly y: readonly (readonly (number | null)[])[]
  /** Lines left out, since more could not be told apart. */
  readonly left: number
}

const collator = new Intl.Collator('en', { numeric: true })

/** The lines of a plot over time or a number. */
export function linesOf({ rows }: Answer, { x, xKind, y, by }: Choice): Lines {
  const at = xKind === 'time' ? timeOf : numberOf
  const lines = new Map<string, Map<number, number | null>>()
  for (const row of rows) {
    const place = at(row[x])
    if (place === null) continue
    for (const name of y) {
      const of = by === null ? name : `${String(row[by] ?? '–')}${y.length > 1 ? ` ${name}` : ''}`
      let line = lines.get(of)
      if (!line) lines.set(of, (line = new Map()))
      line.set(place, numberOf(row[name]))
    }
  }
  const names = [...lines.keys()].sort(by === null ? () => 0 : collator.compare).slice(0, LINES_MAX)
  const places = [...new Set(names.flatMap((name) => [...lines.get(name)!.keys()]))].sort((a, b) => a - b)
  // A place that a line has no row for is left open by `undefined`, over which it is drawn on; a null breaks it.
  const open = undefined as unknown as null
  return { names, x: places, y: names.map((name) => places.map((place) => (lines.get(name)!.has(place) ? lines.get(name)!.get(place)! : open))), left: lines.size - names.length }
}
