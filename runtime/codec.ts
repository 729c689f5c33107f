/**
 * Bytes on the wire: msgpack for structure, raw little-endian columns for numbers.
 *
 * A column travels as a msgpack `bin`, so a message of 10,000 rows is a few msgpack values, and reading it back
 * is a copy of memory. Every machine that Weir runs on is little-endian; `assertLittleEndian` says so at load.
 */

import assert from 'node:assert/strict'
import { Packr } from 'msgpackr'
import { guardMsgpack } from './msgpack-guard.ts'

assert.equal(new Uint8Array(new Uint16Array([1]).buffer)[0], 1, 'Cannot run as the byte order must be little-endian')

// Plain maps (no records extension), so that any msgpack reader understands what is in the log.
const packr = new Packr({ useRecords: false, variableMapSize: true, moreTypes: false, int64AsType: 'number' })

/** `value` as msgpack. The bytes are the caller's own copy. */
export function pack(value: unknown): Uint8Array {
  const bytes = packr.pack(value)
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).slice()
}

/** Room that is left for what is packed after something large. */
const USUAL_BYTES = 8_192
/** Room that packing leaves unused at the end. */
const SPARE_BYTES = 4_096

/** Memory that is packed into again and again, for what is large and soon over: an engine that is given new memory each time collects its garbage instead. */
export class PackRoom {
  #memory = Buffer.alloc(0)

  /** As `pack`, for something of about so many bytes. The bytes are valid until the next call. */
  pack(value: unknown, bytesAbout: number): Uint8Array {
    if (this.#memory.length < bytesAbout + SPARE_BYTES) this.#memory = Buffer.allocUnsafeSlow(bytesAbout + SPARE_BYTES)
    packr.useBuffer(this.#memory)
    try {
      const bytes = packr.pack(value)
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    } finally {
      packr.useBuffer(Buffer.allocUnsafeSlow(USUAL_BYTES))
    }
  }
}

/** Deeper than anything that is written here. */
const DEPTH_MAX = 16

/**
 * The value in `bytes`. Throws `RangeError` on anything but one whole value. What a log holds may be a stranger's, and what decoders make
 * of odd lengths and extensions is their own affair, and another one in their next version; so the bytes are walked first.
 */
export function unpack<T = unknown>(bytes: Uint8Array): T {
  const failure = guardMsgpack(bytes, DEPTH_MAX)
  if (failure !== null) throw new RangeError(`Cannot read a message as it must be whole: ${failure}`)
  return packr.unpack(bytes) as T
}

/** What a refusal says of a value of a stranger's: an object's own words for itself may be a trap. */
export function told(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value).slice(0, 80) : `a value of type ${typeof value}`
}

export type Column = Float64Array | Float32Array | Uint32Array | Uint16Array | Uint8Array

/** The memory of a column as bytes, without a copy. */
export function toBytes(column: Column): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
}

/** Memory in which columns are made, or read, again and again: what it gives is valid until it is asked the next time. */
export class ColumnRoom {
  #memory = new ArrayBuffer(0)

  bytes(length: number): Uint8Array {
    // Half as much again, so that a little more next time takes no new memory.
    if (this.#memory.byteLength < length) this.#memory = new ArrayBuffer(Math.ceil(length / 16) * 24)
    return new Uint8Array(this.#memory, 0, length)
  }

  /** Doubles, whatever they are. */
  doubles(length: number): Float64Array {
    return new Float64Array(this.bytes(length * 8).buffer, 0, length)
  }

  /** Whole numbers, whatever they are. */
  uint32(length: number): Uint32Array {
    return new Uint32Array(this.bytes(length * 4).buffer, 0, length)
  }

  /** As `toFloat64`, with this memory for those that are not aligned. */
  readFloat64(bytes: unknown): Float64Array {
    if (!(bytes instanceof Uint8Array) || bytes.byteLength % 8 !== 0 || bytes.byteOffset % 8 === 0) return toFloat64(bytes)
    this.bytes(bytes.byteLength).set(bytes)
    return this.doubles(bytes.byteLength / 8)
  }

  /** As `toFloat32`, likewise. */
  readFloat32(bytes: unknown): Float32Array {
    if (!(bytes instanceof Uint8Array) || bytes.byteLength % 4 !== 0 || bytes.byteOffset % 4 === 0) return toFloat32(bytes)
    this.bytes(bytes.byteLength).set(bytes)
    return new Float32Array(this.#memory, 0, bytes.byteLength / 4)
  }
}

function aligned(bytes: unknown, width: number): Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw new RangeError(`Cannot read a column as it must be bytes: current value is ${told(bytes)}`)
  if (bytes.byteLength % width !== 0) throw new RangeError(`Cannot read a column as its bytes must be a multiple of ${width}: current length is ${bytes.byteLength}`)
  return bytes.byteOffset % width === 0 ? bytes : Uint8Array.prototype.slice.call(bytes)
}

/** Reads a column of doubles; copies only where the memory is not aligned. Throws `RangeError` on what is no column, as those below do. */
export function toFloat64(bytes: unknown): Float64Array {
  const a = aligned(bytes, 8)
  return new Float64Array(a.buffer, a.byteOffset, a.byteLength / 8)
}

export function toFloat32(bytes: unknown): Float32Array {
  const a = aligned(bytes, 4)
  return new Float32Array(a.buffer, a.byteOffset, a.byteLength / 4)
}

export function toUint32(bytes: unknown): Uint32Array {
  const a = aligned(bytes, 4)
  return new Uint32Array(a.buffer, a.byteOffset, a.byteLength / 4)
}

export function toUint16(bytes: unknown): Uint16Array {
  const a = aligned(bytes, 2)
  return new Uint16Array(a.buffer, a.byteOffset, a.byteLength / 2)
}

export function toUint8(bytes: unknown): Uint8Array {
  return aligned(bytes, 1)
}
