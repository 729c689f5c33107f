import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MemberView } from '../../../actors/analytics/data/status.ts'
import type { MemoryConnection } from '../../../runtime/memory-connection.ts'
import { House, T0, until } from './house.ts'

let house: House
beforeEach(async () => {
  house = await House.open()
})
afterEach(() => house.close())

const member = (id: string, role: string, url: string | null): MemberView => ({ id, role, url, runtime: 'node', pid: 1, startedAt: T0 })

/** The samples that a scrape gives, as `name{labels}` → value. */
async function scrape(): Promise<Map<string, number>> {
  const lines = (await house.metrics.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

const named = (samples: Map<string, number>, name: string) => [...samples].filter(([key]) => key.startsWith(`${name}{`))

describe('the metrics of a store', () => {
  it('tell how long readings wait that no commit covers, and nothing of those that are covered', async () => {
    await house.post([{ device: 'a', ts: T0, value: 1 }])
    await until('the tail has it', async () => (await scrape()).get('weir_analytics_waiting_readings') === 1)
    const waiting = named(await scrape(), 'weir_analytics_lag_seconds')
    expect(waiting).toHaveLength(4)
    expect(waiting.filter(([, seconds]) => seconds > 0)).toHaveLength(1)
    await house.commit()
    expect(named(await scrape(), 'weir_analytics_lag_seconds').filter(([, seconds]) => seconds > 0)).toEqual([])
  })

  it('count what was sealed since the process started, from 0 on', async () => {
    await house.post([{ device: 'a', ts: T0, value: 1 }, { device: 'b', ts: T0, value: 2 }])
    await house.commit()
    expect((await scrape()).get('weir_readings_sealed_total')).toBe(0)
    await house.seal()
    expect((await scrape()).get('weir_readings_sealed_total')).toBe(2)
    await house.restart()
    expect((await scrape()).get('weir_readings_sealed_total')).toBe(0)
    await house.post([{ device: 'a', ts: T0 + 1, value: 3 }])
    await house.commit()
    await house.seal()
    expect((await scrape()).get('weir_readings_sealed_total')).toBe(1)
  })

  it('count a partition as owned while the one who claimed it last is alive', async () => {
    await house.commit({ empty: [0, 1, 2] })
    expect((await scrape()).get('weir_partitions')).toBe(4)
    expect((await scrape()).get('weir_partitions_owned')).toBe(0)
    house.members = [member('worker-1', 'worker', null), member('store-1', 'store', null)]
    const samples = await scrape()
    expect(samples.get('weir_partitions_owned')).toBe(3)
    expect(named(samples, 'weir_members')).toEqual([['weir_members{member_role="edge"}', 0], ['weir_members{member_role="worker"}', 1], ['weir_members{member_role="store"}', 1], ['weir_members{member_role="notifier"}', 0]])
  })

  it('leave out what only the log knows while it is away, and still come', async () => {
    const before = await scrape()
    expect(named(before, 'weir_log_bytes').map(([key]) => key)).toContain('weir_log_bytes{stream="RESULTS"}')
    expect(before.get('weir_disk_free_bytes')).toBeGreaterThan(0)
    const connection = house.connection as MemoryConnection
    connection.cut()
    const away = await scrape()
    connection.heal()
    expect(named(away, 'weir_log_bytes')).toEqual([])
    expect(away.get('weir_partitions')).toBe(4)
    expect([...(await scrape()).keys()].sort()).toEqual([...before.keys()].sort())
  })
})

describe('/v1/targets', () => {
  it('gives Prometheus each address once, with its role, of those that serve HTTP', async () => {
    house.members = [
      member('e', 'edge', 'http://10.0.0.1:8080'),
      member('w-t1', 'worker', 'http://10.0.0.2:4001'),
      member('w-t2', 'worker', 'http://10.0.0.2:4001'),
      member('s', 'store', 'http://[fd00::3]:4002'),
      member('starting', 'store', null),
    ]
    const answer = await house.get('/v1/targets')
    // What Prometheus insists on.
    expect(answer.headers.get('content-type')).toMatch(/^application\/json(; charset=utf-8)?$/i)
    expect(await answer.json()).toEqual([
      { targets: ['10.0.0.1:8080'], labels: { role: 'edge', runtime: 'node' } },
      { targets: ['10.0.0.2:4001'], labels: { role: 'worker', runtime: 'node' } },
      { targets: ['[fd00::3]:4002'], labels: { role: 'store', runtime: 'node' } },
    ])
  })

  it('asks for the key of an analyst', async () => {
    expect((await house.get('/v1/targets', { key: '' })).status).toBe(401)
    expect((await house.get('/v1/targets', { key: house.keys['default device'] })).status).toBe(403)
  })
})
