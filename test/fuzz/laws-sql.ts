/** Laws of public SQL: what the gate lets pass, however it was made, names nothing but what is listed, and shows nothing of others. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { SqlError } from '../../actors/analytics/sql/frames.ts'
import { ALLOWED_CALLS, ALLOWED_TABLES, DENIED_CALLS, DENIED_TABLES, SAFE_OVER_TIMES, SYNTAX_CALLS } from '../../actors/analytics/sql/functions.ts'
import { passGate, Refusal } from '../../actors/analytics/sql/gate.ts'
import type { Passed } from '../../actors/analytics/sql/gate.ts'
import { Session } from '../../actors/analytics/sql/session.ts'
import { VIEWS } from '../../actors/analytics/sql/views.ts'
import { columnsSql } from '../../actors/store/tables.ts'
import { GOOD } from '../actors/analytics/sql/good.ts'
import { hostile } from '../actors/analytics/sql/hostile.ts'
import { law } from './law.ts'
import type { Law } from './law.ts'

const SECRET = 'SECRET'
const FILE = 'what-the-file-holds'

interface World {
  readonly dir: string
  session: Session
  readonly trees: readonly object[]
}

let made: Promise<World> | null = null
/** A segment of two tenants, a file beside it, and the trees of known statements. */
function world(): Promise<World> {
  made ??= (async () => {
    const dir = mkdtempSync(join(tmpdir(), 'weir-fuzz-sql-'))
    process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
    writeFileSync(join(dir, 'marker.txt'), FILE)
    const instance = await DuckDBInstance.create(join(dir, 'segment.duckdb'))
    const connection = await instance.connect()
    for (const table of ['readings', 'windows', 'anomalies', 'rejects'] as const) await connection.run(`CREATE TABLE ${table} (${columnsSql(table)})`)
    for (const [tenant, device, value] of [['mine', 'd', '1'], ['other', SECRET, '777777']]) {
      await connection.run(`INSERT INTO readings SELECT '${tenant}', '${device}' || i % 3, 'm', make_timestamp(1767225600000000 + i), ${value}, make_timestamp(0) FROM range(20) t(i)`)
      await connection.run(`INSERT INTO windows BY NAME SELECT '${tenant}' AS tenant, '${device}' AS device, 'm' AS metric, INTERVAL 1 MINUTE AS size, make_timestamp(0) AS start, ${value} AS count, 1 AS version`)
      await connection.run(`INSERT INTO anomalies BY NAME SELECT '${tenant}' AS tenant, '${device}' AS device, 'm' AS metric, make_timestamp(0) AS ts, ${value} AS value, '${device}' AS reason`)
      await connection.run(`INSERT INTO rejects VALUES ('${tenant}', make_timestamp(0), '${device}', '${device}')`)
    }
    connection.closeSync()
    instance.closeSync()
    const session = await openSession(dir)
    const texts = [...GOOD, ...Object.values(hostile({ file: join(dir, 'marker.txt'), segment: join(dir, 'segment.duckdb'), dir })).flat()].filter((text) => text.length < 2_000)
    const trees: object[] = []
    for (const text of texts) {
      const tree = (await session.parse(text).catch(() => ({ error: true }))) as { error: boolean }
      if (!tree.error) trees.push(tree)
    }
    return { dir, session, trees }
  })()
  return made
}

async function openSession(dir: string): Promise<Session> {
  const session = await Session.open({ segmentsDir: dir, tmpDir: dir, memoryMiB: 128, threads: 1 })
  await session.segments.change({ add: [{ file: 'segment.duckdb', rows: { readings: 40, windows: 2, anomalies: 2, rejects: 2 }, tsMin: null, tsMax: null }], drop: [] })
  return session
}

/** What passes; null where it is refused. Anything else that is thrown breaks the law. */
function gated(tree: unknown): Passed | null {
  try {
    return passGate(tree)
  } catch (error) {
    assert(error instanceof Refusal, `the gate threw ${String(error)}`)
    return null
  }
}

/** What says nothing: DuckDB writes an empty text, a null or an empty list for it. */
const isNothing = (value: unknown) => value === null || value === undefined || value === '' || value === false || (Array.isArray(value) && value.length === 0)
const CALLS = new Set([...ALLOWED_CALLS, ...SYNTAX_CALLS].map((name) => name.toLowerCase()))

/** The same question as the gate's, asked of every object in a tree without any idea of what it is. */
function assertHarmless(tree: unknown): void {
  const ctes = new Set<string>()
  const each = (value: unknown, visit: (node: Record<string, unknown>) => void): void => {
    if (Array.isArray(value)) for (const item of value) each(item, visit)
    else if (typeof value === 'object' && value !== null) {
      visit(value as Record<string, unknown>)
      for (const item of Object.values(value)) each(item, visit)
    }
  }
  each(tree, (node) => {
    if (typeof node.key === 'string' && typeof node.value === 'object' && node.value !== null && 'query' in node.value) ctes.add(node.key.toLowerCase())
    if (typeof node.cte_name === 'string') ctes.add(node.cte_name.toLowerCase())
  })
  each(tree, (node) => {
    if (node.type === 'BASE_TABLE') {
      assert(isNothing(node.schema_name) && isNothing(node.catalog_name) && isNothing(node.at_clause))
      // Data may bear the name of a node, without being one.
      if (!('table_name' in node)) return
      const name = String(node.table_name).toLowerCase()
      assert((VIEWS as readonly string[]).includes(name) || ctes.has(name), name)
    }
    if (node.class === 'FUNCTION' || node.class === 'WINDOW') {
      const name = String(node.function_name).toLowerCase()
      assert(CALLS.has(name) || ALLOWED_TABLES.has(name), name)
      assert(isNothing(node.catalog) && (isNothing(node.schema) || node.schema === 'main'))
    }
    if (node.type === 'SHOW_REF') assert(!isNothing(node.query) && isNothing(node.table_name) && node.show_type !== 'SHOW_UNQUALIFIED')
  })
}

/** Runs what passes, as the service does, and looks at every byte that it gives. */
async function assertShowsNothing(of: World, sql: string): Promise<void> {
  if (sql.length > 20_000) return
  const tree = await of.session.parse(sql).catch(() => null)
  const passed = tree === null ? null : gated(tree)
  if (passed === null) return
  assertHarmless(tree)
  const none = new Uint8Array(0)
  const fresh = {
    names: { device: [], metric: [] }, readings: { series: none, ts: none, value: none, receivedAt: none, old: none },
    windows: { series: none, size: none, closedBy: none, numbers: none }, anomalies: { series: none, numbers: none, texts: [[], [], []] }, forecasts: { series: none, numbers: none, texts: [[]] }, feedback: { series: none, numbers: none, texts: [] }, profiles: { series: none, numbers: none, texts: [] }, drivers: { series: none, numbers: none, texts: [[], []] }, alerts: { series: none, numbers: none, texts: [[], [], [], [], [], []] }, rejects: { receivedAt: none, reason: [], reading: [] },
  }
  let shown = ''
  let broken = false
  const query = await of.session.begin({ tenant: 'mine', views: passed.views, plainTimes: [...passed.calls].every((name) => SAFE_OVER_TIMES.has(name)), fresh })
  const late = setTimeout(function again() {
    query.interrupt()
    setTimeout(again, 20).unref()
  }, 1_000)
  try {
    for await (const bytes of query.answer({ sql, params: [], format: 'ndjson', timeMs: false, rowsMax: 2_000 })) shown += Buffer.from(bytes).toString()
  } catch (error) {
    assert(error instanceof SqlError, String(error))
    shown += error.message
    broken = error.code === 'broken'
  } finally {
    clearTimeout(late)
    query.close()
  }
  // What the statement itself says is its own.
  if (!sql.includes(SECRET)) assert(!shown.includes(SECRET), `${sql} => ${shown.slice(0, 500)}`)
  if (!sql.includes('77777')) assert(!shown.includes('77777'), `${sql} => ${shown.slice(0, 500)}`)
  assert(!shown.includes(FILE), `${sql} => ${shown.slice(0, 500)}`)
  if (broken) of.session = await openSession(of.dir)
}

const ODD_NAMES = [
  's1', 's1.main.readings', 'main', 'temp', 'memory', 'system', 'readings', 'Readings', 'windows', 'sqlite_master', 'duckdb_settings', 'fresh_readings', 'pg_catalog', 'information_schema',
  'read_text', 'read_blob', 'query_table', 'query', 'glob', 'getenv', 'current_setting', 'stats', 'range', 'unnest', 'nextval', 'BASE_TABLE', 'TABLE_FUNCTION', 'SHOW_REF', 'COLUMN_DATA', 'FUNCTION',
  'SELECT_NODE', 'SHOW_UNQUALIFIED', 'SUMMARY', '', '\u212a', 'x',
]

const mutation = fc.record({ at: fc.nat(), kind: fc.nat(6), from: fc.nat(), pick: fc.nat() })
type Mutation = { at: number; kind: number; from: number; pick: number }

function placesOf(tree: unknown): [holder: any, key: string | number][] {
  const places: [any, string | number][] = []
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const key of Object.keys(value)) {
      const at = Array.isArray(value) ? Number(key) : key
      places.push([value, at])
      walk((value as any)[key])
    }
  }
  walk(tree)
  return places
}

function mutate(tree: object, { at, kind, from, pick }: Mutation, trees: readonly object[]): void {
  const places = placesOf(tree)
  if (places.length === 0) return
  const [holder, key] = places[at % places.length]
  const others = placesOf(trees[from % trees.length])
  const [other, otherKey] = others[pick % others.length]
  if (kind <= 2) {
    // A part of the same kind from another statement, so that much of what comes out is a statement again.
    const like = others.filter(([o, k]) => k === key || (typeof o[k] === typeof holder[key] && Boolean(o[k]?.class) === Boolean(holder[key]?.class)))
    const [taken, takenKey] = like.length === 0 ? [other, otherKey] : like[pick % like.length]
    holder[key] = structuredClone(taken[takenKey])
  } else if (kind === 3) holder[key] = ODD_NAMES[pick % ODD_NAMES.length]
  else if (kind === 4) holder[key] = [null, 0, true, [], {}, '', -1][pick % 7]
  else if (kind === 5 && !Array.isArray(holder)) delete holder[key]
  else if (!Array.isArray(holder)) holder[ODD_NAMES[pick % ODD_NAMES.length]] = structuredClone(other[otherKey])
}

/** Texts of queries, of good parts and of bad ones. */
const { query } = fc.letrec<{ query: string; from: string; expr: string }>((tie) => ({
  query: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('SELECT 1', 'FROM readings', 'SUMMARIZE readings', 'DESCRIBE windows', 'TABLE anomalies', 'VALUES (1)'),
    fc.tuple(tie('expr'), tie('from')).map(([e, f]) => `SELECT ${e} AS x FROM ${f}`),
    fc.tuple(tie('expr'), tie('from'), tie('expr')).map(([e, f, w]) => `SELECT ${e} AS x FROM ${f} WHERE ${w} IS NOT NULL`),
    fc.tuple(tie('expr'), tie('expr'), tie('from')).map(([g, e, f]) => `SELECT ${g} AS g, max(${e}) AS m FROM ${f} GROUP BY g ORDER BY m DESC LIMIT 5`),
    fc.tuple(fc.constantFrom(...ODD_NAMES.filter((name) => /^\w+$/.test(name))), tie('query'), tie('query')).map(([n, a, b]) => `WITH ${n} AS (${a}) ${b}`),
    fc.tuple(tie('query'), fc.constantFrom('UNION ALL', 'EXCEPT', 'INTERSECT'), tie('query')).map(([a, o, b]) => `(${a}) ${o} (${b})`),
  ),
  from: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...VIEWS, 'readings r', 's1.main.readings', 's1.main.windows r', 'temp.main.fresh_names', 'sqlite_master', 'duckdb_settings', 'duckdb_settings()', 'range(3)', 'unnest([1, 2])',
      "read_text('marker.txt')", "'marker.txt'", "glob('*')", "query('FROM s1.main.readings')", "query_table('s1.main.readings')", 'information_schema.tables', "json_each('[1]')"),
    tie('query').map((q) => `(${q}) q`),
    fc.tuple(tie('from'), fc.constantFrom(', ', ' CROSS JOIN ', ' POSITIONAL JOIN ', ' NATURAL JOIN ', ' LEFT JOIN LATERAL '), tie('from')).map(([a, j, b]) => `${a}${j}${b}${j.includes('LEFT') ? ' ON true' : ''}`),
  ),
  expr: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('device', 'metric', 'tenant', 'value', 'ts', 'reason', 'reading', '*', 'COLUMNS(*)', 'rowid', 'r.device', 'count(*)', '1', "'x'", 'NULL', 'current_user', '$$a$$'),
    fc.tuple(fc.constantFrom(...ALLOWED_CALLS, ...DENIED_CALLS, ...ALLOWED_TABLES, ...DENIED_TABLES).filter((name) => /^\w+$/.test(name) && !/repeat|sleep|pad$|resize/.test(name)), fc.array(tie('expr'), { maxLength: 3 })).map(([f, a]) => `${f}(${a.join(', ')})`),
    fc.tuple(tie('expr'), fc.constantFrom('||', '+', '=', '>', 'LIKE', 'IN', 'IS DISTINCT FROM'), tie('expr')).map(([a, o, b]) => `(${a} ${o} ${o === 'IN' ? `(${b})` : b})`),
    fc.tuple(tie('expr'), fc.constantFrom('INTEGER', 'VARCHAR', 'DATE', 'TIMESTAMP', 'DOUBLE[]', 'readings', 's1.main.t', 'JSON')).map(([a, t]) => `CAST(${a} AS ${t})`),
    tie('query').map((q) => `(${q})`),
    tie('query').map((q) => `EXISTS (${q})`),
    fc.tuple(tie('expr'), tie('expr'), tie('expr')).map(([a, b, c]) => `CASE WHEN ${a} THEN ${b} ELSE ${c} END`),
    fc.tuple(tie('expr'), tie('expr')).map(([a, b]) => `first_value(${a}) OVER (ORDER BY ${b})`),
  ),
}))

const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ unit: fc.constantFrom(...'SELECT FROM readings ()\'";,.*$1-/'), maxLength: 60 }))

export const sqlLaws: Law[] = [
  law('a syntax tree, changed however, passes the gate only where it names what is listed, and fails by a refusal alone', 30, [fc.nat(), fc.array(mutation, { maxLength: 6 })], async (at, changes) => {
    const { trees } = await world()
    const tree = structuredClone(trees[at % trees.length])
    for (const change of changes) mutate(tree, change, trees)
    if (gated(tree) !== null) assertHarmless(tree)
  }),
  law('whatever passes the gate of a generated query shows no row of another tenant, and no file', 8, [query], async (sql) => assertShowsNothing(await world(), sql)),
  law('any text passes the gate or is refused', 20, [anyText], async (text) => {
    const tree = await (await world()).session.parse(text).catch((error: unknown) => assert(error instanceof SqlError))
    if (tree !== undefined) gated(tree)
  }),
]
