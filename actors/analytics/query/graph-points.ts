/**
 * The points of a graph: stretches of one series with what was in them, put into buckets, and the gaps between them.
 *
 * - O1 A bucket's extremes, count, mean and last value are those of all that it holds.
 * - O2 Quantiles of a bucket that holds several windows are those of the mixture of their distributions, each a line through its least value, its
 *   p50, p95, p99 and its greatest. A quantile of a mixture lies between the least and the greatest of its parts' own, and so does this one: it
 *   is off by less than those differ within one pixel. They are null where a part of the bucket has none.
 * - O3 A gap is where the series was silent for longer than three of its usual intervals, those of the points before it and those of the points
 *   behind it: so a device that has begun to measure more often has no gaps in its past. The usual interval of some points is the median of the
 *   time to the next one divided by the readings in it.
 */

/** An instant, or a stretch `[ts, end)`. */
export interface Point {
  ts: number
  end: number
  min: number
  max: number
  sum: number
  count: number
  last: number
  p50: number | null
  p95: number | null
  p99: number | null
}

const GAP_INTERVALS = 3
/** Points on either side of a silence that say what is usual. */
const NEIGHBOURS = 8
/** Halvings that find a quantile: to a 65,536th of how far those of the parts are apart. */
const HALVINGS = 16

/** Points in order of time, in buckets of `stepMs`. */
export function bucketsOf(points: readonly Point[], stepMs: number): Point[] {
  const buckets: Point[] = []
  for (let from = 0; from < points.length; ) {
    const ts = Math.floor(points[from].ts / stepMs) * stepMs
    let to = from + 1
    while (to < points.length && points[to].ts < ts + stepMs) to++
    buckets.push(merged(points.slice(from, to), { ts, end: ts + stepMs }))
    from = to
  }
  return buckets
}

/** Points in order of time as one. */
export function merged(parts: readonly Point[], stretch: { ts: number; end: number }): Point {
  const [first] = parts
  if (parts.length === 1) return { ...first, ...stretch }
  let { min, max, sum, count } = first
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i]
    if (part.min < min) min = part.min
    if (part.max > max) max = part.max
    sum += part.sum
    count += part.count
  }
  const known = parts.every((part) => part.p50 !== null)
  const quantile = (q: number, of: (part: Known) => number) => (known ? quantileOf(parts as readonly Known[], q, count, of) : null)
  const [p50, p95, p99] = [quantile(0.5, (p) => p.p50), quantile(0.95, (p) => p.p95), quantile(0.99, (p) => p.p99)]
  return { ...stretch, min, max, sum, count, last: parts[parts.length - 1].last, p50, p95, p99 }
}

/** A point whose quantiles are known. */
type Known = Point & { readonly p50: number; readonly p95: number; readonly p99: number }

function quantileOf(parts: readonly Known[], q: number, count: number, of: (part: Known) => number): number {
  let low = Infinity
  let high = -Infinity
  for (const part of parts) {
    low = Math.min(low, of(part))
    high = Math.max(high, of(part))
  }
  for (let n = 0; n < HALVINGS && low < high; n++) {
    const middle = low + (high - low) / 2
    let below = 0
    for (const part of parts) below += part.count * shareBelow(part, middle)
    if (below < q * count) low = middle
    else high = middle
  }
  return high
}

/** The share of a part's readings at or below a value, on straight lines between what is known. */
function shareBelow({ min, p50, p95, p99, max }: Known, value: number): number {
  if (value < min) return 0
  if (value >= max) return 1
  if (value < p50) return (0.5 * (value - min)) / (p50 - min)
  if (value < p95) return 0.5 + (0.45 * (value - p50)) / (p95 - p50)
  if (value < p99) return 0.95 + (0.04 * (value - p95)) / (p99 - p95)
  return 0.99 + (0.01 * (value - p99)) / (max - p99)
}

export function gapsOf(points: readonly Pick<Point, 'ts' | 'end' | 'count'>[]): [number, number][] {
  const gaps: [number, number][] = []
  if (points.length < 3) return gaps
  const usual = (from: number, to: number) => {
    const intervals: number[] = []
    for (let i = Math.max(0, from); i < Math.min(to, points.length - 1); i++) intervals.push((points[i + 1].ts - points[i].ts) / points[i].count)
    return intervals.sort((a, b) => a - b)[(intervals.length - 1) >> 1] ?? 0
  }
  for (let i = 1; i < points.length; i++) {
    const before = points[i - 1]
    if (points[i].ts <= before.end) continue
    const interval = Math.max(usual(i - 1 - NEIGHBOURS, i - 1), usual(i, i + NEIGHBOURS))
    // The last reading before the silence came, as usual, about an interval before the end of its stretch.
    const lastAt = Math.max(before.ts, before.end - interval)
    if (points[i].ts - lastAt > GAP_INTERVALS * interval) gaps.push([before.end, points[i].ts])
  }
  return gaps
}
