/**
 * The form of a snapshot that comes in pieces, as one object: read and written frame by frame, so that neither side ever holds all of it.
 *
 * After one byte, `FRAMES`, follow frames: a length of four bytes, then msgpack `[checksum, body]`. The first body says what it is a snapshot of and of how
 * many pieces; the others are the pieces, with how they are compressed.
 *
 * - F1 A checksum is the SHA-256 of the one before and the body: a piece is looked at only once it is known to be the next one of this object.
 */

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { PackRoom, unpack } from './codec.ts'

/** First byte of such an object: no msgpack array begins so, as one of a whole snapshot does. */
export const FRAMES = 2

const LENGTH_BYTES = 4
const NOTHING = new Uint8Array(0)

/** Of a body or a frame, beside the largest part of it. */
const REST_BYTES = 1_024

/** Bodies as an object, each of them when it is asked for; `state` is the largest part of one. What is given is valid until the next is asked for. */
export async function* writeFrames(bodies: AsyncIterable<object>): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(FRAMES)
  let sum: Uint8Array = NOTHING
  const bodyRoom = new PackRoom()
  const frameRoom = new PackRoom()
  for await (const value of bodies) {
    const body = bodyRoom.pack(value, 'state' in value && value.state instanceof Uint8Array ? value.state.byteLength + REST_BYTES : REST_BYTES)
    sum = checksum(sum, body)
    const frame = frameRoom.pack([sum, body], body.byteLength + REST_BYTES)
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32LE(frame.byteLength)
    yield length
    yield frame
  }
}

/** Takes an object bit by bit, and gives its bodies as they come. */
export class FrameReader {
  #onBody: (body: unknown) => void
  /** What has come and belongs to no frame yet: `#filled` bytes of it. */
  #memory = new Uint8Array(0)
  #view = new DataView(this.#memory.buffer)
  #filled = 0
  #sum: Uint8Array = NOTHING
  #isBegun = false

  constructor(onBody: (body: unknown) => void) {
    this.#onBody = onBody
  }

  /** Throws `RangeError` on what is no frame, and whatever `onBody` throws. */
  take(bytes: Uint8Array): void {
    this.#append(this.#isBegun ? bytes : this.#begin(bytes))
    let at = 0
    while (this.#filled - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + this.#view.getUint32(at, true)
      if (end > this.#filled) break
      this.#read(this.#memory.subarray(at + LENGTH_BYTES, end))
      at = end
    }
    this.#memory.copyWithin(0, at, this.#filled)
    this.#filled -= at
  }

  /** Whether it ended with the end of a frame. */
  get isLevel(): boolean {
    return this.#isBegun && this.#filled === 0
  }

  #begin(bytes: Uint8Array): Uint8Array {
    if (bytes.byteLength === 0) return bytes
    if (bytes[0] !== FRAMES) throw new RangeError(`Cannot read frames as the first byte must be ${FRAMES}: current value is ${bytes[0]}`)
    this.#isBegun = true
    return bytes.subarray(1)
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#filled + bytes.byteLength
    if (needed > this.#memory.byteLength) {
      const grown = new Uint8Array(2 * needed)
      grown.set(this.#memory.subarray(0, this.#filled))
      this.#memory = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#memory.set(bytes, this.#filled)
    this.#filled = needed
  }

  #read(frame: Uint8Array): void {
    const [sum, body] = unpack<[Uint8Array, Uint8Array]>(frame)
    const wanted = checksum(this.#sum, body)
    if (Buffer.compare(wanted, sum) !== 0) throw new RangeError('Cannot read a frame as it must have its checksum')
    this.#sum = wanted
    this.#onBody(unpack(body))
  }
}

function checksum(before: Uint8Array, body: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(before).update(body).digest())
}
