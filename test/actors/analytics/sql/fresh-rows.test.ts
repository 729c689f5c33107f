import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { House, MINUTE, T0, windowRow } from '../house.ts'
import { Asker } from './asker.ts'

let house: House
let asker: Asker
beforeEach(async () => {
  house = await House.open()
  asker = new Asker(house)
})
afterEach(() => house.close())

const READINGS = "SELECT device, date_diff('millisecond', TIMESTAMP '2026-01-01', ts) AS ms, value FROM readings ORDER BY ALL"

describe('rows that no segment holds yet', () => {
  it('show beside those of the lake, each once, before and after they are sealed', async () => {
    await house.post([{ device: 'a', ts: T0, value: 1 }])
    expect(await asker.rows(READINGS)).toEqual([])
    await house.commit()
    expect(await asker.rows(READINGS)).toEqual([['a', 0, 1]])
    await house.seal()
    expect(await asker.rows(READINGS)).toEqual([['a', 0, 1]])
    await house.post([{ device: 'b', ts: T0 + 1, value: 2 }])
    await house.commit()
    expect(await asker.rows(READINGS)).toEqual([['a', 0, 1], ['b', 1, 2]])
  })

  it('that are duplicates or expired do not show; an old one shows once, whether the lake has it or not', async () => {
    await house.post([{ device: 'a', ts: T0, value: 1 }, { device: 'a', ts: T0 + 1, value: 2 }])
    await house.commit()
    await house.seal()
    await house.post([
      { device: 'a', ts: T0, value: 1 }, { device: 'a', ts: T0 + 5, value: 7 }, { device: 'a', ts: T0 + 5, value: 7 }, { device: 'b', ts: T0, value: 1 },
      { device: 'c', ts: T0, value: 8 }, { device: 'c', ts: T0, value: 9 }, { device: 'd', ts: T0, value: 10 },
    ])
    await house.commit({ fates: { old: [1, 7], duplicate: [8], expired: [9] } })
    const wanted = [['a', 0, 1], ['a', 1, 2], ['a', 5, 7], ['b', 0, 1], ['d', 0, 10]]
    expect(await asker.rows(READINGS)).toEqual(wanted)
    // The same rows again, old once more, while the first ones are still fresh.
    await house.post([{ device: 'a', ts: T0 + 5, value: 7 }, { device: 'd', ts: T0, value: 10 }])
    await house.commit({ fates: { old: [7, 10] } })
    expect(await asker.rows(READINGS)).toEqual(wanted)
    await house.seal()
    expect(await asker.rows(READINGS)).toEqual(wanted)
  })

  it('of a window replace the older row of it, the newest of several; but not of one that is the store’s own', async () => {
    const shown = () => asker.rows("SELECT device, count, mean, stddev, closed_by, size::VARCHAR FROM windows ORDER BY ALL")
    await house.commit({ windows: [windowRow('a', T0, [1], { closedBy: 'open' }), windowRow('b', T0, [5], { closedBy: 'late' })] })
    await house.seal()
    await house.commit({ windows: [windowRow('a', T0, [1, 3], { closedBy: 'open' })] })
    await house.commit({ windows: [windowRow('a', T0, [1, 3, 5]), windowRow('a', T0, [7], { size: 1 })] })
    expect(await shown()).toEqual([['a', 1, 7, null, 'watermark', '00:15:00'], ['a', 3, 3, 2, 'watermark', '00:01:00'], ['b', 1, 5, null, 'late', '00:01:00']])
    await house.seal({ owned: [{ device: 'a', metric: 'm', size: 0, start: T0 }] })
    await house.commit({ windows: [windowRow('a', T0, [100]), windowRow('a', T0 + MINUTE, [2])] })
    expect(await shown()).toEqual([
      ['a', 1, 2, null, 'watermark', '00:01:00'], ['a', 1, 7, null, 'watermark', '00:15:00'], ['a', 3, 3, 2, 'watermark', '00:01:00'], ['b', 1, 5, null, 'late', '00:01:00'],
    ])
  })

  it('of anomalies and rejects show too, each tenant its own', async () => {
    const anomaly = { device: 'a', metric: 'm', ts: T0, value: 5, score: 0.9, expected: 1, lower: 0, upper: 2, reason: 'odd' }
    const both = async (key?: string) => [
      await asker.rows('SELECT device, value, score, expected, lower, upper, reason FROM anomalies ORDER BY ALL', { key }),
      await asker.rows('SELECT reason, reading FROM rejects ORDER BY ALL', { key }),
    ]
    await house.commit({ anomalies: [anomaly] })
    await house.reject('a', 2, 'default', [['bad', '{"x":1}']])
    await house.reject('a', 1, 'other', [['worse', 'secret']])
    await house.commit()
    const wanted = [[['a', 5, 0.9, 1, 0, 2, 'odd']], [['bad', '{"x":1}']]]
    expect(await both()).toEqual(wanted)
    expect(await both('other analyst')).toEqual([[], [['worse', 'secret']]])
    await house.seal()
    expect(await both()).toEqual(wanted)
    await house.commit({ anomalies: [{ ...anomaly, value: 6 }] })
    await house.reject('a', 1, 'default', [['bad', 'again']])
    await house.commit()
    expect(await both()).toEqual([[...wanted[0], ['a', 6, 0.9, 1, 0, 2, 'odd']], [['bad', 'again'], ...wanted[1]]])
  })

  it('are many and shown whole', async () => {
    for (let part = 0; part < 10; part++) {
      await house.post(Array.from({ length: 20_000 }, (_, i) => ({ device: `d${i % 100}`, ts: T0 + part * 20_000 + i, value: i })))
    }
    await house.commit()
    expect(await asker.rows('SELECT count(*), count(DISTINCT (device, ts)), sum(value), count(DISTINCT device) FROM readings')).toEqual([[200_000, 200_000, 10 * ((19_999 * 20_000) / 2), 100]])
    expect(await asker.rows("SELECT count(*) FROM readings WHERE device = 'd7' AND ts < TIMESTAMP '2026-01-01 00:00:20'")).toEqual([[200]])
  })
})
