/**
 * Memory for what a partition knows of its series: rows of one size each, in chunks, so that a million of them are some thousands of objects,
 * and growing moves nothing.
 *
 * A row holds doubles, then floats, then 16-bit whole numbers. `open` points the one `Row` of the slab at one of them.
 *
 * - S1 A row that is given out is all zero.
 * - S2 Which place a row has is no part of a state: a snapshot names rows by their series.
 */

/** A chunk has so many rows at least, and so many more as fit into so many bytes: small rows would else be mostly the objects of their chunks. */
const CHUNK_ROWS_MIN = 64
const CHUNK_BYTES = 32_768

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

/** So much is given out uncounted before a piece is counted: an engine's 64 MB are then about half a gigabyte. */
const UNCOUNTED_BYTES = 524_288
let uncounted = 0

/**
 * Memory that stays as long as its partition. An engine counts the memory of buffers as what a collection might set free, and collects everything again
 * at each 64 MB more: with a million series that was most of what restoring them cost. What threads can share it does not count, though none shares
 * this. A part is counted all the same, so that partitions that have left are not kept for long.
 */
export function lastingMemory(bytes: number): ArrayBufferLike {
  uncounted += bytes
  if (uncounted < UNCOUNTED_BYTES) return new SharedArrayBuffer(bytes)
  uncounted = 0
  return new ArrayBuffer(bytes)
}

const NO_FLOATS = new Float32Array(0)
const NO_SHORTS = new Int16Array(0)

export class Slab {
  readonly rowBytes: number
  readonly #floatsAt: number
  readonly #shortsAt: number
  /** Rows of a chunk, as a power of two. */
  readonly #bits: number
  readonly #hasFloats: boolean
  readonly #hasShorts: boolean
  readonly #chunks: Chunk[] = []
  readonly #free: number[] = []
  #used = 0
  readonly #row: Row

  constructor({ doubles, floats, shorts }: { doubles: number; floats: number; shorts: number }) {
    this.#floatsAt = doubles * 2
    this.#shortsAt = (this.#floatsAt + floats) * 2
    this.rowBytes = Math.ceil((this.#shortsAt + shorts) / 4) * 8
    this.#bits = 31 - Math.clz32(Math.max(CHUNK_ROWS_MIN, CHUNK_BYTES / this.rowBytes))
    this.#hasFloats = floats > 0
    this.#hasShorts = shorts > 0
    this.#row = { doubles: new Float64Array(0), floats: NO_FLOATS, shorts: NO_SHORTS, d: 0, f: 0, s: 0 }
  }

  /** Rows given out. */
  get count(): number {
    return this.#used - this.#free.length
  }

  /** Bytes taken from the process. */
  get bytes(): number {
    return (this.#chunks.length << this.#bits) * this.rowBytes
  }

  /** A row of zeros. */
  take(): number {
    const freed = this.#free.pop()
    if (freed !== undefined) {
      const from = (freed & ((1 << this.#bits) - 1)) * this.rowBytes
      this.#chunks[freed >>> this.#bits].bytes.fill(0, from, from + this.rowBytes)
      return freed
    }
    if (this.#used === this.#chunks.length << this.#bits) this.#grow()
    return this.#used++
  }

  #grow(): void {
    const memory = lastingMemory((1 << this.#bits) * this.rowBytes)
    this.#chunks.push({
      bytes: new Uint8Array(memory),
      doubles: new Float64Array(memory),
      floats: this.#hasFloats ? new Float32Array(memory) : NO_FLOATS,
      shorts: this.#hasShorts ? new Int16Array(memory) : NO_SHORTS,
    })
  }

  give(place: number): void {
    this.#free.push(place)
  }

  /** The numbers of a row; valid until the next call. */
  open(place: number): Row {
    const chunk = this.#chunks[place >>> this.#bits]
    const from = (place & ((1 << this.#bits) - 1)) * this.rowBytes
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
    const from = (place & ((1 << this.#bits) - 1)) * this.rowBytes
    return this.#chunks[place >>> this.#bits].bytes.subarray(from, from + this.rowBytes)
  }
}
