import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exponentOf, fraction, log10, scale } from '../../../../actors/partition/series/arithmetic.ts'
import { seeded } from '../harness.ts'

describe('arithmetic that is the same on every engine', () => {
  test('exponent and fraction make up the number, denormals included, and scaling puts them together again', () => {
    const random = seeded(5)
    for (let i = 0; i < 20_000; i++) {
      const x = i < 2_000 ? (i + 1) * Number.MIN_VALUE : (1 + random()) * 2 ** Math.floor(random() * 2_090 - 1_070)
      const e = exponentOf(x)
      const part = fraction()
      if (part < 1 || part >= 2 || scale(part, e) !== x) expect.fail(`${x} is not ${part} · 2^${e}`)
    }
  })

  test('log10 agrees with the engine to 1e-14', () => {
    const random = seeded(6)
    for (let i = 0; i < 5_000; i++) {
      const x = i < 1_000 ? 1 - random() * 0.1 : 10 ** (random() * 600 - 300)
      const wanted = Math.log10(x)
      if (Math.abs(log10(x) - wanted) > 1e-14 * Math.max(1, Math.abs(wanted))) expect.fail(`log10 ${x} is ${log10(x)}, not ${wanted}`)
    }
  })

  test('is all that the partition uses (use arithmetic.ts in place of transcendental functions)', () => {
    const room = join(import.meta.dirname, '../../../../actors/partition')
    const files = (readdirSync(room, { recursive: true }) as string[]).filter((f) => f.endsWith('.ts'))
    expect(files.length).toBeGreaterThan(10)
    const banned = /^(?!\s*\*).*(Math\.(log|exp|pow|cbrt|hypot|a?(sin|cos|tan)|expm1)|\*\*)/m
    expect(files.filter((f) => banned.test(readFileSync(join(room, f), 'utf8').replaceAll('/**', '')))).toEqual([])
  })
})
