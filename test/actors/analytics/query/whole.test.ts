/** Analytics over a lake that the store's own writer fills, from logs that the real actors wrote: a disordered, doubled, late stream. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLake } from '../../../support/law.ts'
import { disorderedStream } from '../../store/feed.ts'
import { FilledHouse } from '../filled-house.ts'
import { until } from '../house.ts'

const BEGIN_MS = 1_767_225_600_000
const PARTITIONS = 4
const SHAPE = { seed: 11, devices: 8, metrics: 2, stepMs: 5_000, steps: 240, disordered: 0.3, disorderMs: 120_000, doubled: 0.05 }

let house: FilledHouse
beforeEach(async () => {
  house = await FilledHouse.open({ partitions: PARTITIONS, nowMs: BEGIN_MS })
})
afterEach(() => house.close())

const written = (row: any) => `${row.device} ${row.metric} ${row.ts} ${row.value}`

describe('over a disordered, doubled and late stream', () => {
  it('what the API shows is always free of duplicates, and in the end equals the lake', async () => {
    let step = 0
    for (const { nowMs, readings } of disorderedStream(SHAPE, BEGIN_MS)) {
      house.clock.stepWall(nowMs - house.clock.now())
      await house.feed.send(readings)
      if (step % 50 === 0) await house.feed.reject('field-0/probe-0', 3)
      if (step % 3 === 0) await house.feed.commitAll()
      if (step % 40 === 39) await house.writer.seal()
      if (step % 60 === 59) {
        const shown = await house.whole('/v1/readings', 'readings', { limit: 700 })
        expect(new Set(shown.map(written)).size).toBe(shown.length)
        const starts = (await house.whole('/v1/windows', 'windows', { limit: 150 })).map((w) => `${w.device} ${w.metric} ${w.start}`)
        expect(new Set(starts).size).toBe(starts.length)
        const { received, accepted, rejected, onTime, late, duplicate, expired } = await house.get('/v1/ledger')
        expect([received, accepted]).toEqual([accepted + rejected, onTime + late + duplicate + expired])
      }
      step++
    }
    await house.feed.quiet()
    await until('all is sealed', async () => {
      await house.writer.seal()
      return (await house.get('/v1/status')).settled
    })

    const status = await house.get('/v1/status')
    expect([status.accepted, status.processed, status.sealed]).toEqual([house.feed.published, house.feed.published, house.feed.published])
    const shown = await house.whole('/v1/readings', 'readings', { limit: 1_000 })
    const windows = await house.whole('/v1/windows', 'windows', { limit: 300 })
    await withLake(house.dataDir, async (query) => {
      const inLake = await query('SELECT device, metric, epoch_ms(ts)::DOUBLE AS ts, value FROM readings ORDER BY ts, device, metric, value')
      expect(shown.map(written)).toEqual(inLake.map(written))
      const counted = await query(
        `SELECT device, metric, count(*)::DOUBLE AS count, epoch_ms(min(ts))::DOUBLE AS first, epoch_ms(max(ts))::DOUBLE AS last, arg_max(value, (ts, value)) AS value
         FROM readings GROUP BY ALL ORDER BY device, metric`,
      )
      expect(await house.whole('/v1/series', 'series', { limit: 5 })).toEqual(counted)
      const law = await query(
        `SELECT device, metric, epoch_ms(time_bucket(INTERVAL 1 MINUTE, ts))::DOUBLE AS start, count(*)::DOUBLE AS count, min(value) AS min, max(value) AS max,
         arg_min(value, (ts, value)) AS first, arg_max(value, (ts, value)) AS last FROM readings GROUP BY ALL ORDER BY device, metric, start`,
      )
      expect(windows.map(({ device, metric, start, count, min, max, first, last }) => ({ device, metric, start, count, min, max, first, last }))).toEqual(law)
    })
    const ledger = await house.get('/v1/ledger')
    expect(ledger).toMatchObject({ accepted: house.feed.published, rejected: house.feed.rejected, expired: 0 })
    expect(ledger.onTime + ledger.late).toBe(shown.length)
  })
})
