/** Rules: edited by compare-and-set, told to every partition until each has confirmed, and tried on history; and the alerts that come of them. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeRule } from '../../../../actors/alert/rule.ts'
import { decodeInput } from '../../../../actors/reading/input.ts'
import { BUCKET_META, inputStream, partitionFor } from '../../../../runtime/topology.ts'
import { House, MINUTE, T0, until } from '../house.ts'
import type { NamedAlert } from '../named-rows.ts'

let house: House
let admin: string
beforeEach(async () => {
  house = await House.open()
  admin = (await house.keyring.create({ tenant: 'default', role: 'admin' })).secret
})
afterEach(() => house.close())

const DRY = { name: 'Too dry', select: { metric: 'm' }, when: { below: 12, clear: 14 } }
const ask = (method: string, path: string, options: { body?: unknown; key?: string; headers?: Record<string, string> } = {}) =>
  house.analytics.app.request(path, {
    method,
    headers: { authorization: `Bearer ${options.key ?? admin}`, ...(options.body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
  })
const lastOf = async (partition: number) => {
  const stream = inputStream(house.topology, partition)
  const { lastSeq } = await house.connection.log.info(stream)
  return lastSeq === 0 ? null : decodeInput((await house.connection.log.at(stream, lastSeq))!.data)
}

describe('rules', () => {
  it('are told to every partition, again after a while where one has not confirmed, and are in force once all have; so is their end', async () => {
    const put = await ask('PUT', '/v1/rules/dry', { body: DRY })
    expect(put.status).toBe(200)
    const { revision } = (await put.json()) as { revision: number }
    expect(put.headers.get('etag')).toBe(`"${revision}"`)
    const told = async (body: unknown) => {
      for (const partition of [0, 1, 2, 3]) await until('it is told', async () => JSON.stringify(await lastOf(partition)).includes(body === null ? '"body":null' : 'Too dry'))
    }
    await told(DRY)
    const message = await lastOf(2)
    expect(message).toMatchObject({ kind: 'rule', tenant: 'default', id: 'dry', revision })
    expect(message?.kind === 'rule' && decodeRule(message.body!).levels[0].when).toEqual({ is: 'below', limit: 12, clear: 14 })
    const isInForce = async () => ((await (await ask('GET', '/v1/rules/dry')).json()) as { in_force: boolean }).in_force
    await house.commit({ empty: [0, 1, 3], rules: [{ tenant: 'default', id: 'dry', revision }] })
    expect(await isInForce()).toBe(false)
    // The one that has not said so gets it again, and the others do not.
    const seq = async (partition: number) => (await house.connection.log.info(inputStream(house.topology, partition))).lastSeq
    await until('it is told again', async () => (await seq(2)) === 2)
    expect([await seq(0), await seq(1), await seq(3)]).toEqual([1, 1, 1])
    await house.commit({ empty: [2], rules: [{ tenant: 'default', id: 'dry', revision }] })
    await until('it is in force', isInForce)
    // What all have confirmed is not told anew by a store that starts.
    await until('that is stored', async () => (await (await house.connection.kv(BUCKET_META)).keys()).some((key) => key.startsWith('ruled.')))
    await house.restart()
    expect(await isInForce()).toBe(true)
    expect((await ask('DELETE', '/v1/rules/dry')).status).toBe(204)
    await told(null)
    expect([await seq(0), await seq(2)]).toEqual([2, 3])
    expect((await ask('GET', '/v1/rules/dry')).status).toBe(404)
    expect(await (await ask('GET', '/v1/rules')).json()).toEqual({ rules: [], mayEdit: true })
  }, 30_000)

  it('are changed by who knows their revision, written by admins alone, and of one tenant', async () => {
    expect((await ask('PUT', '/v1/rules/dry', { body: DRY, key: house.keys['default analyst'] })).status).toBe(403)
    expect((await ask('PUT', '/v1/rules/dry', { body: DRY, headers: { 'if-match': '"7"' } })).status).toBe(412)
    const first = await ask('PUT', '/v1/rules/dry', { body: DRY, headers: { 'if-none-match': '*' } })
    expect((await ask('PUT', '/v1/rules/dry', { body: DRY, headers: { 'if-none-match': '*' } })).status).toBe(412)
    const tag = first.headers.get('etag')!
    const second = await ask('PUT', '/v1/rules/dry', { body: { ...DRY, name: 'Drier' }, headers: { 'if-match': tag } })
    expect(second.status).toBe(200)
    expect((await ask('DELETE', '/v1/rules/dry', { headers: { 'if-match': tag } })).status).toBe(412)
    expect(await house.json('/v1/rules')).toMatchObject({ rules: [{ id: 'dry', rule: { ...DRY, name: 'Drier' } }], mayEdit: false })
    expect(await (await ask('GET', '/v1/rules', { key: house.keys['other analyst'] })).json()).toEqual({ rules: [], mayEdit: false })
    expect((await ask('DELETE', '/v1/rules/dry', { headers: { 'if-match': second.headers.get('etag')! } })).status).toBe(204)
    expect((await ask('DELETE', '/v1/rules/dry')).status).toBe(404)
    // It may come again, and has a greater revision then.
    expect(((await (await ask('PUT', '/v1/rules/dry', { body: DRY, headers: { 'if-none-match': '*' } })).json()) as { revision: number }).revision).toBeGreaterThan(Number(/\d+/.exec(tag)![0]))
  })

  it('point at the place that can not be used', async () => {
    const deep = Array.from({ length: 9 }).reduce<object>((when) => ({ not: when }), { above: 1 })
    for (const [body, pointer] of [
      [[], ''], [{ ...DRY, when: undefined }, '/when'], [{ ...DRY, colour: 1 }, '/colour'], [{ ...DRY, select: {} }, '/select/metric'], [{ ...DRY, select: { metric: '1' } }, '/select/metric'],
      [{ ...DRY, select: { metric: 'm', device: 'a', prefix: 'b' } }, '/select/prefix'], [{ ...DRY, select: { metric: 'm', devices: ['a', 'b c'] } }, '/select/devices/1'],
      [{ ...DRY, when: { below: 'x' } }, '/when/below'], [{ ...DRY, when: { below: 12, clear: 11 } }, '/when/clear'], [{ ...DRY, when: { above: 1, below: 2 } }, '/when'], [{ ...DRY, when: { above: 1, hold: '1m' } }, '/when/hold'],
      [{ ...DRY, when: { all: [{ above: 1 }, { any: [] }] } }, '/when/all/1/any'], [{ ...DRY, when: { rises: 1 } }, '/when/within'], [{ ...DRY, when: { falls: -1, within: '1h' } }, '/when/falls'],
      [{ ...DRY, when: { silent: 'soon' } }, '/when/silent'], [{ ...DRY, when: { deviates: '20', from: '2h' } }, '/when/deviates'], [{ ...DRY, when: { deviates: 2, from: '2h' } }, '/when/from'],
      [{ ...DRY, when: { forecast: { below: 1, above: 2 }, within: '6h' } }, '/when/forecast'], [{ ...DRY, when: deep }, `/when${'/not'.repeat(8)}`], [{ ...DRY, when: { metric: 'a b', above: 1 } }, '/when/metric'],
      [{ ...DRY, when: { any: Array.from({ length: 32 }, () => ({ any: [{ above: 1 }, { below: 1 }] })) } }, '/when/any/16/any/0'],
      [{ ...DRY, for: 5 }, '/for'], [{ ...DRY, severity: 'a b' }, '/severity'], [{ ...DRY, steps: [{ severity: 'x', when: { above: 1 } }, { when: { above: 1 } }] }, '/steps/1/severity'],
      [{ ...DRY, message: 'it is {valeu}' }, '/message'], [{ ...DRY, message: '{labels.crop}' }, '/message'], [{ ...DRY, labels: { crop: 1 } }, '/labels/crop'], [{ ...DRY, labels: { 'a/b': 'x' } }, '/labels/a~1b'],
      [{ ...DRY, schedule: { zone: 'Vienna' } }, '/schedule/zone'], [{ ...DRY, schedule: { zone: 'Europe/Vienna', days: ['mon', 'someday'] } }, '/schedule/days/1'], [{ ...DRY, schedule: { zone: 'UTC', from: '6' } }, '/schedule/from'],
      [{ ...DRY, flapping: { count: 1 } }, '/flapping/count'], [{ ...DRY, reopen: '9d' }, '/reopen'], [{ ...DRY, enabled: 'yes' }, '/enabled'],
    ] as const) {
      const answer = await ask('PUT', '/v1/rules/x', { body })
      const { detail, pointer: got } = (await answer.json()) as { detail: string; pointer: string }
      expect([body, answer.status, got]).toEqual([body, 400, pointer])
      expect(detail).toMatch(/must be .*: current value is /)
    }
    expect((await ask('PUT', '/v1/rules/a.b', { body: DRY })).status).toBe(400)
    expect((await ask('PUT', '/v1/rules/x', { body: { ...DRY, name: 'x'.repeat(40_000) } })).status).toBe(413)
    expect((await house.analytics.app.request('/v1/rules/x', { method: 'PUT', headers: { authorization: `Bearer ${admin}` }, body: '{}' })).status).toBe(415)
  })

  it('are tried on readings of the lake and on fresh ones, without being stored', async () => {
    const readings = [20, 11, 10, 15, 16, 11].map((value, i) => ({ device: 'a', ts: T0 + i * MINUTE, value }))
    await house.post([...readings.slice(0, 3), { device: 'b', ts: T0, value: 30 }])
    await house.commit()
    await house.seal()
    await house.post(readings.slice(3))
    await house.commit()
    const path = `/v1/rules/dry/try?from=${T0}&to=${T0 + 60 * MINUTE}&time=ms`
    expect((await ask('POST', path)).status).toBe(404)
    const answer = await ask('POST', path, { body: { ...DRY, for: '1m' }, key: house.keys['default analyst'] })
    expect(answer.status).toBe(200)
    const tried = (await answer.json()) as { alerts: number; events: { event: string; at: number; device: string }[] }
    expect(tried).toMatchObject({ alerts: 1, series: 2, readings: 7, known: 0, met: 0, truncated: false })
    expect(tried.events.map(({ event, at }) => [event, (at - T0) / MINUTE])).toEqual([['opened', 2], ['resolved', 3], ['reopened', 6]])
    await ask('PUT', '/v1/rules/dry', { body: { ...DRY, when: { silent: '30m' } } })
    const silent = (await (await ask('POST', path)).json()) as { events: object[] }
    expect(silent.events).toMatchObject([{ device: 'b', event: 'opened', at: T0 + 30 * MINUTE }, { device: 'a', event: 'opened', at: T0 + 35 * MINUTE }])
    expect(await house.json('/v1/alerts')).toEqual({ alerts: [], cursor: null, mayAct: false })
  })
})

const row = (device: string, minute: number, number: number, event: NamedAlert['event'], more: Partial<NamedAlert> = {}): NamedAlert => ({
  device, metric: 'm', at: T0 + minute * MINUTE, value: 11, number, id: `dry.${device}.1`, rule: 'dry', severity: 'warning', event, message: `${event} ${minute}`, by: null, ...more,
})

describe('alerts', () => {
  it('show as they are now with their history, fresh as sealed, the newest first, page by page', async () => {
    await house.commit({ alerts: [row('a', 1, 1, 'opened'), row('b', 2, 1, 'opened'), row('c', 3, 1, 'opened', { value: NaN }), row('b', 4, 2, 'escalated', { severity: 'critical' })] })
    await house.commit({ tenant: 'other', alerts: [row('z', 1, 1, 'opened')] })
    const shown = async (query = '') => {
      const { alerts } = await house.json(`/v1/alerts?time=ms&${query}`)
      return alerts.map((a: any) => `${a.device} ${a.state} ${a.severity} ${a.history.map((h: any) => h.event)}`)
    }
    const before = ['c open warning opened', 'b open critical opened,escalated', 'a open warning opened']
    expect(await shown()).toEqual(before)
    await house.seal()
    expect(await shown()).toEqual(before)
    await house.commit({ alerts: [row('a', 5, 2, 'acknowledged', { by: 'key' }), row('b', 6, 3, 'resolved', { severity: 'critical' }), row('d', 7, 1, 'opened')] })
    const after = ['d open warning opened', 'c open warning opened', 'b resolved critical opened,escalated,resolved', 'a acked warning opened,acknowledged']
    expect(await shown()).toEqual(after)
    await house.seal()
    expect(await shown()).toEqual(after)
    expect(await shown('state=open')).toEqual([after[0], after[1]])
    expect(await shown('state=acked,resolved&severity=critical')).toEqual([after[2]])
    expect(await shown('device=a,d&rule=dry')).toEqual([after[0], after[3]])
    expect(await shown('rule=wet')).toEqual([])
    const pages: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: any = await house.json(`/v1/alerts?limit=1&cursor=${cursor}`)
      pages.push(...page.alerts.map((a: any) => a.device))
      cursor = page.cursor
    }
    expect(pages).toEqual(['d', 'c', 'b', 'a'])
    const { alerts } = await house.json('/v1/alerts?device=a&time=ms')
    expect(alerts[0]).toMatchObject({ event: 'acknowledged', at: T0 + 5 * MINUTE, opened_at: T0 + MINUTE, message: 'acknowledged 5', history: [{ value: 11, person: null }, { person: 'key' }] })
    const sql = await ask('POST', '/v1/sql', { body: { sql: 'SELECT count(*) AS n, max(number) AS most, count(value) AS valued FROM alerts' } })
    expect(((await sql.json()) as any).rows).toEqual([{ n: 7, most: 3, valued: 6 }])
  })

  it('are acknowledged and resolved by messages of the log of their series, once', async () => {
    await house.commit({ alerts: [row('a', 1, 1, 'opened')] })
    const partition = partitionFor(house.topology, 'default', 'a')
    const post = (verb: string, body?: unknown, key = admin) => ask('POST', `/v1/alerts/dry.a.1/${verb}`, { body, key })
    expect(await (await post('ack', { note: 'on my way' })).json()).toEqual({ id: 'dry.a.1', state: 'acked' })
    expect(await lastOf(partition)).toMatchObject({ kind: 'action', tenant: 'default', device: 'a', metric: 'm', alert: 'dry.a.1', action: 'ack', note: 'on my way' })
    for (const body of [{ note: 1 }, { nte: 'x' }, { note: 'x'.repeat(501) }]) expect((await post('ack', body)).status).toBe(400)
    expect((await post('ack', undefined, (await house.keyring.create({ tenant: 'other', role: 'admin' })).secret)).status).toBe(404)
    // An analyst reads; what may be done by whom is said beside the alerts, so that a page offers no more and no less.
    for (const verb of ['ack', 'resolve', 'shelve', 'unshelve']) expect((await post(verb, undefined, house.keys['default analyst'])).status).toBe(403)
    const rights = async (key: string) => ((await (await ask('GET', '/v1/alerts', { key })).json()) as { mayAct: boolean }).mayAct
    expect([await rights(admin), await rights(house.keys['default analyst'])]).toEqual([true, false])
    const soon = new Date(Date.now() + 3_600_000).toISOString()
    for (const body of [undefined, {}, { for: 'long' }, { for: '31d' }, { until: '2020-01-01' }, { for: '1h', until: soon }, { until: 7 }, { for: '1h', nte: 'x' }]) expect([body, (await post('shelve', body)).status]).toEqual([body, 400])
    expect((await post('ack', { for: '1h' })).status).toBe(400)
    expect(await (await post('shelve', { until: soon })).json()).toEqual({ id: 'dry.a.1', state: 'shelved' })
    expect(await lastOf(partition)).toMatchObject({ action: 'shelve', until: Date.parse(soon), note: '' })
    expect(await (await post('shelve', { for: '8h', note: 'harvest' })).json()).toEqual({ id: 'dry.a.1', state: 'shelved' })
    expect(await lastOf(partition)).toMatchObject({ action: 'shelve', note: 'harvest', until: expect.closeTo(Date.now() + 8 * 3_600_000, -5) })
    expect(await (await post('unshelve')).json()).toEqual({ id: 'dry.a.1', state: 'open' })
    await house.commit({ alerts: [row('a', 2, 2, 'shelved')] })
    await until('it is shelved', async () => (await house.json('/v1/alerts?state=shelved')).alerts.length === 1)
    expect(await (await post('unshelve')).json()).toEqual({ id: 'dry.a.1', state: 'open' })
    expect(await lastOf(partition)).toMatchObject({ action: 'unshelve' })
    await house.commit({ alerts: [row('a', 3, 3, 'resolved')] })
    const { lastSeq } = await house.connection.log.info(inputStream(house.topology, partition))
    expect(await (await post('resolve')).json()).toEqual({ id: 'dry.a.1', state: 'resolved' })
    expect((await house.connection.log.info(inputStream(house.topology, partition))).lastSeq).toBe(lastSeq)
  })
})
