/** What a benchmark gives: rows to print, each with a hash of what was computed, so that nothing is optimised away. */

export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Of the result that the figure is of; the same seed gives the same hash, where the input does not depend on the clock. */
  readonly hash: string
}

/** `smoke` is the size that tests run, to see that a bench works; `real` is the size whose figures mean something. */
export type BenchSize = 'smoke' | 'real'

/**
 * `readings` and `dir` are of the benches on made lakes: how large (`100M`), and where it is kept. `data` and `out` are of those on corpora:
 * the folder that holds one, and where what was made of it goes.
 */
export type Bench = (options: { size: BenchSize; readings?: string; dir?: string; data?: string; out?: string }) => Promise<BenchRow[]> | BenchRow[]

export function printRows(rows: readonly BenchRow[]): void {
  for (const row of rows) {
    const digits = row.value >= 100 ? 0 : row.value >= 1 ? 1 : 3
    const value = row.value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    console.log(`${row.name.padEnd(58)} ${value.padStart(14)} ${row.unit.padEnd(12)} ${row.hash}`)
  }
}
