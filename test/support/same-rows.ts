/** Whether two answers hold the same rows, in any order; of doubles, up to the rounding of sums. */

const TOLERANCE = 1e-9

const isDouble = (value: unknown): value is number => typeof value === 'number' && !Number.isInteger(value)
const told = (value: unknown): string => (typeof value === 'object' && value !== null ? String(value) : `${typeof value}:${String(value)}`)

function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return told(a) === told(b)
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b)
  return a === b || Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b))
}

/** Null where they are; else what is first found that only one of them has. */
export function sameRows(got: readonly (readonly unknown[])[], want: readonly (readonly unknown[])[]): string | null {
  if (got.length !== want.length) return `${got.length} rows, not ${want.length}`
  // Rows are matched by what is exact in them; the few that share all of that are tried in turn.
  const keyOf = (row: readonly unknown[]) => row.map((value) => (isDouble(value) || typeof value === 'number' ? '#' : told(value))).join('\n')
  const left = new Map<string, (readonly unknown[])[]>()
  for (const row of want) {
    const key = keyOf(row)
    left.set(key, [...(left.get(key) ?? []), row])
  }
  for (const row of got) {
    const candidates = left.get(keyOf(row)) ?? []
    const at = candidates.findIndex((other) => other.every((value, i) => sameValue(row[i], value)))
    if (at < 0) return `[${row.map(told).join(', ')}], which is none of ${candidates.slice(0, 3).map((other) => `[${other.map(told).join(', ')}]`).join(' ') || 'the rows'}`
    candidates.splice(at, 1)
  }
  return null
}
