/** A writer of CBOR (RFC 8949) for tests: `style` draws among the forms that mean the same. */

import { joined } from './bytes.ts'

/** `value` as CBOR; `style()` gives a number below 1 that chooses forms: 0 always the shortest of fixed length. */
export function encodeCbor(value: unknown, style: () => number = () => 0): Uint8Array {
  if (value === false || value === true || value === null || value === undefined) {
    return Uint8Array.of(0xe0 | [false, true, null, undefined].indexOf(value as null) + 20)
  }
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) return value >= 0 ? head(0, value, style) : head(1, -1 - value, style)
    return float(value, style)
  }
  if (typeof value === 'string') return text(3, new TextEncoder().encode(value), style)
  if (value instanceof Uint8Array) return text(2, value, style)
  const open = style() >= 0.5
  const [major, count, items] = Array.isArray(value)
    ? ([4, value.length, value] as const)
    : ([5, (value as Map<unknown, unknown>).size, [...(value as Map<unknown, unknown>)].flat()] as const)
  const content = items.map((item) => encodeCbor(item, style))
  return open ? joined(Uint8Array.of((major << 5) | 31), ...content, Uint8Array.of(0xff)) : joined(head(major, count, style), ...content)
}

function head(major: number, argument: number, style: () => number): Uint8Array {
  const least = argument < 24 ? 0 : argument < 256 ? 1 : argument < 65_536 ? 2 : argument < 2 ** 32 ? 3 : 4
  const width = Math.min(4, least + Math.floor(style() * 3))
  const view = new DataView(new ArrayBuffer(9))
  view.setUint8(0, (major << 5) | (width === 0 ? argument : 23 + width))
  if (width === 1) view.setUint8(1, argument)
  else if (width === 2) view.setUint16(1, argument)
  else if (width === 3) view.setUint32(1, argument)
  else if (width === 4) view.setBigUint64(1, BigInt(argument))
  return new Uint8Array(view.buffer, 0, width === 0 ? 1 : 1 + 2 ** (width - 1))
}

function float(value: number, style: () => number): Uint8Array {
  const view = new DataView(new ArrayBuffer(9))
  if (style() >= 0.5 && (Object.is(Math.fround(value), value))) {
    view.setUint8(0, 0xfa)
    view.setFloat32(1, value)
    return new Uint8Array(view.buffer, 0, 5)
  }
  view.setUint8(0, 0xfb)
  view.setFloat64(1, value)
  return new Uint8Array(view.buffer)
}

function text(major: number, bytes: Uint8Array, style: () => number): Uint8Array {
  // A text is cut into pieces between characters only, which one byte each are here.
  if (style() < 0.7 || bytes.some((b) => b > 0x7f)) return joined(head(major, bytes.length, style), bytes)
  const middle = bytes.length >> 1
  const piece = (part: Uint8Array) => joined(head(major, part.length, style), part)
  return joined(Uint8Array.of((major << 5) | 31), piece(bytes.subarray(0, middle)), piece(bytes.subarray(middle)), Uint8Array.of(0xff))
}
