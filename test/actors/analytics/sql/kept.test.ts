/** Kept views over HTTP: edited by admins, read by public SQL beside the tables, each row as its SELECT gives it, at any moment. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SQL_DEPTH_MAX, VIEWS_MAX } from '../../../../runtime/limits.ts'
import { ViewRegistry } from '../../../../actors/view/registry.ts'
import { BUCKET_META } from '../../../../runtime/topology.ts'
import { sameRows } from '../../../support/same-rows.ts'
import { T0 } from '../house.ts'
import { askerWithRows } from './asker.ts'
import type { Asker } from './asker.ts'

let asker: Asker
let close: () => Promise<void>
const admins: Record<string, string> = {}
beforeAll(async () => {
  ;({ asker, close } = await askerWithRows())
  for (const tenant of ['default', 'other']) admins[tenant] = (await asker.house.keyring.create({ tenant, role: 'admin' })).secret
})
afterAll(() => close())

const request = (method: string, path: string, { key = admins.default, body, headers = {} }: { key?: string; body?: unknown; headers?: Record<string, string> } = {}) =>
  asker.house.analytics.app.request(path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  })

const SELECTS: Readonly<Record<string, string>> = {
  by_quarter: "SELECT device, metric, time_bucket(INTERVAL '15 minutes', ts) AS quarter, count(*) AS n, avg(value) AS mean, arg_max(value, ts) AS newest FROM readings GROUP BY ALL",
  overlapping: "SELECT device, window_start, max(value) AS top FROM readings_hopping(INTERVAL '10 minutes', INTERVAL '30 minutes') WHERE metric = 'moisture' GROUP BY ALL HAVING count(*) > 2",
  visits: "SELECT device, metric, session_start, session_end, count(*) AS n FROM readings_sessions(INTERVAL '5 minutes') GROUP BY ALL",
  everything: 'SELECT count(*) AS n, stddev(value) AS spread FROM readings',
}
const put = (name: string, sql: string, options: Parameters<typeof request>[2] = {}) => request('PUT', `/v1/views/${name}`, { ...options, body: { sql } })
async function expectTrue(): Promise<void> {
  for (const [name, sql] of Object.entries(SELECTS)) expect(sameRows(await asker.rows(`SELECT * FROM ${name}`), await asker.rows(sql)), name).toBeNull()
}
const allKept = async () => {
  const registry = await ViewRegistry.open(await asker.house.connection.kv(BUCKET_META))
  registry.close()
  return registry.all()
}

describe('a kept view over HTTP', () => {
  it('holds what its SELECT gives as soon as it is named, while parts are made, when all are, and as readings come', async () => {
    for (const [name, sql] of Object.entries(SELECTS)) expect((await put(name, sql)).status, await (await put(name, sql)).text()).toBe(200)
    await expectTrue()
    await asker.house.keep(await allKept(), (_, i) => i === 0)
    await expectTrue()
    await asker.house.keep(await allKept())
    await expectTrue()
    await asker.house.post([{ device: 'tank', metric: 'moisture', ts: T0 + 60_000, value: 5 }, { device: 'new', metric: 'moisture', ts: T0, value: 7 }])
    await asker.house.commit()
    await expectTrue()
    await asker.house.seal()
    await expectTrue()
    const { views, mayEdit } = await (await request('GET', '/v1/views')).json() as { views: { name: string; parts: { readings: number; made: number } }[]; mayEdit: boolean }
    expect(views.map((view) => view.name)).toEqual(Object.keys(SELECTS).sort())
    expect(mayEdit).toBe(true)
    const { parts } = views[0]
    expect(parts.made).toBeGreaterThan(0)
    expect(parts.readings).toBeGreaterThan(parts.made)
  })

  it('is a table as any other: joined, filtered, named among the tables, in every format', async () => {
    const joined = "SELECT q.device, max(q.n) AS n FROM by_quarter q JOIN visits v USING (device) WHERE q.metric = 'moisture' GROUP BY ALL ORDER BY ALL"
    expect((await asker.rows(joined)).length).toBeGreaterThan(2)
    const { tables } = (await asker.house.json('/v1/sql/tables')) as { tables: { name: string; columns: { name: string; type: string }[] }[] }
    expect(tables.find((table) => table.name === 'everything')?.columns).toEqual([{ name: 'n', type: 'BIGINT' }, { name: 'spread', type: 'DOUBLE' }])
    expect((await asker.ask('SELECT * FROM everything', { format: 'csv' })).text.split('\r\n')[0]).toBe('n,spread')
    expect((await asker.ask('WITH everything AS (SELECT 1 AS one) SELECT one FROM everything')).json.rows).toEqual([{ one: 1 }])
  })

  it('shows its tenant alone', async () => {
    expect((await put('by_quarter', 'SELECT device, max(value) AS top FROM readings GROUP BY device', { key: admins.other })).status).toBe(200)
    await asker.house.keep(await allKept())
    const theirs = await asker.rows('SELECT * FROM by_quarter', { key: 'other analyst' })
    expect(theirs.length).toBeGreaterThan(0)
    expect(theirs.every(([device]) => String(device).startsWith('SECRET'))).toBe(true)
    expect(JSON.stringify(await asker.rows('SELECT * FROM by_quarter'))).not.toContain('SECRET')
    expect((await asker.ask('SELECT * FROM everything', { key: 'other analyst' })).status).toBe(400)
    await expectTrue()
  })

  it('whose SELECT fails over readings of others is theirs to fail, and not its own', async () => {
    // What others have there would be no number.
    const sql = "SELECT max(CASE WHEN device = 'tank' THEN 1 ELSE split_part(device, '-', 3)::INTEGER END) AS n FROM readings WHERE device = 'tank'"
    expect((await put('careful', sql)).status).toBe(200)
    await asker.house.keep(await allKept())
    const careful = await (await request('GET', '/v1/views/careful')).json() as { parts: { failed: string | null } }
    expect(careful.parts.failed).toBeNull()
    expect(await asker.rows('SELECT * FROM careful')).toEqual(await asker.rows(sql))
  })

  it('is refused with the reason and the place in its text, where it can not be kept, is not understood, or has a name that is taken', async () => {
    const refused = async (sql: string, name = 'another') => (await (await put(name, sql)).json()) as { status: number; title: string; detail: string; position?: number }
    expect(await refused('SELECT device, median(value) FROM readings GROUP BY device')).toMatchObject({ status: 400, title: 'View refused', position: 15 })
    expect(await refused('SELECT device, count(*) FROM readings GROUP BY divice')).toMatchObject({ status: 400, title: 'View not understood', detail: expect.stringContaining('divice') })
    expect(await refused('SELEC device')).toMatchObject({ status: 400, title: 'View not understood' })
    expect(await refused('SELECT sum(device) FROM readings')).toMatchObject({ status: 400, title: 'View not understood' })
    expect(await refused("SELECT count(*) AS n FROM readings; DROP TABLE readings")).toMatchObject({ status: 400 })
    expect(await refused("SELECT count(*) AS n FROM read_csv('/etc/passwd')")).toMatchObject({ status: 400 })
    expect(await refused(`SELECT ${'abs('.repeat(SQL_DEPTH_MAX + 1)}1${')'.repeat(SQL_DEPTH_MAX + 1)} AS n, count(*) AS m FROM readings`)).toMatchObject({ status: 400 })
    expect(await refused(SELECTS.everything, 'readings')).toMatchObject({ status: 400, detail: expect.stringContaining('none of the tables that are there') })
    // Names of tables that a query makes for itself, and words of SQL.
    for (const name of ['fresh_windows', 'order']) expect(await refused(SELECTS.everything, name)).toMatchObject({ status: 400, detail: expect.stringContaining('none of the tables that are there') })
    expect((await put('Upper', SELECTS.everything)).status).toBe(400)
    expect((await request('PUT', '/v1/views/another', { body: { select: 'x' } })).status).toBe(400)
    expect((await request('PUT', '/v1/views/another', { body: { sql: `SELECT count(*) AS n FROM readings -- ${'x'.repeat(20_000)}` } })).status).toBe(413)
    expect((await request('GET', '/v1/views/another')).status).toBe(404)
  })

  it('is edited by admins alone, of whom one does not undo the other', async () => {
    expect((await put('everything', SELECTS.everything, { key: asker.house.keys['default analyst'] })).status).toBe(403)
    const tag = (await request('GET', '/v1/views')).headers.get('etag')!
    expect((await put('everything', SELECTS.everything, { headers: { 'if-match': tag } })).status).toBe(200)
    expect((await put('everything', SELECTS.everything, { headers: { 'if-match': tag } })).status).toBe(412)
    expect((await request('DELETE', '/v1/views/everything', { headers: { 'if-match': tag } })).status).toBe(412)
  })

  it('is one of at most so many, and gone when it is taken away', async () => {
    const there = ((await (await request('GET', '/v1/views')).json()) as { views: object[] }).views.length
    const registry = await ViewRegistry.open(await asker.house.connection.kv(BUCKET_META))
    const { everything } = registry.of('default').views
    for (let n = there; n < VIEWS_MAX; n++) await registry.put('default', `more_${n}`, everything, null)
    registry.close()
    expect(await (await put('too_many', SELECTS.everything)).json()).toMatchObject({ status: 400, detail: expect.stringContaining(`at most ${VIEWS_MAX}`) })
    expect((await request('DELETE', '/v1/views/more_30')).status).toBe(204)
    expect((await request('DELETE', '/v1/views/more_30')).status).toBe(404)
    expect((await asker.ask('SELECT * FROM more_30')).status).toBe(400)
  })
})
