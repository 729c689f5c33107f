/**
 * Live streams of real stores on one nats-server, through an edge, over real sockets: whatever is killed in mid-stream, and whoever stops
 * reading, each client has had every event of the logs exactly once.
 */

import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeEffects } from '../../actors/partition/effects.ts'
import { decodeInput } from '../../actors/reading/input.ts'
import { JournalReader } from '../../runtime/journal.ts'
import { pack } from '../../runtime/codec.ts'
import { RESULTS, inputStreams, topologyOf } from '../../runtime/topology.ts'
import { metricOf } from '../bench/watch.ts'
import { Apart } from '../support/apart.ts'
import type { Part } from '../support/apart.ts'
import { LiveClient } from '../support/live-client.ts'
import { seeded } from '../support/random.ts'
import { eventually } from '../support/system.ts'

const PARTITIONS = 16
const DEVICES = Array.from({ length: 12 }, (_, i) => `field-${i % 3}/probe-${i}`)

let apart: Apart
let clients: LiveClient[]
beforeEach(async () => {
  clients = []
  apart = await Apart.install({ partitions: PARTITIONS, settings: { latenessMs: 500, idleMs: 2_000, retentionMs: 0 } })
})
afterEach(async () => {
  for (const client of clients) client.close()
  await apart.remove()
})

const store = (name: string) => apart.start('store', ['--data', apart.lakeOf(name), '--name', name])
const metric = async (part: Part, name: string) => metricOf(await (await fetch(`${part.url}/metrics`)).text(), name)

function watch(part: Part, query: string): LiveClient {
  const client = new LiveClient({ url: part.url, key: apart.key, query })
  clients.push(client)
  return client
}

/** What the logs hold, event by event, as a stream on everything would tell it. */
async function told(): Promise<Map<string, string[]>> {
  const { log } = apart.connection
  const all = new Map<string, string[]>([['reading', []], ['window', []], ['anomaly', []]])
  const topology = topologyOf(PARTITIONS)
  for (const stream of [...inputStreams(topology), RESULTS]) {
    const { lastSeq } = await log.info(stream)
    if (lastSeq === 0) continue
    const journal = new JournalReader()
    const reader = log.read({ stream, fromSeq: 1 })
    for await (const message of reader) {
      if (stream === RESULTS) {
        const given = journal.accept(message)
        if (given !== null && 'commit' in given) {
          const { series, windows, anomalies } = decodeEffects(given.commit.payload)
          for (const w of windows) all.get('window')!.push(`${series[w.series].device} ${w.size} ${w.start} ${w.count} ${w.sum} ${w.closedBy}`)
          for (const a of anomalies) all.get('anomaly')!.push(`${series[a.series].device} ${a.ts} ${a.value} ${a.score}`)
        }
      } else {
        const input = decodeInput(message.data)
        if (input.kind === 'block') {
          for (const [i, ts] of input.ts.entries()) all.get('reading')!.push(`${input.devices[input.seriesDevice[input.row[i]]]} ${ts} ${input.value[i]}`)
        }
      }
      if (message.seq >= lastSeq) break
    }
    await reader.close()
  }
  return all
}

const SIZES = ['1m', '15m', '1h', '1d']
function seen(client: LiveClient, kind: string): string[] {
  return client.of(kind).map(({ data: d }) => {
    if (kind === 'reading') return `${d.device} ${d.ts} ${d.value}`
    if (kind === 'anomaly') return `${d.device} ${d.ts} ${d.value} ${d.score}`
    return `${d.device} ${SIZES.indexOf(d.size as string)} ${d.start} ${d.count} ${d.sum} ${d.closed_by}`
  })
}

/** Waits until a client has had exactly what the logs hold for it: rows of windows may still come while they are compared. */
async function hasAll(client: LiveClient, kinds: readonly string[], mine: (device: string) => boolean = () => true): Promise<void> {
  const of = (texts: readonly string[]) => texts.filter((text) => mine(text.split(' ')[0])).sort()
  for (const kind of kinds) {
    let wanted: string[] = []
    const same = async () => {
      wanted = of((await told()).get(kind)!)
      return wanted.length > 0 && seen(client, kind).sort().join() === wanted.join()
    }
    await eventually(`${kind} events are those of the logs`, same, 60_000).catch(() => expect(seen(client, kind).sort()).toEqual(wanted))
  }
  expect(client.of('snapshot')).toHaveLength(1)
}

test('each event reaches each client once while stores are killed in turn: through the edge on one and the same connection, of a store itself by resuming', async () => {
  const [edge, worker] = [await apart.start('edge'), await apart.start('worker')]
  const stores = new Map([['north', await store('north')], ['south', await store('south')]])
  for (const part of [edge, worker, ...stores.values()]) await apart.ready(part)
  await eventually('the edge knows a store', async () => (await apart.fetch(edge, '/v1/status')).ok)
  const everything = watch(edge, '')
  const results = watch(edge, 'kind=window,anomaly')
  const own = watch(edge, `device=${DEVICES[3]},${DEVICES[4]}`)
  const field = watch(edge, 'prefix=field-1/&kind=reading,alert')
  await eventually('all have begun', () => clients.every((client) => client.of('snapshot').length === 1))
  const byEdge = [...clients]
  // One that is at a store itself, and goes to the other by itself when it is killed.
  const direct = watch(stores.get('north')!, 'kind=reading,anomaly')
  await eventually('it has begun', () => direct.of('snapshot').length === 1)

  // Steady values, and now and then one that is far from them.
  const random = seeded(11)
  let ts = Date.now() - 3_600_000
  let ended = false
  let posted = 0
  const posting = (async () => {
    while (!ended) {
      const readings = DEVICES.flatMap((device) => [0, 1, 2].map((i) => ({ device, metric: 'm', ts: ts + i * 5_000, value: random() < 0.01 ? 500 : Math.round(random() * 100) / 100 })))
      ts += 15_000
      const answer = await apart.fetch(edge, '/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(readings) }).catch(() => null)
      await answer?.body?.cancel()
      if (answer?.status === 202) posted++
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  const more = (n: number) => {
    const from = posted
    return eventually(`${n} more batches`, () => posted >= from + n)
  }
  try {
    await more(30)
    let moves = 0
    for (let round = 0; round < 4; round++) {
      const counts = await Promise.all([...stores].map(async ([name, part]) => [name, await metric(part, 'weir_live_streams').catch(() => 0)] as const))
      const [name] = counts.find(([, n]) => n >= byEdge.length)!
      const { pid } = stores.get(name)!
      const other = [...stores].find(([of]) => of !== name)![1]
      process.kill(pid, 'SIGKILL')
      direct.moveTo(other.url)
      await eventually('the streams are at the other store', async () => (await metric(other, 'weir_live_streams')) === clients.length)
      moves++
      await more(15)
      stores.set(name, await store(name))
      await apart.ready(stores.get(name)!)
    }
    expect(moves).toBe(4)
  } finally {
    ended = true
    await posting
  }
  expect(byEdge.map(({ opened }) => opened)).toEqual(byEdge.map(() => 1))
  expect(await metric(edge, 'weir_edge_live_resumed_total')).toBe(4 * byEdge.length)
  await hasAll(everything, ['reading', 'window', 'anomaly'])
  await hasAll(direct, ['reading', 'anomaly'])
  await hasAll(results, ['window', 'anomaly'])
  await hasAll(own, ['reading', 'window'], (device) => device === DEVICES[3] || device === DEVICES[4])
  await hasAll(field, ['reading'], (device) => device.startsWith('field-1/'))
})

test('a client that stops reading is told to resume and leaves nothing behind, and the others go on; reading again, it misses nothing', async () => {
  const [edge, one] = [await apart.start('edge'), await store('north')]
  for (const part of [edge, one]) await apart.ready(part)
  const [slow, byEdge, quick] = [watch(one, 'kind=reading'), watch(edge, 'kind=reading'), watch(one, 'kind=reading')]
  await eventually('all have begun', () => clients.every((client) => client.of('snapshot').length === 1))
  slow.pause()
  byEdge.pause()
  let value = 0
  const post = async () => {
    const device = Array.from({ length: 2_000 }, (_, i) => DEVICES[i % DEVICES.length])
    const body = pack({ device, metric: 'm', ts: device.map(() => 1_767_225_600_000 + ++value), value: device.map((_, i) => value + i) })
    expect((await apart.fetch(edge, '/v1/readings', { method: 'POST', headers: { 'content-type': 'application/msgpack' }, body: Buffer.from(body) })).status).toBe(202)
  }
  // The system's own buffers hold megabytes before the store sees that nobody reads.
  let rounds = 0
  while ((await metric(one, 'weir_live_let_go')) < 2) {
    await post()
    expect(++rounds).toBeLessThan(400)
  }
  await eventually('the quick one has all', () => quick.of('reading').length === rounds * 2_000)
  expect(quick.told).toEqual([])
  slow.resume()
  byEdge.resume()
  await eventually('those who were slow have all', () => [slow, byEdge].every((client) => client.of('reading').length >= rounds * 2_000))
  await hasAll(slow, ['reading'])
  await hasAll(byEdge, ['reading'])
  for (const { told: words } of [slow, byEdge]) expect(words[0]).toContain('too slow; resume from the last id')
  await eventually('nothing is held', async () => (await metric(one, 'weir_live_bytes')) === 0)
})
