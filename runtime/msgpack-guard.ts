/**
 * Whether bytes of a stranger are msgpack that a decoder may be let loose on.
 *
 * A decoder believes what lengths say. So the guard first walks the bytes without keeping anything, like a porter who checks that
 * every parcel on the list is in the van before any shelf is cleared for them: it refuses nesting beyond the bound, lengths that
 * the bytes can't hold, extension types other than the timestamp, and keys that are no strings.
 *
 * Source: the msgpack specification, "Formats".
 */

/** Why `bytes` are not one whole, harmless msgpack value, as a sentence; or null. */
export function guardMsgpack(bytes: Uint8Array, depthMax: number): string | null {
  const end = bytes.length
  const view = new DataView(bytes.buffer, bytes.byteOffset, end)
  /** Values still due at each depth, and whether that level is a map, whose keys come first of each two. */
  const due = new Float64Array(depthMax + 1)
  const isMap = new Uint8Array(depthMax + 1)
  let depth = 0
  due[0] = 1
  let at = 0
  while (true) {
    while (due[depth] === 0) {
      if (depth === 0) return at === end ? null : `the msgpack must be one value: ${end - at} bytes follow it.`
      depth--
    }
    if (at >= end) return `the msgpack ends after ${end} bytes, within a value.`
    const isKey = isMap[depth] === 1 && due[depth] % 2 === 0
    due[depth]--
    const tag = bytes[at++]
    let skip = 0
    let children = -1
    let map = false
    let isString = false
    if (tag <= 0x7f || tag >= 0xe0) skip = 0
    else if (tag <= 0x8f) {
      children = (tag & 0x0f) * 2
      map = true
    } else if (tag <= 0x9f) children = tag & 0x0f
    else if (tag <= 0xbf) {
      skip = tag & 0x1f
      isString = true
    } else {
      const head = HEAD_BYTES[tag - 0xc0]
      if (at + head > end) return `the msgpack ends after ${end} bytes, within a value.`
      switch (tag) {
        case 0xc1:
          return `the msgpack can't be read: byte ${at - 1} is 0xc1, which stands for nothing.`
        case 0xc4:
          skip = view.getUint8(at)
          break
        case 0xc5:
          skip = view.getUint16(at)
          break
        case 0xc6:
          skip = view.getUint32(at)
          break
        case 0xc7:
        case 0xc8:
        case 0xc9:
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8: {
          const type = view.getInt8(at + head - 1)
          const length = tag === 0xc7 ? view.getUint8(at) : tag === 0xc8 ? view.getUint16(at) : tag === 0xc9 ? view.getUint32(at) : 1 << (tag - 0xd4)
          if (type !== -1 || (length !== 4 && length !== 8 && length !== 12)) {
            return `the msgpack must hold no extension types but the timestamp: byte ${at - 1} starts one of type ${type}.`
          }
          skip = length
          break
        }
        case 0xd9:
          skip = view.getUint8(at)
          isString = true
          break
        case 0xda:
          skip = view.getUint16(at)
          isString = true
          break
        case 0xdb:
          skip = view.getUint32(at)
          isString = true
          break
        case 0xdc:
          children = view.getUint16(at)
          break
        case 0xdd:
          children = view.getUint32(at)
          break
        case 0xde:
          children = view.getUint16(at) * 2
          map = true
          break
        case 0xdf:
          children = view.getUint32(at) * 2
          map = true
          break
      }
      at += head
    }
    if (isKey && !isString) return 'the keys of msgpack maps must be strings.'
    if (skip > end - at) return `the msgpack says that ${skip} bytes follow, where ${end - at} do.`
    at += skip
    if (children >= 0) {
      if (children > end - at) return `the msgpack says that ${children} values follow, where ${end - at} bytes do.`
      if (depth === depthMax) return `the msgpack must be nested at most ${depthMax} deep.`
      depth++
      due[depth] = children
      isMap[depth] = map ? 1 : 0
    }
  }
}

/** Bytes of the fixed head after each tag from 0xc0 to 0xdf: the number itself, a length, or a length and an extension's type. */
const HEAD_BYTES = [0, 0, 0, 0, 1, 2, 4, 2, 3, 5, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 1, 1, 1, 1, 1, 2, 4, 2, 4, 2, 4]
