/** Lakes of earlier versions, and segments that lack a column of today: opened, asked, settled, computed anew and merged beside those of today. */

import { DuckDBInstance } from '@duckdb/node-api'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Lake } from '../../../actors/analytics/data/lake.ts'
import { segmentsDir } from '../../../actors/store/manifest.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { CONTENT_SQL, layDown, recordedLakes } from '../../golden/lakes.ts'
import { LakeStage } from '../../support/lake-stage.ts'
import { lawBreakers, withLake } from '../../support/law.ts'

let dataDir: string
let stage: LakeStage | null
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'weir-formats-'))
  stage = null
})
afterEach(async () => {
  await stage?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const lakeDir = () => join(dataDir, 'lake')
const content = () => withLake(dataDir, async (query) => Promise.all(CONTENT_SQL.map((sql) => query(sql))))

/** The same by `open.sql`, from inside the folder. */
async function contentByScript(): Promise<unknown> {
  const before = process.cwd()
  process.chdir(lakeDir())
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await connection.run(readFileSync('open.sql', 'utf8'))
    const all = []
    for (const sql of CONTENT_SQL) all.push((await connection.runAndReadAll(sql)).getRowObjectsJson())
    return all
  } finally {
    connection.closeSync()
    instance.closeSync()
    process.chdir(before)
  }
}

/** Takes columns out of a segment, as if it had been written before there were such. */
async function shear(file: string, columns: Record<string, string[]>): Promise<void> {
  const path = join(segmentsDir(lakeDir()), file)
  chmodSync(path, 0o644)
  const instance = await DuckDBInstance.create(path)
  const connection = await instance.connect()
  for (const [table, names] of Object.entries(columns)) for (const name of names) await connection.run(`ALTER TABLE ${table} DROP COLUMN "${name}"`)
  await connection.run('CHECKPOINT')
  connection.closeSync()
  instance.closeSync()
  chmodSync(path, 0o444)
}

describe.each(recordedLakes())('a lake of %s', (version) => {
  test('shows what it showed, goes on, settles what is late for it, and is merged', async () => {
    const { manifest, content: shown } = layDown(version, lakeDir())
    stage = await LakeStage.open(dataDir, { beginMs: manifest.madeAt + 1_000 })
    expect(await content()).toEqual(shown)
    expect(await contentByScript()).toEqual(shown)
    // The log is another one, and reaches back into the times of the lake.
    await stage.step({ readings: 200, lateMs: 3_600_000 })
    await stage.step({ readings: 200, lateMs: 3_600_000 })
    expect(await lawBreakers(dataDir)).toEqual([])
    const before = await content()
    stage.clock.stepWall(2 * 86_400_000)
    while (await stage.writer.upkeep(stage.clock.now()));
    expect(stage.writer.manifest.segments.map(({ file }) => file)).not.toContain(manifest.segments[0].file)
    expect(await content()).toEqual(before)
    expect(await contentByScript()).toEqual(before)
  })
})

describe('segments that lack a column', () => {
  const SHORN = { windows_1m: ['p99', 'updated_at'], anomalies: ['reason'], ledger: ['expired'] }

  /** A lake of seven segments, two of them without the columns. */
  async function shorn(): Promise<LakeStage> {
    const made = await LakeStage.open(dataDir)
    stage = made
    for (let i = 0; i < 7; i++) await made.step({ readings: 600 })
    const { segments } = made.writer.manifest
    const old = segments.filter(({ rows }) => rows.anomalies > 0).slice(0, 2)
    expect(old).toHaveLength(2)
    await made.stop()
    for (const { file } of old) await shear(file, SHORN)
    // The manifest names their bytes, which are others now.
    const { version } = made.writer.manifest
    const path = join(lakeDir(), `manifest-${version}.json`)
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { segments: { file: string; bytes: number; form: string }[] }
    for (const segment of manifest.segments) {
      segment.bytes = statSync(join(segmentsDir(lakeDir()), segment.file)).size
      if (old.some(({ file }) => file === segment.file)) segment.form = 'of another version'
    }
    writeFileSync(path, JSON.stringify(manifest))
    await made.openWriter()
    return made
  }

  test('have nulls in it, beside those that have it: by weir.duckdb, by open.sql, and in the server', async () => {
    await shorn()
    const counted = await withLake(dataDir, (query) => query('SELECT count(*)::INT AS n, count(reason)::INT AS reasons FROM anomalies'))
    expect(counted[0].reasons).toBeLessThan(counted[0].n as number)
    expect(counted[0].reasons).toBeGreaterThan(0)
    expect(await contentByScript()).toEqual(await content())
    const lake = await Lake.open({ folder: lakeDir(), clock: systemClock })
    const version = await lake.prepare(stage!.writer.manifest)
    lake.publish(version)
    const [n, reasons] = await lake.query(`SELECT count(*)::DOUBLE, count(reason)::DOUBLE FROM ${version.relation('anomalies')}`)
    expect([n[0], reasons[0]]).toEqual([counted[0].n, counted[0].reasons])
    const [expired] = await lake.query(`SELECT coalesce(sum(expired), 0)::DOUBLE FROM ${version.relation('ledger')}`)
    expect(expired).toEqual([0])
    await lake.close()
  })

  test('are settled against, computed anew and merged with those that have it, and lose nothing', async () => {
    const made = await shorn()
    await made.step({ readings: 200, lateMs: 900_000 })
    const law = 'SELECT count(*)::INT AS n FROM readings'
    const [{ n }] = await withLake(dataDir, (query) => query(law))
    const [{ counted }] = await withLake(dataDir, (query) => query('SELECT sum(count)::INT AS counted FROM windows WHERE size = INTERVAL 1 MINUTE'))
    expect(counted).toBe(n)
    const before = await content()
    made.clock.stepWall(2 * 86_400_000)
    while (await made.writer.upkeep(made.clock.now()));
    expect(made.writer.manifest.segments).toHaveLength(1)
    expect(await content()).toEqual(before)
  })
})
