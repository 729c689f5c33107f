/** Numbers and times as people read them. Pure, but for the browser's locale and time zone. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const grouped = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 })
// K, M, B in the page's own language: an m of another one would read as minutes.
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 })

/** A whole count, grouped: 12,345. */
export function count(n: number): string {
  return grouped.format(n)
}

/** A count with little room: 1.2M. */
export function compact(n: number): string {
  return n < 10_000 ? grouped.format(n) : short.format(n)
}

/** A measured value with up to five significant digits: 23.4, 0.00012, 1.2e+30. */
export function value(v: number | null | undefined): string {
  if (v === null || v === undefined) return '–'
  const size = Math.abs(v)
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return v.toExponential(2)
  return new Intl.NumberFormat(undefined, { maximumSignificantDigits: Math.max(5, Math.ceil(Math.log10(size + 1))), useGrouping: size >= 1e4 }).format(v)
}

/** A size that is known roughly, to two significant digits: 0.0031968 becomes 0.0032. */
export function roughly(v: number): number {
  return Number(v.toPrecision(2))
}

/** A rate a second: 0.4, 12, 85.3k. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0'
  if (perSecond < 10) return perSecond.toFixed(1)
  return compact(Math.round(perSecond))
}

/** A length of time in its largest fitting unit: 80 ms, 4.2 s, 3 min, 5 h, 12 d. */
export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`
  if (ms < MINUTE) return `${Math.round(ms / SECOND)} s`
  if (ms < HOUR) return `${Math.round(ms / MINUTE)} min`
  if (ms < 2 * DAY) return `${Math.round(ms / HOUR)} h`
  return `${Math.round(ms / DAY)} d`
}

/** How long ago `ts` was: `now`, `3 s ago`, `in 2 h`; a date where it is more than a month. */
export function age(ts: number | null, nowMs: number): string {
  if (ts === null) return ''
  const ms = nowMs - ts
  if (Math.abs(ms) < 1.5 * SECOND) return 'now'
  if (ms < 0) return `in ${duration(-ms)}`
  if (ms > 31 * DAY) return date(ts)
  return `${duration(Math.round(ms / SECOND) * SECOND).replace('.0 s', ' s')} ago`
}

const dates = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' })
const times = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const minutes = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const stamps = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const fullStamps = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const longStamps = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

export function date(ts: number): string {
  return dates.format(ts)
}

/** A moment with as much of the date as its distance from now asks for. */
export function moment(ts: number, nowMs: number): string {
  const distance = Math.abs(nowMs - ts)
  if (distance < 12 * HOUR) return times.format(ts)
  if (distance < 300 * DAY) return stamps.format(ts)
  return longStamps.format(ts)
}

/** A moment with all of its date, for tables: 28 Nov 2026, 08:17:38. */
export function stamp(ts: number): string {
  return fullStamps.format(ts)
}

/** The time of day, without seconds. */
export function clockTime(ts: number): string {
  return minutes.format(ts)
}

export function zone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}
