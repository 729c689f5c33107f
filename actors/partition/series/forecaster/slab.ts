/**
 * Memory for the forecasters of all series of a partition: rows of one size each, in chunks, so that a million of them are some thousands
 * of objects, and growing moves nothing.
 *
 * A row holds doubles, then floats, then 16-bit whole numbers. `open` points the one `Row` of the slab at one of them.
 *
 * - S1 A row that is given out is all zero.
 * - S2 Which place a row has is no part of a state: a snapshot names rows by their series.
 */

const CHUNK_ROWS = 64

/** A row's numbers: `doubles[d + i]`, `floats[f + i]`, `shorts[s + i]`. */
export interface Row {
  doubles: Float64Array
  floats: Float32Array
  shorts: Int16Array
  d: number
  f: number
  s: number
}

interface Chunk {
  readonly bytes: Uint8Array
  readonly doubles: Float64Array
  readonly floats: Float32Array
  readonly shorts: Int16Array
}

export class Slab {
  readonly rowBytes: number
  readonly #floatsAt: number
  readonly #shortsAt: number
  readonly #chunks: Chunk[] = []
  readonly #free: number[] = []
  #used = 0
  readonly #row: Row

  constructor({ doubles, floats, shorts }: { doubles: number; floats: number; shorts: number }) {
    this.#floatsAt = doubles * 2
    this.#shortsAt = (this.#floatsAt + floats) * 2
    this.rowBytes = Math.ceil((this.#shortsAt + shorts) / 4) * 8
    const none = new ArrayBuffer(0)
    this.#row = { doubles: new Float64Array(none), floats: new Float32Array(none), shorts: new Int16Array(none), d: 0, f: 0, s: 0 }
  }

  /** Rows given out. */
  get count(): number {
    return this.#used - this.#free.length
  }

  /** Bytes taken from the process. */
  get bytes(): number {
    return this.#chunks.length * CHUNK_ROWS * this.rowBytes
  }

  /** A row of zeros. */
  take(): number {
    const freed = this.#free.pop()
    if (freed !== undefined) {
      this.bytesOf(freed).fill(0)
      return freed
    }
    if (this.#used === this.#chunks.length * CHUNK_ROWS) {
      const memory = new ArrayBuffer(CHUNK_ROWS * this.rowBytes)
      this.#chunks.push({ bytes: new Uint8Array(memory), doubles: new Float64Array(memory), floats: new Float32Array(memory), shorts: new Int16Array(memory) })
    }
    return this.#used++
  }

  give(place: number): void {
    this.#free.push(place)
  }

  /** The numbers of a row; valid until the next call. */
  open(place: number): Row {
    const chunk = this.#chunks[Math.floor(place / CHUNK_ROWS)]
    const from = (place % CHUNK_ROWS) * this.rowBytes
    const row = this.#row
    row.doubles = chunk.doubles
    row.floats = chunk.floats
    row.shorts = chunk.shorts
    row.d = from / 8
    row.f = from / 4 + this.#floatsAt
    row.s = from / 2 + this.#shortsAt
    return row
  }

  bytesOf(place: number): Uint8Array {
    const from = (place % CHUNK_ROWS) * this.rowBytes
    return this.#chunks[Math.floor(place / CHUNK_ROWS)].bytes.subarray(from, from + this.rowBytes)
  }
}
