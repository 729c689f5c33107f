import { DuckDBInstance } from '@duckdb/node-api'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inputSubject, partitionFor, resultsSubject } from '../../../../runtime/topology.ts'
import { House, MINUTE, T0, until, windowRow } from '../house.ts'

let house: House
beforeEach(async () => {
  house = await House.open()
})
afterEach(() => house.close())

const rows = (device: string, n: number, from = T0, step = 1_000) => Array.from({ length: n }, (_, i) => ({ device, ts: from + i * step, value: i }))
const noisy = (i: number) => Math.sin(i) * 10 ** ((i % 30) - 15)

describe('series and latest', () => {
  it('a posted reading is latest before any commit, and counts once a commit covers it', async () => {
    await house.post([{ device: 'd1', ts: T0, value: 1.5 }])
    await until('latest shows it', async () => (await house.json('/v1/latest')).latest.length === 1)
    const { latest } = await house.json('/v1/latest?time=ms')
    expect(latest).toEqual([{ device: 'd1', metric: 'm', ts: T0, value: 1.5, received_at: expect.any(Number) }])
    expect((await house.json('/v1/series')).series).toEqual([])
    await house.commit()
    expect((await house.json('/v1/series')).series).toEqual([
      { device: 'd1', metric: 'm', count: 1, first: '2026-01-01T00:00:00.000Z', last: '2026-01-01T00:00:00.000Z', value: 1.5 },
    ])
  })

  it('the last value is by event time, and of equal times the largest', async () => {
    await house.post([{ device: 'd1', ts: T0 + 2, value: 1 }, { device: 'd1', ts: T0 + 2, value: 7 }, { device: 'd1', ts: T0, value: 9 }, { device: 'd1', ts: T0 + 2, value: 3 }])
    await house.commit()
    await house.seal()
    await house.restart()
    expect((await house.json('/v1/latest?time=ms')).latest).toMatchObject([{ ts: T0 + 2, value: 7 }])
  })

  it('counts equal the lake after duplicates, expired and late rows, compaction, retention and a restart', async () => {
    const counts = async () => Object.fromEntries((await house.json('/v1/series')).series.map((s: any) => [s.device, s.count]))
    await house.post(rows('d1', 10))
    await house.post(rows('d2', 5))
    await house.commit()
    expect(await counts()).toEqual({ d1: 10, d2: 5 })
    await house.seal()
    expect(await counts()).toEqual({ d1: 10, d2: 5 })
    // Value 3 is in the lake, 100 is late, 200 a duplicate, 300 expired.
    await house.post([{ device: 'd1', ts: T0 + 3_000, value: 3 }, ...[100, 200, 300].map((value) => ({ device: 'd1', ts: T0 + 500, value }))])
    await house.commit({ fates: { old: [3, 100], duplicate: [200], expired: [300] } })
    await house.seal()
    expect(await counts()).toEqual({ d1: 11, d2: 5 })
    await house.rewrite()
    expect(await counts()).toEqual({ d1: 11, d2: 5 })
    await house.rewrite(`device <> 'd2' AND value <> 100`)
    await until('retention shows', async () => JSON.stringify(await counts()) === JSON.stringify({ d1: 10 }))
    await house.restart()
    expect(await counts()).toEqual({ d1: 10 })
  })

  it('counts equal the lake where the writer is ahead of this process, which counts nothing twice', async () => {
    await house.post(rows('d1', 3))
    await house.commit()
    const held = Array.from({ length: 4 }, (_, p) => house.world.holdDeliveries(resultsSubject(p)))
    await house.post([...rows('d1', 4, T0 + 60_000), ...rows('d2', 2)])
    await house.commit({ awaited: false })
    await house.seal()
    const counts = async () => Object.fromEntries((await house.json('/v1/series')).series.map((s: any) => [s.device, s.count]))
    expect(await counts()).toEqual({ d1: 7, d2: 2 })
    expect((await house.json('/v1/readings')).readings).toHaveLength(9)
    for (const release of held) release()
    await until('the tail has read on', async () => (await house.json('/v1/status')).settled)
    expect(await counts()).toEqual({ d1: 7, d2: 2 })
    expect((await house.json('/v1/readings')).readings).toHaveLength(9)
    await house.post(rows('d1', 1, T0 + 120_000))
    await house.commit()
    await house.seal()
    expect(await counts()).toEqual({ d1: 8, d2: 2 })
  })

  it('a series all of whose readings are expired is not there', async () => {
    await house.post([{ device: 'ancient', ts: T0, value: 1 }])
    await house.commit({ fates: { expired: [1] } })
    expect((await house.json('/v1/series')).series).toEqual([])
    expect((await house.json('/v1/latest')).latest).toEqual([])
  })

  it('pages of series are ordered, whole, and filtered by prefix, device and metric', async () => {
    const names = Array.from({ length: 25 }, (_, i) => `f${i % 3}/p${String(i).padStart(2, '0')}`)
    await house.post(names.map((device) => ({ device, ts: T0, value: 1 })))
    await house.commit()
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: any = await house.json(`/v1/series?limit=4&cursor=${cursor}`)
      seen.push(...page.series.map((s: any) => s.device))
      cursor = page.cursor
    }
    expect(seen).toEqual([...names].sort())
    expect((await house.json('/v1/series?prefix=f1/')).series.map((s: any) => s.device)).toEqual(names.filter((n) => n.startsWith('f1/')).sort())
    expect((await house.json('/v1/series?device=f0/p00,f1/p01')).series).toHaveLength(2)
    expect((await house.json('/v1/series?metric=other')).series).toEqual([])
  })
})

describe('readings', () => {
  it('are the lake and the fresh rows, in order of time, each once', async () => {
    await house.post([...rows('d1', 5), ...rows('d2', 5)])
    await house.commit()
    await house.seal()
    await house.post([{ device: 'd1', ts: T0 + 1_000, value: 1 }, { device: 'd1', ts: T0 + 1_500, value: 50 }, { device: 'd1', ts: T0 + 9_000, value: 9 }, { device: 'd1', ts: T0 + 9_500, value: -1 }])
    await house.commit({ fates: { old: [1, 50], duplicate: [-1] } })
    const { readings, cursor } = await house.json('/v1/readings?device=d1&time=ms')
    expect(cursor).toBe(null)
    expect(readings.map((r: any) => [r.ts - T0, r.value])).toEqual([[0, 0], [1_000, 1], [1_500, 50], [2_000, 2], [3_000, 3], [4_000, 4], [9_000, 9]])
    await house.seal()
    expect((await house.json('/v1/readings?device=d1&time=ms')).readings).toEqual(readings)
  })

  it('paging neither skips nor repeats a row while rows come and are sealed', async () => {
    const expected = new Set<string>()
    const add = async (device: string, n: number, from: number) => {
      // Four readings of each instant, of values that need every bit, so that pages end among them.
      const some = rows(device, n, from, 10).map((r, i) => ({ ...r, ts: from + (i >> 2) * 40, value: noisy(i) }))
      for (const r of some) expected.add(`${r.ts} ${r.device} ${r.value}`)
      await house.post(some)
      await house.commit()
    }
    await add('d1', 50, T0)
    await add('d2', 50, T0)
    const seen: string[] = []
    let cursor: string | null = ''
    for (let i = 0; cursor !== null; i++) {
      const page: any = await house.json(`/v1/readings?limit=17&time=ms&cursor=${cursor}`)
      seen.push(...page.readings.map((r: any) => `${r.ts} ${r.device} ${r.value}`))
      cursor = page.cursor
      if (i === 1) await house.seal()
      if (i === 2) await add('d1', 20, T0 + 10_000)
      if (i === 4) await house.seal()
      if (i === 5) await add('d3', 20, T0 + 20_000)
    }
    expect(seen).toHaveLength(new Set(seen).size)
    expect(new Set(seen)).toEqual(expected)
    expect(seen.map((s) => Number(s.split(' ')[0]))).toEqual(seen.map((s) => Number(s.split(' ')[0])).sort((a, b) => a - b))
  })

  it('a range takes from inclusive and to exclusive, as epoch ms, RFC 3339 or before now', async () => {
    await house.post(rows('d1', 10))
    await house.commit()
    const values = async (query: string) => (await house.json(`/v1/readings?${query}`)).readings.map((r: any) => r.value)
    expect(await values(`from=${T0 + 2_000}&to=2026-01-01T00:00:05Z`)).toEqual([2, 3, 4])
    expect(await values('from=2026-01-01T01:00:08%2B01:00')).toEqual([8, 9])
    // As it arrives from who does not escape the "+".
    expect(await values('from=2026-01-01T01:00:08+01:00')).toEqual([8, 9])
    await house.post([{ device: 'd1', ts: Date.now() - 60_000, value: 77 }])
    await house.commit()
    expect(await values('from=-1h')).toEqual([77])
    expect(await values('from=-30s&to=now')).toEqual([])
  })

  it('come as CSV and NDJSON by format= or Accept, with the cursor in the headers', async () => {
    await house.post(rows('d1', 3))
    await house.commit()
    const answer = await house.get('/v1/readings?limit=2&time=ms', { headers: { accept: 'text/csv' } })
    expect(answer.headers.get('content-type')).toContain('text/csv')
    const [head, first, , end] = (await answer.text()).split('\r\n')
    expect(head).toBe('device,metric,ts,value,received_at')
    expect(first).toMatch(new RegExp(`^d1,m,${T0},0,\\d+$`))
    expect(end).toBe('')
    const next = /<(.*)>; rel="next"/.exec(answer.headers.get('link')!)![1]
    expect((await (await house.get(next, { headers: { accept: 'text/csv' } })).text()).split('\r\n')[1]).toContain(`${T0 + 2_000},2,`)
    const lines = (await (await house.get('/v1/readings?format=ndjson')).text()).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line).value)).toEqual([0, 1, 2])
  })

  it('come as Parquet that DuckDB reads back as they are, and an empty list is an empty file of the same columns', async () => {
    await house.post(rows('d1', 3_000))
    await house.commit({ windows: [windowRow('d1', T0, [1])] })
    const read = async (path: string, sql: string) => {
      const answer = await house.get(path)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/vnd.apache.parquet'])
      const file = join(house.dir, 'answer.parquet')
      await writeFile(file, new Uint8Array(await answer.arrayBuffer()))
      const instance = await DuckDBInstance.create(':memory:')
      const connection = await instance.connect()
      try {
        return (await connection.runAndReadAll(sql.replace('FILE', `'${file}'`))).getRowsJS()
      } finally {
        connection.closeSync()
        instance.closeSync()
      }
    }
    const sums = 'SELECT count(*)::DOUBLE, sum(value), epoch_ms(max(ts))::DOUBLE, max(device) FROM FILE'
    expect(await read('/v1/readings?format=parquet&limit=5000', sums)).toEqual([[3_000, (2_999 * 3_000) / 2, T0 + 2_999_000, 'd1']])
    expect(await read('/v1/windows?format=parquet&time=ms', 'SELECT typeof(start), start::DOUBLE, typeof(count), stddev, closed_by FROM FILE')).toEqual([['BIGINT', T0, 'BIGINT', null, 'watermark']])
    expect(await read('/v1/anomalies?format=parquet', 'SELECT count(*)::DOUBLE, count(reason)::DOUBLE FROM FILE')).toEqual([[0, 0]])
  })
})

describe('anomalies and ledger', () => {
  it('anomalies are filtered by score and series, from the lake and from fresh commits', async () => {
    const anomaly = (ts: number, score: number) => ({ device: 'd1', metric: 'm', ts, value: 9, score, expected: 1, lower: 0, upper: 2, reason: 'far, "very" far' })
    await house.commit({ anomalies: [anomaly(T0, 0.5), anomaly(T0 + 1, 0.99)] })
    await house.seal()
    await house.commit({ anomalies: [anomaly(T0 + 2, 0.9)] })
    expect((await house.json('/v1/anomalies?time=ms')).anomalies.map((a: any) => a.ts - T0)).toEqual([0, 1, 2])
    expect((await house.json('/v1/anomalies?time=ms&minScore=0.9')).anomalies.map((a: any) => a.ts - T0)).toEqual([1, 2])
    expect((await house.json('/v1/anomalies?device=d2')).anomalies).toEqual([])
    expect(await (await house.get('/v1/anomalies?format=csv')).text()).toContain('"far, ""very"" far"')
  })

  it('the ledger adds up, fresh and sealed', async () => {
    await house.post(rows('d1', 10))
    await house.reject('d1', 4)
    await house.post(rows('d2', 1))
    await house.commit({ fates: { duplicate: [1, 2], expired: [3], old: [4, 5] } })
    const fresh = await house.json('/v1/ledger')
    expect(fresh).toEqual({ received: 15, accepted: 11, rejected: 4, onTime: 6, late: 2, duplicate: 2, expired: 1 })
    const metrics = await house.metrics.metrics()
    const told = Object.fromEntries([...metrics.matchAll(/^weir_readings_total\{fate="(\w+)"\} (\d+)$/gm)].map(([, fate, count]) => [fate, Number(count)]))
    expect(told).toEqual({ rejected: 4, on_time: 6, late: 2, duplicate: 2, expired: 1 })
    await house.seal()
    expect(await house.json('/v1/ledger')).toEqual(fresh)
    expect(await house.json('/v1/ledger?device=d2')).toMatchObject({ received: 1, onTime: 1 })
    expect(await house.json('/v1/ledger?to=-1h')).toMatchObject({ received: 0 })
    expect(await house.json('/v1/ledger?from=-1h')).toEqual(fresh)
  })
})

describe('who asks', () => {
  it('tenants never see rows of each other', async () => {
    await house.post(rows('d1', 3), 'default')
    await house.post(rows('secret', 2), 'other')
    await house.commit()
    for (const sealed of [false, true]) {
      if (sealed) await house.seal()
      for (const path of ['/v1/series', '/v1/latest', '/v1/readings', '/v1/ledger', '/v1/windows', '/v1/anomalies']) {
        expect(await (await house.get(path)).text()).not.toContain('secret')
        expect(await (await house.get(path, { key: house.keys['other analyst'] })).text()).not.toContain('"d1"')
      }
      expect((await house.json('/v1/readings', { key: house.keys['other analyst'] })).readings).toHaveLength(2)
      expect(await house.json('/v1/ledger', { key: house.keys['other analyst'] })).toMatchObject({ received: 2 })
    }
  })

  it('no key is 401, a device key 403, an unknown path 404, each as a problem', async () => {
    for (const [path, key, status] of [['/v1/series', '', 401], ['/v1/series', 'weir_wrong_key', 401], ['/v1/series', house.keys['default device'], 403], ['/nothing', '', 404]] as const) {
      const answer = await house.get(path, { key })
      expect(answer.status).toBe(status)
      expect(answer.headers.get('content-type')).toContain('application/problem+json')
      expect((await answer.json()).detail.length).toBeGreaterThan(10)
    }
  })

  it('a bad parameter is 400 and named', async () => {
    const bad = {
      limit: ['/v1/readings?limit=0', '/v1/readings?limit=100001', '/v1/series?limit=x'],
      from: ['/v1/readings?from=yesterday'],
      to: ['/v1/readings?from=2026-01-02&to=2026-01-01'],
      size: ['/v1/windows?size=5', '/v1/windows?size=90s', '/v1/windows?size=0m', '/v1/windows?size=1.5h', '/v1/windows?size=101y'],
      percentiles: ['/v1/windows?size=5m&percentiles=some'],
      fill: ['/v1/windows?fill=zero'],
      tz: ['/v1/windows?size=1d&tz=Mars/Olympus', '/v1/windows?tz=%2B01:00'],
      cursor: ['/v1/readings?cursor=abc', '/v1/series?cursor=WzFd'],
      device: ['/v1/graph?metric=m', '/v1/series?device=a%20b', '/v1/series?device=a&device=b'],
      metric: ['/v1/graph?device=d'],
      minScore: ['/v1/anomalies?minScore=2'],
      width: ['/v1/graph?device=d&metric=m&width=0'],
      kind: ['/v1/live?kind=alarm'],
      time: ['/v1/series?time=s'],
      divice: ['/v1/series?divice=d'],
    }
    for (const [parameter, paths] of Object.entries(bad)) {
      for (const path of paths) {
        const answer = await house.get(path)
        const body = await answer.json()
        expect([path, answer.status, body.parameter]).toEqual([path, 400, parameter])
        expect(body.detail).toMatch(/must be (?!Invalid)/)
      }
    }
  })

  it('a format that is not there is 406 and says which are', async () => {
    for (const answer of [await house.get('/v1/readings?format=xlsx'), await house.get('/v1/readings', { headers: { accept: 'application/vnd.apache.arrow.file' } }), await house.get('/v1/status?format=csv')]) {
      expect(answer.status).toBe(406)
      expect((await answer.json()).formats).toContain('json')
    }
    expect((await house.get('/v1/readings', { headers: { accept: 'text/html,*/*;q=0.8' } })).status).toBe(200)
  })
})

describe('status', () => {
  it('counts of a quiet system are equal and settled; each stage ahead of the next is not settled', async () => {
    expect(await house.json('/v1/status')).toMatchObject({ accepted: 0, processed: 0, sealed: 0, settled: true })
    await house.post(rows('d1', 10))
    expect(await house.json('/v1/status')).toMatchObject({ accepted: 10, processed: 0, sealed: 0, settled: false })
    await house.commit({ pending: 1 })
    expect(await house.json('/v1/status')).toMatchObject({ accepted: 10, processed: 10, sealed: 0, settled: false })
    await house.seal()
    expect(await house.json('/v1/status')).toMatchObject({ accepted: 10, processed: 10, sealed: 10, settled: false })
    await house.commit({ windows: [windowRow('d1', T0, [1])] })
    expect(await house.json('/v1/status')).toMatchObject({ settled: false })
    await house.seal()
    expect(await house.json('/v1/status')).toMatchObject({ accepted: 10, processed: 10, sealed: 10, settled: true })
    // A commit that only moves the position leaves nothing to seal.
    await house.commit({ empty: [partitionFor(house.topology, 'default', 'd1')] })
    expect(await house.json('/v1/status')).toMatchObject({ settled: true })
    await house.restart()
    const { settled, partitions } = await house.json('/v1/status')
    expect(settled).toBe(true)
    expect(partitions.filter((p: any) => p.owner === 'worker-1')).toHaveLength(1)
  })

  it('is never settled while a stream is ahead of the tail', async () => {
    const partition = partitionFor(house.topology, 'default', 'd1')
    const release = house.world.holdDeliveries(inputSubject(partition))
    await house.post(rows('d1', 10))
    const ahead = await house.json('/v1/status')
    expect(ahead.settled).toBe(false)
    expect(ahead.accepted).toBeGreaterThan(ahead.processed)
    release()
    await until('the tail has read it', async () => (await house.json('/v1/status')).accepted === 10)
    await house.commit()
    await house.seal()
    const hold = house.world.holdDeliveries(resultsSubject(partition))
    await house.connection.log.publish(resultsSubject(partition), new Uint8Array([1]))
    expect((await house.json('/v1/status')).settled).toBe(false)
    hold()
  })
})

describe('windows', () => {
  const get = async (query: string) => (await house.json(`/v1/windows?time=ms&${query}`)).windows

  it('the newest version of a window is shown, and one that the store has made anew stays', async () => {
    await house.commit({ windows: [windowRow('d1', T0, [1, 2], { closedBy: 'open' })] })
    await house.seal()
    await house.commit({ windows: [windowRow('d1', T0, [1, 2, 6]), windowRow('d1', T0 + MINUTE, [5])] })
    const shown = await get('')
    expect(shown).toEqual([
      { device: 'd1', metric: 'm', size: '1m', start: T0, count: 3, min: 1, max: 6, mean: 3, sum: 9, stddev: Math.sqrt(7), first: 1, last: 6, p50: 2, p95: 6, p99: 6, closed_by: 'watermark' },
      { device: 'd1', metric: 'm', size: '1m', start: T0 + MINUTE, count: 1, min: 5, max: 5, mean: 5, sum: 5, stddev: null, first: 5, last: 5, p50: 5, p95: 5, p99: 5, closed_by: 'watermark' },
    ])
    await house.seal()
    expect(await get('')).toEqual(shown)
    await house.sealWindow(windowRow('d1', T0, [1, 2, 3, 6], { closedBy: 'late' }), 1_000)
    await house.commit({ windows: [windowRow('d1', T0, [1, 2, 6])] })
    expect((await get(`to=${T0 + 1}`)).map((w: any) => w.count)).toEqual([4])
  })

  it('pages show each window once, however many versions of it there are', async () => {
    for (let version = 1; version <= 30; version++) await house.sealWindow(windowRow('d1', T0 + (version % 2) * MINUTE, [version]), version)
    await house.sealWindow(windowRow('d1', T0 + 2 * MINUTE, [7]), 1)
    for (const limit of [1, 2, 3, 10]) {
      const shown: number[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: any = await house.json(`/v1/windows?time=ms&limit=${limit}&cursor=${cursor}`)
        shown.push(...page.windows.map((w: any) => w.first))
        cursor = page.cursor
      }
      expect(shown).toEqual([30, 29, 7])
    }
  })

  it('pages of windows are whole, with and without filling', async () => {
    for (const device of ['d1', 'd2']) await house.commit({ windows: [0, 1, 4, 9].map((i) => windowRow(device, T0 + i * MINUTE, [i])) })
    await house.seal()
    await house.commit({ windows: [windowRow('d1', T0 + 4 * MINUTE, [40]), windowRow('d2', T0 + 11 * MINUTE, [11])] })
    for (const fill of ['none', 'null', 'previous', 'linear']) {
      for (const range of ['', `&from=${T0 - 2 * MINUTE}&to=${T0 + 14 * MINUTE}`]) {
        const whole = await get(`fill=${fill}${range}`)
        for (const limit of [1, 3, 7]) {
          const paged: any[] = []
          let cursor: string | null = ''
          while (cursor !== null) {
            const page: any = await house.json(`/v1/windows?time=ms&fill=${fill}${range}&limit=${limit}&cursor=${cursor}`)
            paged.push(...page.windows)
            cursor = page.cursor
          }
          expect(paged).toEqual(whole)
        }
      }
    }
  })

  it('filling adds the missing windows: null, as before, or on a straight line', async () => {
    await house.commit({ windows: [windowRow('d1', T0, [10]), windowRow('d1', T0 + 4 * MINUTE, [30])] })
    const means = async (fill: string, more = '') => (await get(`fill=${fill}${more}`)).map((w: any) => w.mean)
    expect(await means('none')).toEqual([10, 30])
    expect(await means('null')).toEqual([10, null, null, null, 30])
    expect(await means('previous')).toEqual([10, 10, 10, 10, 30])
    expect(await means('linear')).toEqual([10, 15, 20, 25, 30])
    const range = `&from=${T0 - MINUTE}&to=${T0 + 6 * MINUTE}`
    expect(await means('previous', range)).toEqual([null, 10, 10, 10, 10, 30, 30])
    expect(await means('linear', range)).toEqual([null, 10, 15, 20, 25, 30, null])
    const [, filled] = await get('fill=previous')
    expect(filled).toMatchObject({ count: 0, sum: null, stddev: null, last: 10, closed_by: null })
  })

  it('that no part of is closed yet are shown as their readings are, sealed and fresh, over a change of clocks', async () => {
    // 2026-03-29 has 23 hours in Vienna.
    const hours = Array.from({ length: 72 }, (_, i) => ({ device: 'd1', ts: Date.UTC(2026, 2, 28, i - 1), value: i }))
    await house.post(hours.slice(0, 40))
    await house.commit()
    await house.seal()
    await house.post(hours.slice(40))
    await house.commit()
    const days = await get('size=1d&tz=Europe/Vienna')
    expect(days.map((d: any) => [new Date(d.start).toISOString(), d.count, d.first, d.last, d.p50])).toEqual([
      ['2026-03-27T23:00:00.000Z', 24, 0, 23, 11],
      ['2026-03-28T23:00:00.000Z', 23, 24, 46, 35],
      ['2026-03-29T22:00:00.000Z', 24, 47, 70, 58],
      ['2026-03-30T22:00:00.000Z', 1, 71, 71, 71],
    ])
    expect(days[0].stddev).toBeCloseTo(Math.sqrt(50), 9)
    expect(new Set(days.map((d: any) => d.closed_by))).toEqual(new Set(['open']))
    const two: any[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: any = await house.json(`/v1/windows?time=ms&size=1d&tz=Europe/Vienna&limit=2&cursor=${cursor}`)
      two.push(...page.windows)
      cursor = page.cursor
    }
    expect(two).toEqual(days)
  })

  it('are merged from their parts where readings are gone, without percentiles, however large the mean is', async () => {
    const values = [[1e9 + 1, 1e9 + 2], [1e9 + 7], [], [1e9 + 4, 1e9 - 5, 1e9]]
    const row = (i: number, closedBy: 'watermark' | 'idle' | 'late' | 'open') => windowRow('d1', T0 + i * MINUTE, values[i], { closedBy })
    await house.commit({ windows: [row(0, 'watermark'), row(1, 'watermark')] })
    await house.seal()
    await house.commit({ windows: [row(3, 'idle')] })
    for (const sealed of [false, true]) {
      if (sealed) await house.seal()
      const [merged, ...more] = await get('size=5m')
      expect(more).toEqual([])
      expect(merged).toMatchObject({ start: T0, count: 6, min: 1e9 - 5, max: 1e9 + 7, first: 1e9 + 1, last: 1e9, sum: 6e9 + 9, p50: null, p99: null, closed_by: 'idle' })
      expect(merged.stddev).toBeCloseTo(Math.sqrt([-0.5, 0.5, 5.5, 2.5, -6.5, -1.5].reduce((sum, d) => sum + d * d, 0) / 5), 6)
    }
    await house.sealWindow(windowRow('d1', T0 + MINUTE, [1e9 + 7, 1e9 + 7], { closedBy: 'late' }), 1_000)
    expect(await get('size=5m')).toMatchObject([{ count: 7, closed_by: 'late' }])
    await house.commit({ windows: [windowRow('d1', T0 + 3 * MINUTE, [5], { closedBy: 'open' })] })
    expect(await get('size=5m')).toMatchObject([{ count: 5, min: 5, closed_by: 'open' }])
    const ahead = Math.floor(Date.now() / MINUTE) * MINUTE + 10 * MINUTE
    await house.commit({ windows: [windowRow('d2', ahead, [1]), windowRow('d2', ahead - 86_400_000, [1])] })
    expect((await get('size=11h&device=d2')).map((w: any) => w.closed_by)).toEqual([])
    expect((await get('size=1439m&device=d2')).map((w: any) => w.closed_by)).toEqual(['watermark', 'open'])
  })

  it('say that they are open while readings of them are in no part yet', async () => {
    await house.post([{ device: 'd1', ts: T0, value: 1 }, { device: 'd1', ts: T0 + 4 * MINUTE, value: 3 }])
    await house.commit({ windows: [windowRow('d1', T0, [1])] })
    expect(await get('size=5m')).toMatchObject([{ count: 2, mean: 2, p99: 3, closed_by: 'open' }])
    await house.commit({ windows: [windowRow('d1', T0 + 4 * MINUTE, [3])] })
    expect(await get('size=5m')).toMatchObject([{ count: 2, mean: 2, p99: 3, closed_by: 'watermark' }])
    expect(await get('size=5m&percentiles=none')).toMatchObject([{ count: 2, mean: 2, p99: null, closed_by: 'watermark' }])
  })
})
