/** What this browser keeps: the key, the theme, the last queries. */

/** Kept in memory as well, for browsers that forbid storage. */
const memory = new Map<string, string>()

export function stored(name: string): string | null {
  try {
    return localStorage.getItem(name) ?? memory.get(name) ?? null
  } catch {
    return memory.get(name) ?? null
  }
}

/** Null removes. */
export function store(name: string, value: string | null): void {
  if (value === null) memory.delete(name)
  else memory.set(name, value)
  try {
    if (value === null) localStorage.removeItem(name)
    else localStorage.setItem(name, value)
  } catch {
    // Memory has it for this visit.
  }
}

/** Takes a key out of `#key=…` and out of the address with it: a key must not stay where it is copied and shown. */
export function takeKeyFromAddress(): void {
  const key = new URLSearchParams(location.hash.slice(1)).get('key')
  if (key === null) return
  history.replaceState(null, '', location.pathname + location.search)
  if (key.trim() !== '') store('weir.key', key.trim())
}
