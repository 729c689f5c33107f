import { describe, expect, test } from 'vitest'
import { append, known, lend, read, readLent, refine, unlend, values } from '../../../../../actors/partition/series/forecaster/ring.ts'
import { FILLED, UNIT, YOUNG_DOUBLES } from '../../../../../actors/partition/series/forecaster/layout.ts'
import { Slab } from '../../../../../actors/partition/series/slab.ts'
import { seeded } from '../../harness.ts'

const HOURS = 100
const RING = { at: 2, hours: HOURS }

function ring() {
  const slab = new Slab({ doubles: YOUNG_DOUBLES, floats: 0, shorts: 2 + HOURS })
  const row = slab.open(slab.take())
  return {
    row,
    put: (hour: number, value: number) => append(row, RING, hour, value),
    read: (scale = 1) => [...values.subarray(0, read(row, RING, scale))],
    gaps: () => [...known.subarray(0, row.shorts[row.s + FILLED])].flatMap((k, i) => (k === 0 ? [i] : [])),
    step: () => row.doubles[row.d + UNIT],
  }
}

describe('the ring of a series\' hours', () => {
  test('holds the last ones in order, each to a 20,000th of the span that was there', () => {
    for (const [size, offset] of [[1, 0], [1e-9, 5], [1e90, -3e90], [40, 1e6]]) {
      const random = seeded(3)
      const r = ring()
      const all: number[] = []
      for (let hour = 0; hour < 730; hour++) {
        all.push(offset + size * (random() + Math.sin(hour / 4)))
        r.put(hour, all[hour])
        if (hour % 50 === 49) refine(r.row, RING)
      }
      const got = r.read()
      expect(got).toHaveLength(HOURS)
      got.forEach((v, i) => expect(Math.abs(v - all[730 - HOURS + i])).toBeLessThan((3 * size) / 20_000 + Math.abs(offset) * 1e-14))
    }
  })

  test('reads the same in units of a power of two', () => {
    const r = ring()
    for (let hour = 0; hour < 60; hour++) r.put(hour, hour % 7)
    const plain = r.read()
    expect(r.read(0.25)).toEqual(plain.map((v) => v * 4))
  })

  test('keeps zeros as zeros, and one value for ever as that value', () => {
    const r = ring()
    for (let hour = 0; hour < 150; hour++) r.put(hour, hour % 10 === 3 ? 0.7 : 0)
    expect(r.read().filter((v) => v === 0)).toHaveLength(90)
    const flat = ring()
    for (let hour = 0; hour < 150; hour++) flat.put(hour, 1 / 3)
    expect(new Set(flat.read())).toEqual(new Set([1 / 3]))
  })

  test('bridges short gaps by a line, and longer ones by the shape of the day before, bent to meet both ends', () => {
    const course = (hour: number) => 10 * Math.sin((hour * Math.PI) / 12) + (hour >= 60 ? 6 : 0)
    const r = ring()
    for (let hour = 0; hour < 90; hour++) if (!(hour > 20 && hour < 24) && !(hour > 50 && hour < 70)) r.put(hour, course(hour))
    const got = r.read()
    expect(r.gaps()).toEqual([21, 22, 23, ...Array.from({ length: 19 }, (_, i) => 51 + i)])
    const line = (h: number) => course(20) + ((course(24) - course(20)) * (h - 20)) / 4
    for (const h of [21, 22, 23]) expect(got[h]).toBeCloseTo(line(h), 2)
    for (let h = 51; h < 70; h++) expect(got[h]).toBeCloseTo(course(h) - (h >= 60 ? 6 : 0) + (6 * (h - 50)) / 20, 2)
  })

  test('takes in a gap longer than itself, and gaps at its beginning', () => {
    const r = ring()
    r.put(0, 5)
    r.put(1, 6)
    r.put(1_000, 7)
    expect(r.read()).toHaveLength(HOURS)
    for (const v of r.read()) expect(v).toBeCloseTo(7, 4)
    expect(r.gaps()).toHaveLength(HOURS - 1)
  })

  test('lets one false value widen the span by four of it and no more, finds back to fine steps after it, and follows what really rose', () => {
    const r = ring()
    let hour = 0
    for (; hour < 60; hour++) r.put(hour, 20 + (hour % 5))
    r.put(hour++, 1e9)
    expect(Math.max(...r.read())).toBeCloseTo(24 + 4 * 4, 1)
    r.put(hour++, -1e9)
    expect(Math.min(...r.read())).toBeCloseTo(20 - 4 * 20, 1)
    for (let i = 0; i < HOURS; i++) r.put(hour++, 20 + (i % 5))
    const coarse = r.step()
    refine(r.row, RING)
    expect(r.step()).toBeLessThan(coarse / 4)
    for (let i = 0; i < 10; i++) r.put(hour++, 1e6)
    expect(Math.abs(r.read().at(-1)! - 1e6)).toBeLessThan(100)
  })
})

describe('rows', () => {
  test('are zero when they are given out, also again, and are apart from each other', () => {
    const slab = new Slab({ doubles: 3, floats: 5, shorts: 7 })
    expect(slab.rowBytes % 8).toBe(0)
    const places = Array.from({ length: 300 }, () => slab.take())
    expect(new Set(places).size).toBe(300)
    for (const p of places) {
      const row = slab.open(p)
      for (let i = 0; i < 3; i++) row.doubles[row.d + i] = p
      for (let i = 0; i < 5; i++) row.floats[row.f + i] = p
      for (let i = 0; i < 7; i++) row.shorts[row.s + i] = p
    }
    for (const p of places) {
      const row = slab.open(p)
      expect([row.doubles[row.d], row.doubles[row.d + 2], row.floats[row.f], row.floats[row.f + 4], row.shorts[row.s], row.shorts[row.s + 6]]).toEqual(Array(6).fill(p))
    }
    slab.give(7)
    expect(slab.count).toBe(299)
    expect(slab.take()).toBe(7)
    expect([...slab.bytesOf(7)].every((b) => b === 0)).toBe(true)
    expect(slab.bytesOf(8).some((b) => b !== 0)).toBe(true)
  })

  test('lends its end while that is not filled: what is there stays what it is through changes of steps, and goes when the hours come', () => {
    const lending = { ...RING, lent: 76 }
    const { row } = ring()
    const kept = Float64Array.from({ length: 24 }, (_, i) => 10 * Math.sin(i))
    const got = new Float64Array(24)
    for (let hour = 0; hour < 76; hour++) {
      append(row, lending, hour, hour < 40 ? 10 * Math.sin(hour) : 30 * Math.sin(hour))
      if (hour === 30) lend(row, lending, kept, 0.5)
      if (hour < 30) continue
      expect(readLent(row, lending, 0.5, got)).toBe(true)
      kept.forEach((v, i) => expect(Math.abs(got[i] - v)).toBeLessThan(2e-3))
    }
    append(row, lending, 76, 5)
    expect(readLent(row, lending, 0.5, got)).toBe(false)
    lend(row, lending, kept, 0.5)
    unlend(row, lending)
    expect(read(row, lending, 1)).toBe(77)
    expect(Math.abs(values[76] - 5)).toBeLessThan(2e-3)
  })

  test('has nothing lent once it is taken back', () => {
    const lending = { ...RING, lent: 76 }
    const { row } = ring()
    append(row, lending, 0, 1)
    append(row, lending, 1, 2)
    lend(row, lending, new Float64Array(24), 1)
    unlend(row, lending)
    expect(readLent(row, lending, 1, new Float64Array(24))).toBe(false)
  })
})
