import { describe, expect, test } from 'vitest'
import { pack } from '../../../runtime/codec.ts'
import { BLOCK_LINGER_MS, BLOCK_ROWS_MAX, EDGE_BLOCKS_BURST, EDGE_NAMES_MAX } from '../../../runtime/limits.ts'
import { partitionFor } from '../../../runtime/topology.ts'
import { hashOf } from '../../../actors/edge/batcher.ts'
import { EdgeFixture, rowsOf } from './fixture.ts'

const reading = (device: string, value: number) => ({ device, metric: 'm', value })

describe('blocks', () => {
  test('carry each reading to the partition of its device, in order', async () => {
    const edge = await EdgeFixture.start({ partitions: 8 })
    const readings = Array.from({ length: 200 }, (_, i) => reading(`d${i % 20}`, i))
    await edge.post(readings)
    expect(edge.readings()).toHaveLength(200)
    for (let p = 0; p < 8; p++) {
      const { lastSeq } = await edge.connection.log.info(`READINGS_${p}`)
      expect(lastSeq).toBeLessThanOrEqual(1)
    }
    for (const block of edge.blocks()) {
      const partitions = new Set(block.devices.map((d) => partitionFor(edge.topology, 'default', d)))
      expect(partitions.size).toBe(1)
      const values = rowsOf(block).map((r) => r.value)
      expect(values).toEqual([...values].sort((a, b) => a - b))
    }
  })

  test('name each series once, however many requests they gather', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    const release = edge.world.holdPublishes('readings.>')
    const answers = Array.from({ length: 30 }, (_, i) => edge.send([reading('a', i), reading('b', i), { device: 'a', values: { m: -i, n: i } }]))
    await edge.clock.advance(BLOCK_LINGER_MS * 2)
    release()
    for (const answer of answers) expect((await edge.answerOf(answer)).status).toBe(202)
    expect(edge.readings()).toHaveLength(120)
    expect(edge.blocks().length).toBeLessThan(5)
    for (const block of edge.blocks()) {
      const series = Array.from(block.seriesDevice, (d, i) => `${block.devices[d]} ${block.metrics[block.seriesMetric[i]]}`)
      expect(new Set(series).size).toBe(series.length)
      expect(new Set(block.devices).size).toBe(block.devices.length)
    }
  })

  test('leave at once while nothing is under way, and gather while something is', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    const release = edge.world.holdPublishes('readings.>')
    const answers = [edge.send([reading('a', 1)]), edge.send([reading('a', 2)]), edge.send([reading('a', 3)])]
    await edge.clock.advance(BLOCK_LINGER_MS)
    release()
    await edge.answerOf(Promise.all(answers))
    expect(edge.blocks().map((b) => b.ts.length)).toEqual([1, 2])
  })

  test('leave when they are full, whatever is under way', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    const release = edge.world.holdPublishes('readings.>')
    const many = Array.from({ length: 1_500 }, (_, i) => reading('a', i))
    const answers = [edge.send(many), edge.send(many), edge.send(many)]
    await edge.clock.advance(0)
    release()
    await edge.answerOf(Promise.all(answers))
    expect(edge.blocks().map((b) => b.ts.length)).toEqual([1_500, 1_500, 1_500])
  })

  test('that wait leave together, as soon as what was under way is answered', async () => {
    const edge = await EdgeFixture.start({ partitions: 8 })
    const release = edge.world.holdPublishes('readings.>')
    const answers = [edge.send([reading('first', 0)])]
    for (let i = 0; i < 40; i++) answers.push(edge.send([reading(`d${i}`, i)]))
    await edge.clock.advance(0)
    expect(edge.blocks()).toHaveLength(0)
    release()
    // Without time passing: it is the answer that they waited for.
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(202)
    expect(edge.readings()).toHaveLength(41)
    expect(edge.blocks().length).toBeLessThanOrEqual(9)
  })

  test('wait no longer than their time for an answer that does not come', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    const release = edge.world.holdPublishes('readings.>')
    const answers = [edge.send([reading('a', 1)]), edge.send([reading('a', 2)])]
    await edge.clock.advance(BLOCK_LINGER_MS)
    answers.push(edge.send([reading('a', 3)]))
    await edge.clock.advance(BLOCK_LINGER_MS)
    release()
    await edge.answerOf(Promise.all(answers))
    expect(edge.blocks().map((b) => b.ts.length)).toEqual([1, 1, 1])
  })

  test('linger once the budget of eager ones is used up', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    const answers: Promise<Response>[] = []
    for (let i = 0; i < EDGE_BLOCKS_BURST * 3; i++) {
      answers.push(edge.send([reading('a', i)]))
      await edge.clock.advance(0)
    }
    await edge.answerOf(Promise.all(answers))
    expect(edge.readings()).toHaveLength(EDGE_BLOCKS_BURST * 3)
    expect(edge.blocks().length).toBeLessThan(EDGE_BLOCKS_BURST * 2)
  })
})

test('an edge that has met more names than it keeps forgets them, and nothing else', async () => {
  const edge = await EdgeFixture.start({ partitions: 2 })
  const release = edge.world.holdPublishes('readings.>')
  const answers = [edge.send([reading('before', 1)]), edge.send([reading('before', 2)])]
  const devices = Array.from({ length: EDGE_NAMES_MAX / 2 + 1 }, (_, i) => `n${i}`)
  answers.push(edge.send(pack({ device: devices, metric: 'm', value: devices.map((_, i) => i) }), { type: 'application/msgpack' }))
  await edge.clock.advance(0)
  answers.push(edge.send([reading('before', 3), reading('n7', 3)]), edge.send([reading('before', 4)]))
  await edge.clock.advance(BLOCK_LINGER_MS)
  release()
  for (const answer of answers) expect((await edge.answerOf(answer)).status).toBe(202)
  expect(edge.readings()).toHaveLength(devices.length + 5)
  expect(edge.readings().filter((r) => r.device === 'before').map((r) => r.value)).toEqual([1, 2, 3, 4])
  for (const block of edge.blocks()) expect(new Set(block.devices).size).toBe(block.devices.length)
})

describe('an Idempotency-Key', () => {
  test('marks the rows of its request, in each partition', async () => {
    const edge = await EdgeFixture.start({ partitions: 2 })
    const release = edge.world.holdPublishes('readings.>')
    const answers = [edge.send([reading('x', 0), reading('y', 0), reading('z', 0)]), edge.send([reading('a', 1)])]
    await edge.clock.advance(0)
    answers.push(edge.send(Array.from({ length: 10 }, (_, i) => reading(`d${i}`, i)), { headers: { 'idempotency-key': 'k-1' } }))
    answers.push(edge.send([reading('a', 2), reading('b', 2), reading('c', 2), reading('d', 2)]))
    await edge.clock.advance(BLOCK_LINGER_MS)
    release()
    await edge.answerOf(Promise.all(answers))
    const marked = edge.blocks().flatMap((b) => b.keyed.flatMap((k) => rowsOf(b).slice(k.from, k.to)))
    expect(marked.map((r) => r.device).sort()).toEqual(Array.from({ length: 10 }, (_, i) => `d${i}`))
    for (const block of edge.blocks()) for (const k of block.keyed) expect(k.hash).toBe(hashOf('default', 'k-1', 0))
  })

  test('of another tenant has another hash', () => {
    expect(hashOf('a', 'k', 0)).not.toBe(hashOf('b', 'k', 0))
    expect(hashOf('a', 'k', 0)).not.toBe(hashOf('a', 'k', 1))
    expect(hashOf('a', 'k', 0)).toMatch(/^[0-9a-f]{32}$/)
  })

  test.each(['', ' ', 'a b', 'é', 'x'.repeat(256)])('that is not 1 to 255 visible characters gets 400: %.10j', async (key) => {
    const edge = await EdgeFixture.start()
    const response = await edge.post(reading('a', 1), { headers: { 'idempotency-key': key === 'é' ? '\xe9' : key } })
    expect(response.status).toBe(400)
  })

  test('cuts a long request into the same pieces each time, whatever else waits', async () => {
    const rows = BLOCK_ROWS_MAX * 2 + 10
    const body = pack({ device: 'a', metric: 'm', ts: 1_767_225_600_000, value: Array.from({ length: rows }, (_, i) => i) })
    const pieces = []
    for (const others of [0, 5]) {
      const edge = await EdgeFixture.start({ partitions: 1 })
      const release = edge.world.holdPublishes('readings.>')
      const answers = Array.from({ length: others }, (_, i) => edge.send([reading(`o${i}`, i)]))
      await edge.clock.advance(0)
      answers.push(edge.send(body, { type: 'application/msgpack', headers: { 'idempotency-key': 'long' } }))
      await edge.clock.advance(BLOCK_LINGER_MS)
      release()
      for (const answer of answers) expect((await edge.answerOf(answer)).status).toBe(202)
      const found = edge.blocks().flatMap((b) => b.keyed.map((k) => ({ hash: k.hash, values: rowsOf(b).slice(k.from, k.to).map((r) => r.value) })))
      expect(found.map((f) => f.values.length)).toEqual([BLOCK_ROWS_MAX, BLOCK_ROWS_MAX, 10])
      expect(found.flatMap((f) => f.values)).toEqual(Array.from({ length: rows }, (_, i) => i))
      pieces.push(found.map((f) => [f.hash, f.values[0], f.values.length]))
    }
    expect(pieces[0]).toEqual(pieces[1])
  })
})

describe('a log that fails', () => {
  test.each([
    ['lost-ack', '1'],
    ['lost', '1'],
    ['full', '5'],
  ] as const)('by %s gets 503 with Retry-After, and the next request passes', async (fault, retryAfter) => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    edge.world.failNext('readings.>', fault)
    const response = await edge.post([reading('a', 1)])
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe(retryAfter)
    expect((await edge.post([reading('a', 1)])).status).toBe(202)
  })

  test('is tried once more where it was not there, and not more often', async () => {
    const edge = await EdgeFixture.start({ partitions: 1 })
    edge.world.failNext('readings.>', 'unavailable', 1)
    expect((await edge.post([reading('a', 1)])).status).toBe(202)
    edge.world.failNext('readings.>', 'unavailable', 2)
    expect((await edge.post([reading('a', 1)])).status).toBe(503)
    expect(edge.readings()).toHaveLength(1)
  })

  test('in one partition fails every request that has a reading in it, and no other', async () => {
    const edge = await EdgeFixture.start({ partitions: 4 })
    const devices = Array.from({ length: 40 }, (_, i) => `d${i}`)
    const bad = partitionFor(edge.topology, 'default', 'd0')
    const elsewhere = devices.filter((d) => partitionFor(edge.topology, 'default', d) !== bad)
    edge.world.publishFault = (subject) => (subject === `readings.${bad}` ? 'full' : null)
    expect((await edge.post(devices.map((d) => reading(d, 1)))).status).toBe(503)
    expect((await edge.post(elsewhere.map((d) => reading(d, 1)))).status).toBe(202)
  })

  test('whose server dies and comes back gets 503 meanwhile, and then takes all', async () => {
    const edge = await EdgeFixture.start()
    edge.world.killServer()
    expect((await edge.post([reading('a', 1)])).status).toBe(503)
    expect((await edge.edge.app.request('/readyz')).status).toBe(503)
    expect((await edge.edge.app.request('/healthz')).status).toBe(200)
    edge.world.restartServer()
    expect((await edge.post([reading('a', 1)])).status).toBe(202)
    expect((await edge.edge.app.request('/readyz')).status).toBe(200)
  })

  test('that does not answer gets 503 once more is in hand than may be, without waiting for it', async () => {
    const edge = await EdgeFixture.start({ outstandingMaxBytes: 20_000 })
    const release = edge.world.holdPublishes('readings.>')
    const many = { device: 'a', metric: 'm', value: Array.from({ length: 2_000 }, (_, i) => i % 100) }
    const stuck = edge.send(pack(many), { type: 'application/msgpack' })
    await edge.clock.advance(0)
    const refused = await edge.send([reading('a', 1)])
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    release()
    await edge.answerOf(stuck)
    expect((await edge.post([reading('a', 1)])).status).toBe(202)
  })
})

test('a stop refuses what is new, and answers what it has taken', async () => {
  const edge = await EdgeFixture.start({ partitions: 1 })
  const release = edge.world.holdPublishes('readings.>')
  const taken = [edge.send([reading('a', 1)]), edge.send([reading('a', 2), 7])]
  await edge.clock.advance(0)
  const stopped = edge.edge.stop()
  expect((await edge.post([reading('a', 3)])).status).toBe(503)
  expect((await edge.edge.app.request('/readyz')).status).toBe(503)
  release()
  expect((await edge.answerOf(Promise.all(taken))).map((r) => r.status)).toEqual([202, 202])
  await edge.answerOf(stopped)
  expect(edge.readings().map((r) => r.value)).toEqual([1, 2])
  expect(edge.rejects().flatMap((m) => m.counts)).toEqual([['', 1]])
})
