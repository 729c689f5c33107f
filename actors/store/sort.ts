/**
 * The order of a seal's readings: by series, then by time, then as they came.
 *
 * Series are few against rows and readings of one come nearly in order, so rows are dealt to their series by counting, as cards to
 * hands, and each hand is put in order by insertion; only a hand that is thoroughly shuffled is sorted otherwise.
 */

/** Insertion may move this many rows for each row of a series, before the series is sorted otherwise. */
const MOVES_A_ROW = 16

/** By series number, its place among all in the order of the keys. */
export function rankKeys(keys: readonly string[]): { rank: Int32Array; sorted: string[] } {
  const order = Array.from(keys, (_, i) => i)
  order.sort((a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : 0))
  const rank = new Int32Array(keys.length)
  for (let i = 0; i < order.length; i++) rank[order[i]] = i
  return { rank, sorted: order.map((i) => keys[i]) }
}

/** Rows in order: by `rank[series[row]]`, then by `ts[row]`, then by row. Those of rank r stand in `order` from `ends[r]` to before `ends[r + 1]`. */
export interface SortedRows {
  readonly order: Uint32Array
  readonly ends: Uint32Array
}

export function sortRows(rows: number, series: Int32Array, ts: Float64Array, rank: Int32Array): SortedRows {
  const ends = new Uint32Array(rank.length + 1)
  for (let i = 0; i < rows; i++) ends[rank[series[i]] + 1]++
  for (let r = 0; r < rank.length; r++) ends[r + 1] += ends[r]
  const begins = ends.slice()
  const order = new Uint32Array(rows)
  for (let i = 0; i < rows; i++) order[begins[rank[series[i]]]++] = i
  for (let r = 0; r < rank.length; r++) sortHand(order, ends[r], ends[r + 1], ts)
  return { order, ends }
}

function sortHand(order: Uint32Array, from: number, to: number, ts: Float64Array): void {
  let moves = (to - from) * MOVES_A_ROW
  for (let i = from + 1; i < to; i++) {
    const row = order[i]
    const t = ts[row]
    let at = i
    while (at > from && ts[order[at - 1]] > t) {
      order[at] = order[at - 1]
      at--
    }
    order[at] = row
    moves -= i - at
    if (moves < 0) {
      order.subarray(from, to).sort((a, b) => ts[a] - ts[b] || a - b)
      return
    }
  }
}
