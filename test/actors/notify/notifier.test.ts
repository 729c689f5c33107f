/** The notifier on a log in memory: what it owes survives its death at any point, and says the same under the same id. */

import { expect, it } from 'vitest'
import { encodeState, emptyState, emptyRoute, stateKey } from '../../../actors/notify/state.ts'
import { OperatingError } from '../../../runtime/errors.ts'
import { messagesBehind, readReader } from '../../../actors/store/readers.ts'
import { Janitor } from '../../../actors/store/janitor.ts'
import { BUCKET_META, BUCKET_NOTIFY, inputSubject, OWN, OWN_FIRST, ownPartitions, RESULTS } from '../../../runtime/topology.ts'
import { NOTIFY_WAITING_MAX } from '../../../runtime/limits.ts'
import { Stage } from './stage.ts'
import type { Event } from './stage.ts'

const STORY: Event[][] = [
  [{ device: 'a/1', event: 'opened' }, { device: 'a/2', event: 'opened' }],
  [{ device: 'b/1', event: 'opened', severity: 'critical' }],
  [{ device: 'a/1', event: 'resolved' }],
  [],
  [{ device: 'a/2', event: 'escalated', severity: 'critical' }],
  [{ device: 'b/1', event: 'resolved', severity: 'critical' }, { device: 'c', event: 'opened', tenant: 'other' }],
]
const ALL = ['a/1 opened 1', 'a/2 opened 1', 'b/1 opened 1', 'a/1 resolved 2', 'a/2 escalated 2', 'b/1 resolved 2']

async function stageOf(route: object, changesMax?: number): Promise<Stage> {
  const stage = await Stage.open()
  stage.changesMax = changesMax
  await stage.route('phone', route)
  return stage
}

async function tell(stage: Stage): Promise<void> {
  for (const events of STORY) {
    await stage.commit(...events)
    await stage.clock.advance(400)
  }
}

const GROUPS = { groupBy: ['place'], wait: '1s', interval: '2s', remind: '60s' }

it.each([['alone', {}, undefined], ['in groups', GROUPS, undefined], ['in groups, with copies', GROUPS, 1]])(
  'loses no event, and repeats none under another id, wherever the first of two dies: each %s',
  async (_, route, changesMax) => {
    const calm = await stageOf(route, changesMax)
    const connection = calm.world.connect()
    await calm.notifier(connection)
    await tell(calm)
    await calm.clock.advance(10_000)
    expect(new Set(calm.events)).toEqual(new Set(ALL))
    const points = connection.points
    expect(points).toBeGreaterThan(20)
    for (let point = 1; point <= points; point++) {
      const stage = await stageOf(route, changesMax)
      const first = stage.world.connect()
      first.dieAt(point)
      void stage.notifier(first)
      await tell(stage)
      first.die()
      const { notifier } = await stage.notifier()
      await stage.clock.advance(10_000)
      expect(new Set(stage.events), `dies at ${point}`).toEqual(new Set(ALL))
      // What came twice came under its own id, and was the same to the byte.
      const bodies = new Map<string, string>()
      for (const { id, body } of stage.received) {
        expect(bodies.get(id) ?? body).toBe(body)
        bodies.set(id, body)
      }
      const told = [...bodies.values()].flatMap((body) => (JSON.parse(body) as { type: string; data: { alerts: { id: string; number: number }[] } })).filter(({ type }) => type !== 'alert.reminder').flatMap(({ data }) => data.alerts.map(({ id, number }) => `${id} ${number}`))
      expect(new Set(told).size, `dies at ${point}`).toBe(told.length)
      await notifier.stop()
    }
  },
)

it('needs of the log what is not yet stored, and lets the janitor purge the rest', async () => {
  const stage = await stageOf({})
  const { notifier } = await stage.notifier()
  await tell(stage)
  await stage.clock.advance(20_000)
  const meta = await stage.world.connect().kv(BUCKET_META)
  const entry = (await readReader(meta, 'notifier'))!
  expect(entry.resultsFrom).toBe(STORY.length + 1)
  const manifest = { resultsCreated: entry.resultsCreated, resultsFrom: 1e9, inputFrom: {}, covered: {} } as never
  const janitor = await Janitor.open({ connection: stage.world.connect(), topology: stage.topology, clock: stage.clock, logger: stage.lines.logger, name: 'store', manifest: () => manifest, keepLogMs: 1 })
  await janitor.purge()
  await stage.clock.advance(10)
  expect(await janitor.purge()).toEqual({ 'results.0': STORY.length })
  await notifier.stop()
  // One that is away holds what comes from then on.
  await tell(stage)
  await stage.clock.advance(10)
  await janitor.purge()
  expect((await stage.world.connect().log.info(RESULTS)).firstSeq).toBeLessThanOrEqual(STORY.length + 1)
  const next = await stage.notifier()
  await stage.clock.advance(5_000)
  expect(stage.received.length).toBe(2 * ALL.length)
  await next.notifier.stop()
})

it('needs no input, and holds none: of devices, and of own actors whose stream came later', async () => {
  const stage = await stageOf({})
  const { notifier } = await stage.notifier()
  const { log } = stage.world.connect()
  await log.ensureStream({ name: OWN, subjects: ownPartitions().map(inputSubject), replicas: 1, bytesMax: -1 })
  await stage.clock.advance(20_000)
  const entry = await readReader(await stage.world.connect().kv(BUCKET_META), 'notifier')
  await log.publish(inputSubject(OWN_FIRST), new Uint8Array(1))
  await log.publish(inputSubject(0), new Uint8Array(1))
  const streams = [await log.info(OWN), await log.info('READINGS_0')]
  expect(Object.keys(entry!.inputFrom).sort()).toEqual([OWN, 'READINGS_0'])
  expect(messagesBehind(entry, streams)).toBe(0)
  await notifier.stop()
})

it('stores little of a tenant without routes, needs the log until it has, and knows what is open once there are routes', async () => {
  const stage = await Stage.open()
  const first = await stage.notifier()
  await stage.clock.advance(7_000)
  await tell(stage)
  const kv = await stage.world.connect().kv(BUCKET_NOTIFY)
  await stage.clock.advance(1_000)
  expect(await kv.get(stateKey('default'))).toBe(null)
  const meta = await stage.world.connect().kv(BUCKET_META)
  expect((await readReader(meta, 'notifier'))!.resultsFrom).toBe(1)
  await stage.clock.advance(10_000)
  expect((await kv.get(stateKey('default')))!.revision).toBeLessThan(4)
  expect((await readReader(meta, 'notifier'))!.resultsFrom).toBe(STORY.length + 1)
  await first.notifier.stop()
  await stage.route('phone', { inhibit: [{ when: { severity: 'critical' }, silences: { severity: 'warning' }, equal: ['place'] }] })
  const second = await stage.notifier()
  // That a/2 is critical was told before there was a route.
  await stage.commit({ device: 'a/3', event: 'opened' }, { device: 'b/3', event: 'opened' })
  await stage.clock.advance(1_000)
  expect(stage.events).toEqual(['b/3 opened 1'])
  await second.notifier.stop()
})

it.each([['as a whole', undefined], ['beside a copy', 1]])('is one of two: who stores second finds out, and ends its term, storing %s', async (_, changesMax) => {
  const stage = await stageOf({}, changesMax)
  const first = await stage.notifier()
  await tell(stage)
  const second = await stage.notifier()
  const over = first.notifier.failed.catch((error: { code: string }) => error.code)
  await stage.commit({ device: 'z', event: 'opened' })
  await stage.clock.advance(1_000)
  const ends = await Promise.race([over, second.notifier.failed.catch((error: { code: string }) => error.code)])
  expect(ends).toBe('conflict')
  const ids = stage.received.filter(({ data }) => data.alerts[0].device === 'z').map(({ id }) => id)
  expect(new Set(ids).size).toBe(1)
})

it('takes an answer of the log that was lost for what it was', async () => {
  const stage = await stageOf({})
  const connection = stage.world.connect()
  const open = connection.kv.bind(connection)
  let puts = 0
  connection.kv = async (bucket) => {
    const kv = await open(bucket)
    const put = kv.put.bind(kv)
    // Of each two one is stored and not answered, and one is neither.
    kv.put = async (...args) => {
      const kind = bucket === BUCKET_NOTIFY ? puts++ % 4 : 2
      if (kind === 1) throw new OperatingError('timeout', 'no answer in time')
      const revision = await put(...args)
      if (kind === 0) throw new OperatingError('timeout', 'no answer in time')
      return revision
    }
    return kv
  }
  const { notifier } = await stage.notifier(connection)
  await tell(stage)
  await stage.clock.advance(10_000)
  expect(stage.events).toEqual(ALL)
  expect(stage.received.length).toBe(ALL.length)
  expect(puts).toBeGreaterThan(8)
  await notifier.stop()
})

it('reads a log that was made anew from its first message', async () => {
  const stage = await stageOf({})
  const { notifier } = await stage.notifier()
  await tell(stage)
  await notifier.stop()
  const kv = await stage.world.connect().kv(BUCKET_NOTIFY)
  const state = JSON.parse(new TextDecoder().decode((await kv.get(stateKey('default')))!.value)) as { created: string; seq: number }
  await kv.set(stateKey('default'), new TextEncoder().encode(JSON.stringify({ ...state, created: 'of before', alerts: {} })))
  const meta = await stage.world.connect().kv(BUCKET_META)
  const entry = (await readReader(meta, 'notifier'))!
  await meta.set('readers.notifier', new TextEncoder().encode(JSON.stringify({ ...entry, resultsCreated: 'of before', resultsFrom: 99 })))
  stage.received.length = 0
  const next = await stage.notifier()
  await stage.clock.advance(1_000)
  expect(stage.events).toEqual(ALL)
  await next.notifier.stop()
})

it('holds up nobody for a receiver that hangs, and tries one that fails more and more rarely', async () => {
  const stage = await stageOf({})
  await stage.route('slow', {})
  const tries: number[] = []
  stage.answer = ({ route }) => {
    if (route !== 'slow') return { kind: 'taken' }
    tries.push(stage.clock.now())
    return { kind: 'away', error: 'it is away' }
  }
  const { notifier } = await stage.notifier()
  await tell(stage)
  await stage.clock.advance(120_000)
  expect(stage.received.map(({ route }) => route)).toEqual(Array(6).fill('phone'))
  const pauses = tries.slice(1).map((at, i) => at - tries[i])
  expect(pauses[0]).toBeLessThanOrEqual(500)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000)
  expect(tries.length).toBeLessThan(20)
  const { routes } = notifier.states.find(({ tenant }) => tenant === 'default')!
  expect(routes.slow).toMatchObject({ failures: tries.length, lastError: 'it is away', sent: 0 })
  stage.answer = () => ({ kind: 'taken' })
  await stage.clock.advance(60_000)
  expect(stage.received.filter(({ route }) => route === 'slow').map(({ data }) => data.alerts[0].device)).toHaveLength(6)
  await notifier.stop()
})

it('waits as long as a receiver asks, lets a refused message not hold up the others, and gives up loudly', async () => {
  const stage = await stageOf({ giveUp: '10m' })
  const tries: Record<string, number[]> = {}
  stage.answer = ({ body }) => {
    const { device } = (JSON.parse(body) as { data: { alerts: { device: string }[] } }).data.alerts[0]
    ;(tries[device] ??= []).push(stage.clock.now())
    if (device === 'bad') return { kind: 'refused', error: 'the receiver answered 400' }
    return device === 'busy' && tries.busy.length === 1 ? { kind: 'away', error: 'the receiver answered 429', retryAfterMs: 45_000 } : { kind: 'taken' }
  }
  const { notifier, metrics } = await stage.notifier()
  await stage.commit({ device: 'bad', event: 'opened' })
  await stage.clock.advance(100)
  await stage.commit({ device: 'busy', event: 'opened' })
  await stage.clock.advance(50)
  await stage.commit({ device: 'good', event: 'opened' })
  await stage.clock.advance(44_000)
  expect([tries.busy.length, tries.good]).toEqual([1, undefined])
  await stage.clock.advance(20_000)
  expect([...stage.events].sort()).toEqual(['busy opened 1', 'good opened 1'])
  await stage.clock.advance(600_000)
  const { routes } = notifier.states[0]
  expect(routes.phone).toMatchObject({ givenUp: 1, queue: [], lastError: 'the receiver answered 400' })
  expect(stage.lines.lines.some(({ level, msg }) => level === 50 && msg.includes('given up'))).toBe(true)
  expect(await metrics.metrics()).toMatch(/weir_notify_given_up 1\n/)
  const before = tries.bad.length
  await stage.clock.advance(3_600_000)
  expect(tries.bad.length).toBe(before)
  await notifier.stop()
})

it('tries the first message of an alert again though others wait behind it, and sends them in their order', async () => {
  const stage = await stageOf({})
  let refusals = 3
  stage.answer = () => (refusals-- > 0 ? { kind: 'refused', error: 'not now' } : { kind: 'taken' })
  const { notifier } = await stage.notifier()
  await stage.commit({ device: 'a', event: 'opened' })
  await stage.clock.advance(50)
  await stage.commit({ device: 'a', event: 'acknowledged' })
  await stage.commit({ device: 'a', event: 'resolved', number: 3 })
  await stage.clock.advance(8_000)
  expect(stage.received.map(({ type }) => type)).toEqual(['alert.opened', 'alert.resolved'])
  await notifier.stop()
})

it('keeps what it keeps of a tenant within its bounds, and counts what it gives up for that', async () => {
  const stage = await stageOf({})
  stage.answer = () => ({ kind: 'away', error: 'it is away' })
  const { notifier } = await stage.notifier()
  await stage.commit(...Array.from({ length: NOTIFY_WAITING_MAX + 5 }, (_, i): Event => ({ device: `d${i}`, event: 'opened' })))
  await stage.clock.advance(100)
  expect(notifier.states[0].routes.phone.queue.length).toBe(NOTIFY_WAITING_MAX)
  expect(notifier.states[0].routes.phone.givenUp).toBe(5)
  await notifier.stop()
  const state = { ...emptyState('t'), routes: { r: { ...emptyRoute(), queue: notifier.states[0].routes.phone.queue.slice() } } }
  expect(encodeState(state, undefined, 100_000).byteLength).toBeLessThanOrEqual(100_000)
  expect(state.routes.r.givenUp + state.routes.r.queue.length).toBe(NOTIFY_WAITING_MAX)
})
