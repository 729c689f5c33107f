/** Columns that grow as rows are added: typed arrays with room to spare, all of one length. */

const FIRST_ROWS = 1024

/**
 * Rows of 32-bit whole numbers and doubles by column. `int` and `double` are the arrays themselves, longer than `length`; they are
 * replaced when the rows outgrow them, so fetch them after `reserve`.
 */
export class GrowingColumns<I extends string, D extends string> {
  length = 0
  int: Record<I, Int32Array>
  double: Record<D, Float64Array>
  #room = FIRST_ROWS

  constructor(ints: readonly I[], doubles: readonly D[]) {
    this.int = Object.fromEntries(ints.map((name) => [name, new Int32Array(FIRST_ROWS)])) as Record<I, Int32Array>
    this.double = Object.fromEntries(doubles.map((name) => [name, new Float64Array(FIRST_ROWS)])) as Record<D, Float64Array>
  }

  /** Makes room for `rows` more. The caller writes them from `length` on, and then adds to `length`. */
  reserve(rows: number): void {
    if (this.length + rows <= this.#room) return
    while (this.#room < this.length + rows) this.#room *= 2
    for (const name of Object.keys(this.int) as I[]) {
      const bigger = new Int32Array(this.#room)
      bigger.set(this.int[name].subarray(0, this.length))
      this.int[name] = bigger
    }
    for (const name of Object.keys(this.double) as D[]) {
      const bigger = new Float64Array(this.#room)
      bigger.set(this.double[name].subarray(0, this.length))
      this.double[name] = bigger
    }
  }
}

/**
 * A column to stage. `time` is epoch ms in, TIMESTAMP out; `whole` is a whole number in a double, BIGINT out. Of a pooled text,
 * `index[i]` names the text of row i.
 */
export type StagedColumn =
  | { readonly name: string; readonly kind: 'int'; readonly data: Int32Array }
  | { readonly name: string; readonly kind: 'double' | 'time' | 'whole'; readonly data: Float64Array }
  | { readonly name: string; readonly kind: 'text'; readonly data: readonly (string | null)[] }
