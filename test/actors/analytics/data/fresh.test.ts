import { afterEach, describe, expect, it } from 'vitest'
import { FreshRows } from '../../../../actors/analytics/data/fresh.ts'
import type { FreshCommit } from '../../../../actors/analytics/data/fresh.ts'
import { decodeEffects, EffectsBuilder } from '../../../../actors/partition/effects.ts'
import { House, T0, windowRow } from '../house.ts'

const effects = decodeEffects(new EffectsBuilder().encode({ accepted: 0, pending: 0, logTimeMs: 0 }))

/** A commit that counts how often someone asks how many rows it has. */
function commitOf(partition: number, seq: number, rows: number, asked = { times: 0 }): FreshCommit {
  return {
    partition,
    seq,
    timeMs: 0,
    effects,
    blocks: [],
    rejects: [],
    get rows() {
      asked.times++
      return rows
    },
  }
}

/** Of the three partitions of devices; behind them are those of own actors. */
const kept = (fresh: FreshRows) => fresh.view().slice(0, 3).map((commits) => commits.map((c) => c.seq))

describe('fresh rows beyond their bound', () => {
  it('leave commit by commit, the oldest of the fullest partition first, until the rest is within it', () => {
    const fresh = new FreshRows(3, 100)
    for (const [partition, seq, rows] of [[0, 1, 40], [1, 2, 30], [0, 3, 20], [2, 4, 10]]) fresh.add(commitOf(partition, seq, rows))
    expect(fresh.shed()).toEqual([])
    fresh.add(commitOf(1, 5, 35))
    // Partition 1 has 65 rows of 135, then 35; the fullest is then partition 0 with 60.
    expect(fresh.shed().map((c) => c.seq)).toEqual([2, 1])
    expect(kept(fresh)).toEqual([[3], [5], [4]])
    expect(fresh.rows).toBe(65)
    expect(fresh.settle((partition) => (partition === 0 ? 3 : 0)).map((c) => c.seq)).toEqual([3])
    expect(fresh.rows).toBe(45)
    fresh.add(commitOf(2, 6, 90))
    expect(fresh.shed().map((c) => c.seq)).toEqual([4, 6])
    expect([kept(fresh), fresh.rows]).toEqual([[[], [5], []], 35])
  })

  it('are found without a look at those that stay, however many they are', () => {
    const asked = { times: 0 }
    const commits = 20_000
    const fresh = new FreshRows(16, commits)
    for (let seq = 0; seq < commits; seq++) fresh.add(commitOf(seq % 16, seq, 1, asked))
    asked.times = 0
    for (let seq = commits; seq < commits + 100; seq++) {
      fresh.add(commitOf(seq % 16, seq, 1, asked))
      expect(fresh.shed()).toHaveLength(1)
    }
    expect(asked.times).toBeLessThanOrEqual(100 * 6)
  })
})

describe('in the tail', () => {
  let house: House
  afterEach(() => house.close())

  it('fresh rows keep their columns alone, and nothing of the message that brought them', async () => {
    house = await House.open()
    await house.post(Array.from({ length: 300 }, (_, i) => ({ device: `probe-${i % 50}`, ts: T0 + i, value: i })))
    await house.commit()
    const view = house.analytics.tail.view()
    const blocks = view.fresh.flat().flatMap((commit) => commit.blocks)
    expect(blocks.reduce((sum, { block }) => sum + block.ts.length, 0)).toBe(300)
    for (const { block } of blocks) {
      expect(Object.keys(block).sort()).toEqual(['row', 'tenant', 'ts', 'value'])
      for (const column of [block.ts, block.value, block.row]) expect(column.buffer.byteLength).toBe(18 * block.ts.length)
    }
    view.release()
  })

  it('counts of series are right as soon as rows that had left memory are sealed, whatever manifests came between', async () => {
    house = await House.open({ freshRowsMax: 10 })
    const post = async (from: number, n: number) => {
      await house.post(Array.from({ length: n }, (_, i) => ({ device: 'a', ts: T0 + from + i, value: from + i })))
      await house.commit()
    }
    const count = async () => (await house.json('/v1/series?device=a')).series[0].count
    await post(0, 1)
    await house.seal()
    await post(1, 8)
    await post(9, 8)
    // The older commit of the two has left memory, so that its rows show again once they are sealed.
    expect(await count()).toBe(9)
    await house.sealWindow(windowRow('a', T0, [1]), 1)
    expect(await count()).toBe(9)
    await house.seal()
    expect(await count()).toBe(17)
  })
})
