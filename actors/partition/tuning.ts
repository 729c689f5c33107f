/**
 * What people's answers to anomalies do: "not useful" puts the bar of that series up, "useful" brings it down again, and below where it began.
 *
 * The bar is a likelihood: a reading is reported that is no likelier than 10^-(bar). Each answer moves it by a step, so that one slip of a finger
 * changes little, and a series of which nobody wants to hear is quiet after a handful.
 *
 * - T1 A series without answers has no entry: its factor is 1.
 * - T2 A factor stays within `FACTOR_MIN` and `FACTOR_MAX`: no number of answers silences a series altogether.
 */

/** What an answer does to the bar's exponent. */
const USELESS_STEP = 1.25
const USEFUL_STEP = 0.9
export const FACTOR_MIN = 0.75
export const FACTOR_MAX = 4

export class Tuning {
  #factors = new Map<number, number>()

  /** By how much the exponent of a series' bar is multiplied. */
  factorOf(series: number): number {
    return this.#factors.size === 0 ? 1 : (this.#factors.get(series) ?? 1)
  }

  /** Takes an answer in, and gives the factor that holds from now on. */
  answer(series: number, useful: boolean): number {
    const moved = this.factorOf(series) * (useful ? USEFUL_STEP : USELESS_STEP)
    const factor = Math.min(FACTOR_MAX, Math.max(FACTOR_MIN, moved))
    this.restore(series, factor)
    return factor
  }

  restore(series: number, factor: number): void {
    if (factor === 1) this.#factors.delete(series)
    else this.#factors.set(series, factor)
  }

  get size(): number {
    return this.#factors.size
  }

  /** Series and factor by turns, in order of the series. */
  entries(): number[] {
    return [...this.#factors].sort(([a], [b]) => a - b).flat()
  }
}
