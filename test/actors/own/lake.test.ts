/** Rows of an own actor on their way: fresh in /v1/sql, sealed, in a view of its own in weir.duckdb, once each, whoever restarts. */

import { DuckDBInstance } from '@duckdb/node-api'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeOwnInput, encodeOwnTick } from '../../../actors/own/input.ts'
import { ownPartition } from '../../../actors/own/names.ts'
import { tellActors } from '../../../actors/own/presence.ts'
import { EffectsBuilder } from '../../../actors/partition/effects.ts'
import type { OwnView } from '../../../actors/partition/effects.ts'
import { isReservedName } from '../../../actors/reading/reserved-names.ts'
import { VIEWS } from '../../../actors/analytics/sql/views.ts'
import { withView } from '../../../actors/store/own-views.ts'
import { PLAIN_TABLES } from '../../../actors/store/plain.ts'
import { writeReader } from '../../../actors/store/readers.ts'
import { LakeWriter } from '../../../actors/store/writer.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { encodeJournal } from '../../../runtime/journal.ts'
import { BUCKET_META, inputSubject, OWN, OWN_FIRST, RESULTS, resultsSubject } from '../../../runtime/topology.ts'
import { House, until } from '../analytics/house.ts'

const quiet = { info: () => {}, warn: () => {}, error: (fields: object, message: string) => console.error(message, fields) }
const VIEW: OwnView = { actor: 'advice', code: 'c', columns: [['mm', 'DOUBLE'], ['why', 'VARCHAR'], ['due', 'TIMESTAMP'], ['sure', 'BOOLEAN'], ['n', 'BIGINT']] }
const T = Date.UTC(2026, 4, 1)

const TEMPLATE = readFileSync(new URL('../../../sql/lake.sql', import.meta.url), 'utf8')

let house: House
let writer: LakeWriter
const openWriter = async (): Promise<void> => {
  const { connection: { log }, topology, dir } = house
  writer = await LakeWriter.open({ lakeDir: join(dir, 'lake'), log, topology, clock: systemClock, logger: quiet, sealIntervalMs: 1e9, compaction: false })
  await writer.start()
}
beforeEach(async () => {
  house = await House.open()
  await openWriter()
})
const ends: (() => void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) end()
  await writer.stop({ seal: false })
  await house.close()
})

let rows = 0
async function commit(tenant: string, key: string, bodies: readonly object[], view = VIEW): Promise<void> {
  const effects = new EffectsBuilder()
  const series = effects.addSeries({ tenant, device: key, metric: view.actor })
  for (const [i, body] of bodies.entries()) effects.own.push({ series, at: T + i, number: ++rows, body: JSON.stringify(body) })
  effects.alerts.push({ series, at: T, value: 18, number: 1, id: `advice-water.x.${rows}`, rule: 'advice-water', severity: 'warning', event: 'opened', message: `water ${key}`, by: null })
  effects.ownView = view
  const position = { created: 'own', seq: rows, timeMs: T }
  const header = { kind: 'commit', partition: OWN_FIRST, epoch: 1, owner: 'w', nonce: `n${rows}`, position, snapshots: [], part: 0 } as const
  const { seq } = await house.connection.log.publish(resultsSubject(OWN_FIRST), encodeJournal(header, effects.encode({ accepted: 0, pending: 0, logTimeMs: T })))
  await until('the tail has it', async () => (await sql('SELECT count(*)::INT AS n FROM own_rows', tenant))[0].n >= 1 && seq > 0)
}

async function sql(text: string, tenant = 'default'): Promise<any[]> {
  const answer = await house.analytics.app.request('/v1/sql', { method: 'POST', headers: { authorization: `Bearer ${house.keys[`${tenant} analyst`]}`, 'content-type': 'application/json' }, body: JSON.stringify({ sql: text }) })
  const body = (await answer.json()) as { rows?: unknown[][]; columns?: { name: string }[]; detail?: string }
  if (answer.status !== 200) throw new Error(body.detail)
  return body.rows!.map((row) => (Array.isArray(row) ? Object.fromEntries(row.map((value, i) => [body.columns![i].name, value])) : row))
}

test('rows of an own actor are in its view, fresh and sealed alike, each once; a tenant sees its own alone', async () => {
  await commit('default', 'north', [{ mm: 18.5, why: "it's dry", due: T, sure: true, n: 3 }, { mm: 2 }])
  await commit('other', 'north', [{ mm: 99 }])
  const ask = () => sql('SELECT key, epoch_ms("at")::DOUBLE AS at, mm, why, epoch_ms(due)::DOUBLE AS due, sure, n::DOUBLE AS n FROM advice ORDER BY "at", mm')
  const wanted = [
    { key: 'north', at: T, mm: 18.5, why: "it's dry", due: T, sure: true, n: 3 },
    { key: 'north', at: T + 1, mm: 2, why: null, due: null, sure: null, n: null },
  ]
  expect(await ask()).toEqual(wanted)
  expect(await sql('SELECT mm FROM advice', 'other')).toEqual([{ mm: 99 }])
  expect(await sql(`SELECT message FROM alerts WHERE rule = 'advice-water'`)).toEqual([{ message: 'water north' }])
  const tables = (await house.json('/v1/sql/tables')) as { tables: { name: string; columns: { name: string }[] }[] }
  expect(tables.tables.find(({ name }) => name === 'advice')?.columns.map(({ name }) => name)).toEqual(['tenant', 'key', 'at', 'mm', 'why', 'due', 'sure', 'n'])

  await until('the writer has them', async () => writer.status().bufferedRows >= 5)
  await writer.seal()
  await house.analytics.onManifest(writer.manifest)
  expect(await ask()).toEqual(wanted)
  await writer.stop()
  await openWriter()
  await house.restart()
  expect(await ask()).toEqual(wanted)
  await commit('default', 'south', [{ mm: 7 }])
  expect((await sql('SELECT key, mm FROM advice ORDER BY mm')).map(({ mm }) => mm)).toEqual([2, 7, 18.5])
  await until('the writer has it', async () => writer.status().bufferedRows >= 2)
  await writer.seal()

  const instance = await DuckDBInstance.create(join(house.dir, 'lake', 'weir.duckdb'), { access_mode: 'READ_ONLY' })
  const analyst = await instance.connect()
  const seen = (await analyst.runAndReadAll('SELECT tenant, key, mm, why, due::VARCHAR FROM advice ORDER BY tenant, mm')).getRowsJson()
  expect(seen).toEqual([
    ['default', 'north', 2, null, null],
    ['default', 'south', 7, null, null],
    ['default', 'north', 18.5, "it's dry", '2026-05-01 00:00:00'],
    ['other', 'north', 99, null, null],
  ])
  analyst.closeSync()
  instance.closeSync()
})

test('documents are put by admins, and what people do about an alert of an actor goes to the log of that actor', async () => {
  const { log } = house.connection
  const partition = await ownPartition(await house.connection.kv(BUCKET_META), 'advice')
  await log.ensureStream({ name: OWN, subjects: ['own.*'], replicas: 1, bytesMax: -1 })
  const admin = (await house.keyring.create({ tenant: 'default', role: 'admin' })).secret
  const ask = async (method: string, path: string, body?: unknown, key = admin) => {
    const answer = await house.analytics.app.request(path, { method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    return { status: answer.status, json: answer.status === 204 ? null : ((await answer.json()) as Record<string, unknown>) }
  }
  const path = '/v1/actors/advice/documents/north'
  expect((await ask('GET', path)).status).toBe(404)
  expect(await ask('PUT', path, { area: 3 })).toMatchObject({ status: 200, json: { actor: 'advice', id: 'north', body: { area: 3 } } })
  expect((await ask('PUT', path, { area: 4 }, house.keys['default analyst'])).status).toBe(403)
  expect(await ask('GET', path, undefined, house.keys['default analyst'])).toMatchObject({ status: 200, json: { body: { area: 3 } } })
  expect((await ask('GET', path, undefined, house.keys['other analyst'])).status).toBe(404)
  expect((await ask('PUT', '/v1/actors/Bad/documents/x', {})).status).toBe(400)
  expect((await ask('DELETE', path)).status).toBe(204)
  expect((await ask('GET', path)).status).toBe(404)

  await commit('default', 'north', [{ mm: 1 }])
  const { alerts } = (await house.json('/v1/alerts')) as { alerts: { id: string }[] }
  expect(alerts).toHaveLength(1)
  expect(await ask('POST', `/v1/alerts/${alerts[0].id}/ack`, { note: 'soon' })).toMatchObject({ status: 200, json: { state: 'acked' } })
  expect(decodeOwnInput((await log.last(OWN, inputSubject(partition)))!.data)).toMatchObject({ kind: 'action', alert: alerts[0].id, action: 'ack', note: 'soon' })
  expect(await ask('POST', `/v1/alerts/${alerts[0].id}/shelve`, { for: '1h' })).toMatchObject({ status: 200, json: { state: 'shelved' } })
  expect(decodeOwnInput((await log.last(OWN, inputSubject(partition)))!.data)).toMatchObject({ kind: 'action', action: 'shelve', until: expect.closeTo(Date.now() + 3_600_000, -5) })
})

test('the status is settled once the rows of actors that run are sealed: told, covered and in the lake, in this order', async () => {
  const { log, bus } = house.connection
  const kv = await house.connection.kv(BUCKET_META)
  await log.ensureStream({ name: OWN, subjects: ['own.*'], replicas: 1, bytesMax: -1 })
  const { created } = await log.info(OWN)
  const isSettled = async () => ((await house.json('/v1/status')) as { settled: boolean }).settled
  const seal = async () => {
    await until('the writer has it', async () => writer.status().bufferedRows > 0)
    await writer.seal()
    await house.analytics.onManifest(writer.manifest)
  }
  await house.post([{ device: 'd', ts: T, value: 1 }])
  await house.commit()
  await seal()
  expect(await isSettled()).toBe(true)

  // A worker says again and again what its actors do.
  let state: 'running' | 'stopped' = 'running'
  const beat = setInterval(() => tellActors(bus, 'w', [{ actor: 'advice', partition: OWN_FIRST, state, why: '', seq: 0 }]), 200)
  ends.push(() => clearInterval(beat))
  await until('it is heard', async () => ((await house.json('/v1/status')) as { actors: { state: string }[] }).actors[0]?.state === 'running')
  expect(await isSettled()).toBe(false)
  const { created: resultsCreated, lastSeq } = await log.info(RESULTS)
  const note = (resultsFrom: number) => writeReader(kv, { name: 'own-advice', atMs: 0, resultsCreated, resultsFrom, inputFrom: {}, covered: {}, marks: {} })
  await note(lastSeq)
  expect(await isSettled()).toBe(false)
  // The feed has read all of it, and the actor was told nothing.
  await note(lastSeq + 1)
  expect(await isSettled()).toBe(true)
  const { seq } = await log.publish(inputSubject(OWN_FIRST), encodeOwnTick())
  expect(await isSettled()).toBe(false)
  const told = async (of: string, at: number, rows: readonly object[]) => {
    const effects = new EffectsBuilder()
    const series = effects.addSeries({ tenant: 'default', device: 'north', metric: 'advice' })
    for (const [i, body] of rows.entries()) effects.own.push({ series, at: T + i, number: i + 1, body: JSON.stringify(body) })
    effects.ownView = VIEW
    const header = { kind: 'commit', partition: OWN_FIRST, epoch: 1, owner: 'w', nonce: `s${at}${of}`, position: { created: of, seq: at, timeMs: T }, snapshots: [], part: 0 } as const
    await log.publish(resultsSubject(OWN_FIRST), encodeJournal(header, effects.encode({ accepted: 0, pending: 0, logTimeMs: T })))
  }
  await told('another stream', seq, [])
  expect(await isSettled()).toBe(false)
  await told(created, seq, [])
  await until('it is settled', isSettled)
  const next = await log.publish(inputSubject(OWN_FIRST), encodeOwnTick())
  await told(created, next.seq, [{ mm: 1 }])
  await until('the row is there', async () => (await sql('SELECT mm FROM advice')).length === 1)
  expect(await isSettled()).toBe(false)
  await seal()
  expect(await isSettled()).toBe(true)
  // Who is stopped is waited for by nobody.
  await log.publish(inputSubject(OWN_FIRST), encodeOwnTick())
  expect(await isSettled()).toBe(false)
  state = 'stopped'
  await until('it is settled', isSettled)
})

test('a view that would be in the way of one of Weir, or of SQL itself, is none, whoever says so in the log', async () => {
  for (const name of ['readings', 'own_rows', 'order', 'duckdb_views', 'fresh_windows']) expect(isReservedName(name), name).toBe(true)
  for (const name of ['advice', 'reading', 'frost_hours', 'plots']) expect(isReservedName(name), name).toBe(false)
  // All views and tables that the lake has, and all words that DuckDB keeps for itself.
  for (const view of [...VIEWS, ...PLAIN_TABLES]) expect(isReservedName(view), view).toBe(true)
  for (const [, view] of TEMPLATE.matchAll(/\{\{create\}\}(\w+) AS/g)) expect(isReservedName(view), view).toBe(true)
  const connection = await (await DuckDBInstance.create()).connect()
  const kept = (await connection.runAndReadAll("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')")).getRows().map(([word]) => String(word))
  for (const word of kept) {
    const isTaken = await connection.run(`CREATE OR REPLACE VIEW ${word} AS SELECT 1; SELECT * FROM ${word}`).then(() => false, () => true)
    if (isTaken) expect(isReservedName(word), word).toBe(true)
  }
  const inherent = (await connection.runAndReadAll('SELECT view_name FROM duckdb_views() WHERE schema_name = current_schema()')).getRows().map(([name]) => String(name))
  for (const name of inherent) expect(isReservedName(name), name).toBe(true)
  connection.closeSync()

  const none = {}
  expect(withView(none, { ...VIEW, actor: 'readings' })).toBe(none)
  await commit('default', 'north', [{ mm: 5 }], { ...VIEW, actor: 'readings' })
  await writer.seal()
  expect(await sql('SELECT count(*)::INT AS n FROM readings')).toEqual([{ n: 0 }])
})

test('a definition that is not of plain names and known types makes no view', async () => {
  const none = {}
  for (const view of [{ ...VIEW, actor: 'a"; DROP' }, { ...VIEW, columns: [['x y', 'DOUBLE']] }, { ...VIEW, columns: [['x', 'DOUBLE); --']] }] as OwnView[]) expect(withView(none, view)).toBe(none)
  const views = withView(none, VIEW)
  expect(withView(views, VIEW)).toBe(views)
  await expect(sql('SELECT * FROM advice')).rejects.toThrow(/must be one of readings, .*own_rows/)
})
