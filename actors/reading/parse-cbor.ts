/**
 * A reader of CBOR (RFC 8949), as far as data from strangers needs it: numbers, text, bytes, arrays, maps, simple values, decimal
 * fractions and big floats; other tags are passed over. No extension, no shared reference, nothing that runs.
 *
 * Lengths are believed only as far as the bytes go, and nesting only as far as `depthMax`; whatever is wrong throws a `RangeError`
 * with a sentence.
 */

const BREAK = Symbol('break')

/** The one value in `bytes`. Maps become `Map`, since their keys may be numbers. */
export function decodeCbor(bytes: Uint8Array, depthMax: number): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = new TextDecoder('utf-8', { fatal: true })
  let at = 0

  const need = (count: number) => {
    if (count > bytes.length - at) throw new RangeError(`the CBOR says that ${count} bytes follow, where ${bytes.length - at} do.`)
  }
  const argument = (info: number): number => {
    if (info < 24) return info
    const width = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0
    if (width === 0) throw new RangeError(`the CBOR can't be read: byte ${at - 1} has no meaning.`)
    need(width)
    const from = at
    at += width
    return width === 1 ? view.getUint8(from) : width === 2 ? view.getUint16(from) : width === 4 ? view.getUint32(from) : Number(view.getBigUint64(from))
  }
  const chunk = (length: number): Uint8Array => {
    need(length)
    at += length
    return bytes.subarray(at - length, at)
  }
  const string = (major: number, info: number): Uint8Array => {
    if (info !== 31) return chunk(argument(info))
    const pieces: Uint8Array[] = []
    for (;;) {
      need(1)
      const head = bytes[at++]
      if (head === 0xff) return Buffer.concat(pieces)
      if (head >> 5 !== major) throw new RangeError('the CBOR can\'t be read: a string of pieces holds something else.')
      pieces.push(chunk(argument(head & 31)))
    }
  }
  const decodeText = (piece: Uint8Array): string => {
    try {
      return text.decode(piece)
    } catch {
      throw new RangeError('the CBOR can\'t be read: a text is not UTF-8.')
    }
  }

  const value = (depth: number): unknown => {
    if (depth > depthMax) throw new RangeError(`the CBOR must be nested at most ${depthMax} deep.`)
    need(1)
    const head = bytes[at++]
    const info = head & 31
    switch (head >> 5) {
      case 0:
        return argument(info)
      case 1:
        return -1 - argument(info)
      case 2:
        return string(2, info)
      case 3:
        return decodeText(string(3, info))
      case 4: {
        const count = info === 31 ? Infinity : argument(info)
        if (count !== Infinity) need(count)
        const items: unknown[] = []
        for (let i = 0; i < count; i++) {
          const item = value(depth + 1)
          if (item === BREAK) {
            if (count === Infinity) break
            throw new RangeError('the CBOR can\'t be read: it breaks off what has a length.')
          }
          items.push(item)
        }
        return items
      }
      case 5: {
        const count = info === 31 ? Infinity : argument(info)
        if (count !== Infinity) need(count * 2)
        const map = new Map<unknown, unknown>()
        for (let i = 0; i < count; i++) {
          const key = value(depth + 1)
          if (key === BREAK) {
            if (count === Infinity) break
            throw new RangeError('the CBOR can\'t be read: it breaks off what has a length.')
          }
          const member = value(depth + 1)
          if (member === BREAK) throw new RangeError('the CBOR can\'t be read: a key has no value.')
          map.set(key, member)
        }
        return map
      }
      case 6: {
        const tag = argument(info)
        const content = value(depth + 1)
        if (content === BREAK) throw new RangeError('the CBOR can\'t be read: a tag has no value.')
        return tag === 4 || tag === 5 ? fraction(tag, content) : content
      }
      default:
        return simple(info)
    }
  }
  const simple = (info: number): unknown => {
    switch (info) {
      case 20:
        return false
      case 21:
        return true
      case 22:
        return null
      case 23:
        return undefined
      case 25:
        return half(argument(25))
      case 26:
        need(4)
        at += 4
        return view.getFloat32(at - 4)
      case 27:
        need(8)
        at += 8
        return view.getFloat64(at - 8)
      case 31:
        return BREAK
      default:
        argument(info)
        return null
    }
  }

  const whole = value(0)
  if (whole === BREAK) throw new RangeError('the CBOR can\'t be read: it begins with a break.')
  if (at !== bytes.length) throw new RangeError(`the CBOR must be one value: ${bytes.length - at} bytes follow it.`)
  return whole
}

/** Decimal fraction (tag 4) or big float (tag 5): [exponent, mantissa]. */
function fraction(tag: number, content: unknown): number {
  if (!Array.isArray(content) || typeof content[0] !== 'number' || typeof content[1] !== 'number') return NaN
  const [exponent, mantissa] = content as [number, number]
  return tag === 4 ? Number(`${mantissa}e${exponent}`) : mantissa * 2 ** exponent
}

function half(bits: number): number {
  const exponent = (bits >> 10) & 31
  const mantissa = bits & 1023
  const size = exponent === 0 ? mantissa * 2 ** -24 : exponent === 31 ? (mantissa === 0 ? Infinity : NaN) : (1024 + mantissa) * 2 ** (exponent - 25)
  return bits & 0x8000 ? -size : size
}
