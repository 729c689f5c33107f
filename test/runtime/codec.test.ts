import { describe, expect, it } from 'vitest'
import { partitionActor } from '../../actors/partition/actor.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import { decodeInput } from '../../actors/reading/input.ts'
import { pack, PackRoom, toBytes, toFloat64, told, toUint16, toUint8, unpack } from '../../runtime/codec.ts'
import { decodeJournal } from '../../runtime/journal.ts'

describe('the codec of the logs', () => {
  it('makes no room for lengths that the bytes can not hold, however deep they are told', () => {
    // Each level claims 29 million values, room for which would be a quarter of a gigabyte.
    const claims = Buffer.concat(Array.from({ length: 1_000 }, () => Uint8Array.of(0xdd, 0x01, 0xc0, 0x00, 0x00)))
    expect(() => unpack(claims)).toThrow(/29360128 values follow, where 4995 bytes do/)
    expect(() => unpack(new Uint8Array(1_000_000).fill(0x91))).toThrow(/nested at most 16 deep/)
  })

  it('packs what is large as what is small, whatever size it was taken for, into memory of the room alone', () => {
    const value = { columns: [toBytes(new Float64Array(5_000).fill(1.5)), new Uint8Array(70_000).fill(7)], names: ['a', 'ü'.repeat(300)] }
    const small = pack(value)
    for (const bytesAbout of [0, 100, small.length, 10 * small.length]) {
      const room = new PackRoom()
      room.pack({ former: 'x'.repeat(1_000) }, 2_000)
      const large = room.pack(value, bytesAbout)
      pack(['something else'.repeat(100)])
      new PackRoom().pack({ other: new Uint8Array(200_000) }, 10)
      expect(Buffer.compare(large, small)).toBe(0)
    }
  })

  it('reads one whole value of plain kinds, and nothing else', () => {
    for (const value of [null, true, -7, 2 ** 40, 1.5, 'text', [1, [2]], { a: { b: 'c' } }]) expect(unpack(pack(value))).toEqual(value)
    const strange = [[], [0xc1], [0x01, 0x02], [0xd4, 0x72, 0x40], [0xc7, 0x01, 0x78, 0x00], [0x81, 0x01, 0x02], [0xa5, 0x61]]
    for (const bytes of strange) expect(() => unpack(Uint8Array.from(bytes))).toThrow(RangeError)
  })

  it('says of any value what it is, even where it would not say so itself', () => {
    const trap = unpack(Uint8Array.of(0x81, 0xa8, ...Buffer.from('toString'), 0xc0))
    expect([told(7), told('x'.repeat(200)).length, told(null), told(trap)]).toEqual(['7', 80, 'a value of type object', 'a value of type object'])
    for (const version of [trap, null, 'x']) {
      expect(() => decodeJournal(pack([version, {}, new Uint8Array(1)]))).toThrow(RangeError)
      expect(() => decodeEffects(pack({ v: version }))).toThrow(RangeError)
      expect(() => decodeInput(pack({ k: version }))).toThrow(RangeError)
      expect(() => partitionActor.restore(pack({ v: version }))).toThrow(RangeError)
    }
  })

  it('takes for a column what is bytes of whole numbers', () => {
    expect([...toFloat64(new Uint8Array(Float64Array.of(1.5).buffer))]).toEqual([1.5])
    for (const thing of [null, undefined, 'x', 7, [1, 2], {}]) for (const to of [toFloat64, toUint16, toUint8]) expect(() => to(thing)).toThrow(RangeError)
    expect(() => toFloat64(new Uint8Array(7))).toThrow(/multiple of 8: current length is 7/)
  })
})
