/** Every anomaly of the recorded log is explained by the state that its reading met, to the last bit; what is purged is said to be. */

import { beforeAll, describe, expect, it } from 'vitest'
import { formatAddress, parseAddress } from '../../../actors/replay/address.ts'
import type { AnomalyAddress } from '../../../actors/replay/address.ts'
import { explain } from '../../../actors/replay/explain.ts'
import type { Explanation, NotFound } from '../../../actors/replay/explain.ts'
import { jsonOfExplanation, wordsOf, wordsOfNotFound } from '../../../actors/replay/explain-words.ts'
import { TAIL, TAIL_LIKELIHOOD } from '../../../actors/partition/series/detector.ts'
import { decodeInput } from '../../../actors/reading/input.ts'
import type { MemoryWorld } from '../../../runtime/memory-log.ts'
import { anomaliesOf, commitsOf, goldenWorld, topology } from './world.ts'
import { ManualClock } from '../../support/manual-clock.ts'

let world: MemoryWorld
beforeAll(async () => {
  world = await goldenWorld()
})

const ask = (address: AnomalyAddress, last = 6) => explain({ connection: world.connect(), topology, clock: new ManualClock() }, address, last)

async function explained(address: AnomalyAddress, last?: number): Promise<Explanation> {
  const explanation = await ask(address, last)
  if (!('anomaly' in explanation)) throw new Error(wordsOfNotFound(address, explanation))
  return explanation
}

/** Values of the series in the order of the log, each with the sequence of its block. */
function valuesOf({ tenant, device, metric }: AnomalyAddress): { seq: number; ts: number; value: number }[] {
  return world.messages('READINGS_0').flatMap(({ seq, data }) => {
    try {
      const block = decodeInput(data)
      if (block.kind !== 'block' || block.tenant !== tenant) return []
      const name = (row: number) => [block.devices[block.seriesDevice[block.row[row]]], block.metrics[block.seriesMetric[block.row[row]]]]
      return [...block.ts].flatMap((ts, row) => (name(row).join() === [device, metric].join() ? [{ seq, ts, value: block.value[row] }] : []))
    } catch {
      return []
    }
  })
}

describe('an explanation', () => {
  it('of every anomaly says what was committed, to the bit, from the readings before it', async () => {
    const anomalies = anomaliesOf(world)
    expect(anomalies.length).toBe(8)
    const kinds = new Set<string>()
    for (const { name, ts, value, score, commit } of anomalies) {
      const address = { ...name, ts, value }
      const e = await explained(address)
      expect(e.commit.seq).toBe(commit.seq)
      expect(e.met).toMatchObject({ same: true })
      const { judged } = e.met!
      if (judged.by !== 'detector') throw new Error('this log has switched on no ensemble')
      const { verdict, detector } = judged
      kinds.add(verdict.kind)
      expect(verdict.score).toBe(score)
      // The arithmetic that the words show is that of the score.
      const far = Math.max(verdict.size, verdict.shortDistance)
      if (verdict.kind === 'spike') expect(TAIL_LIKELIHOOD + (far - TAIL) / (verdict.excess * Math.LN10)).toBeCloseTo(verdict.likelihood, 9)
      if (verdict.kind === 'spike') expect(verdict.expected).toBe(detector[verdict.believed])
      const all = valuesOf(address)
      const at = all.findIndex((r) => r.seq === e.block!.seq && r.ts === ts && r.value === value)
      expect(e.readings.map(({ block, ts: t, value: v }) => ({ seq: block, ts: t, value: v }))).toEqual(all.slice(Math.max(0, at - 6), at))
      // The detector has seen each reading that was on time, and no other.
      const counted = (await explained(address, 1e6)).readings.filter((r) => r.fate === 'on time')
      expect([detector.count, detector.last, detector.lastTs]).toEqual([counted.length, counted.at(-1)!.value, Math.max(...counted.map((r) => r.ts))])
      expect(e.met!.watermarkMs).toBeLessThanOrEqual(e.met!.logMs)
      expect(wordsOf(e)).toContain('identical to what was committed, to the last bit')
      expect(JSON.parse(JSON.stringify(jsonOfExplanation(e)))).toMatchObject({ kind: 'explanation', address: formatAddress(address), verdict: { same: true } })
    }
    expect([...kinds].sort()).toEqual(['spike', 'stuck'])
  })

  it('without a value takes the one anomaly there is, and shows as many readings as are asked for', async () => {
    const [{ name, ts, value }] = anomaliesOf(world)
    const e = await explained({ ...name, ts, value: null }, 25)
    expect(e.address.value).toBe(value)
    expect(e.readings).toHaveLength(25)
    expect((await explained({ ...name, ts, value: null }, 0)).readings).toEqual([])
  })

  it('of a reading that is none names the anomalies of its series', async () => {
    const [anomaly] = anomaliesOf(world)
    const { name, ts, value } = anomaly
    const address = { ...name, ts: ts + 1, value: null }
    const nothing = (await ask(address)) as NotFound
    expect(nothing.matches).toEqual([])
    const words = wordsOfNotFound(address, nothing)
    expect(words).toContain('must have been committed by partition 0')
    expect(words).toMatch(new RegExp(`${name.device}/${name.metric}@2026`))
    const two = wordsOfNotFound({ ...name, ts, value: null }, { ...nothing, matches: [anomaly, { ...anomaly, value: 5 }] })
    expect(two).toContain(`there are 2. Name one of them:\n  ${formatAddress({ ...name, ts, value })}\n`)
  })

  it('says what is purged: the state where no snapshot reaches, and the message itself', async () => {
    const refs = commitsOf(world).at(-1)!.header.snapshots
    expect(refs).toHaveLength(2)
    const older = refs[1].position.seq
    const early = anomaliesOf(world).find((a) => a.commit.header.position.seq < older - 10)!
    const address = { ...early.name, ts: early.ts, value: early.value }
    const { block } = await explained(address)
    await world.connect().log.purge('READINGS_0', { beforeSeq: block!.seq })
    const held = await explained(address)
    expect(held).toMatchObject({ block: { seq: block!.seq }, met: null })
    expect(wordsOf(held)).toMatch(/The state that the reading met can't be made again: .*the log before is purged.*message \d+ and \d+/)
    await world.connect().log.purge('READINGS_0', { beforeSeq: older })
    const gone = await explained(address)
    expect(gone).toMatchObject({ block: null, met: null })
    expect(wordsOf(gone)).toContain('the message that brought the reading is no longer in the log')
  })
})

describe('the address of an anomaly', () => {
  it('is read as it is written', () => {
    const address = { tenant: 'default', device: 'field-7/probe:2', metric: 'soil_moisture', ts: Date.UTC(2026, 10, 23, 6, 10), value: null }
    expect(parseAddress('default/field-7/probe:2/soil_moisture@2026-11-23T06:10:00Z')).toEqual(address)
    expect(parseAddress(`default/field-7/probe:2/soil_moisture@${address.ts}=-3.5e2`)).toEqual({ ...address, value: -350 })
    for (const value of [null, 0, 38.8, -1e-9]) expect(parseAddress(formatAddress({ ...address, value }))).toEqual({ ...address, value })
  })

  it('is refused in plain words where it is none', () => {
    const wrong: [string, RegExp][] = [
      ['17', /must name an anomaly, or be the id of an alert/],
      ['default/soil@2026-11-23', /tenant, device and metric/],
      ['default/a b/soil@2026-11-23', /its device/],
      ['default/a/7soil@2026-11-23', /its metric/],
      ['default/a/soil@yesterday', /its time/],
      ['default/a/soil@-1h', /its time/],
      ['default/a/soil@2026-11-23=x', /its value/],
      ['default/a/soil@2026-11-23=', /its value/],
    ]
    for (const [text, words] of wrong) expect(() => parseAddress(text)).toThrow(words)
  })
})
