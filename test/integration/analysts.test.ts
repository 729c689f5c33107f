/**
 * Analysts' own tools over a lake whose store seals and merges as fast as it can: many opens from many processes, copies, tools of other
 * languages where they are installed, and what becomes of an open that is held for too long.
 *
 * `WEIR_ANALYSTS` chooses how many opens (160 by default).
 */

import { DuckDBInstance } from '@duckdb/node-api'
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { copyLake } from '../../cmd/lake.ts'
import type { AnalystsReport } from '../support/analysts.ts'
import { LakeStage } from '../support/lake-stage.ts'
import { notTested } from '../support/servers.ts'

const OPENS = Number(process.env.WEIR_ANALYSTS ?? 160)
const PROCESSES = 8
/** As of then everything is due to be merged. */
const AHEAD_MS = 3_700_000
const run = promisify(execFile)
const LAW = 'SELECT (SELECT count(*) FROM readings) AS n, (SELECT sum(count) FROM windows WHERE size = INTERVAL 1 MINUTE)::BIGINT AS counted'

let dataDir: string
let stage: LakeStage
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'weir-analysts-'))
  stage = await LakeStage.open(dataDir)
  for (let i = 0; i < 3; i++) await stage.step()
})
afterEach(async () => {
  await stage.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

/** Seals and merges, step by step, until `ended`; gives how many seals and merges there were. */
async function keepSealing(ended: (done: { seals: number; merges: number }) => boolean): Promise<{ seals: number; merges: number }> {
  const done = { seals: 0, merges: 0 }
  for (; !ended(done); done.seals++) {
    await stage.step({ readings: 20 })
    if (done.seals % 3 === 2 && (await stage.writer.upkeep(stage.clock.now() + AHEAD_MS))) done.merges++
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return done
}

function analysts(folder: string, opens: number, atOnce: number): Promise<AnalystsReport> {
  return new Promise((resolve, reject) => {
    // They may not block the store; that they hunger for its processors is another matter.
    const command = ['-n', '5', process.execPath, join(import.meta.dirname, '../support/analysts.ts'), folder, String(opens), String(atOnce)]
    const child = spawn('nice', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out) as AnalystsReport) : reject(new Error(`analysts ended with ${code}`))))
  })
}

const median = (of: readonly number[]) => [...of].sort((a, b) => a - b)[of.length >> 1]

test('many processes open the lake while it is sealed and merged: no error, and each open is one settled lake from first to last', async () => {
  await keepSealing(({ seals }) => seals === 10)
  const usualMs = median(stage.sealMs)
  stage.sealMs.length = 0
  let ended = false
  let beside = { seals: 0, merges: 0 }
  const sealing = keepSealing((done) => {
    beside = { ...done }
    return ended
  })
  const reports: AnalystsReport[] = []
  do {
    reports.push(...(await Promise.all(Array.from({ length: PROCESSES }, () => analysts(stage.lakeDir, Math.ceil(OPENS / PROCESSES), 2)))))
  } while (beside.seals < 6 || beside.merges < 2)
  ended = true
  const { seals, merges } = await sealing
  expect(reports.flatMap(({ errors }) => errors)).toEqual([])
  expect(reports.flatMap(({ torn }) => torn)).toEqual([])
  const opens = reports.reduce((sum, report) => sum + report.opens, 0)
  const [longest, took] = [Math.max(...reports.map((r) => r.longestMs)), Math.max(...reports.map((r) => r.tookMs))].map(Math.round)
  console.log(`${opens} opens by ${PROCESSES} processes in ${took} ms, the longest ${longest} ms; ${seals} seals and ${merges} merges beside them, a seal ${Math.round(median(stage.sealMs))} ms, without them ${Math.round(usualMs)} ms`)
})

test('a copy by weir lake copy, or by hand with open.sql first, is whole, however fast the lake is sealed and merged meanwhile', async () => {
  let ended = false
  const sealing = keepSealing(() => ended)
  const folders: string[] = []
  for (let i = 0; i < 12; i++) {
    const folder = join(dataDir, `copy-${i}`)
    if (i % 2 === 0) await copyLake(stage.lakeDir, folder)
    else {
      mkdirSync(folder)
      await run('cp', [join(stage.lakeDir, 'open.sql'), folder])
      await run('cp', ['-r', join(stage.lakeDir, 'segments'), folder])
    }
    folders.push(folder)
  }
  ended = true
  await sealing
  const counts: number[] = []
  for (const folder of folders) {
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    const { stdout } = await run(process.execPath, ['-e', 'process.stdout.write(require("node:fs").readFileSync("open.sql", "utf8"))'], { cwd: folder })
    const before = process.cwd()
    process.chdir(folder)
    await connection.run(stdout)
    const [row] = (await connection.runAndReadAll(LAW)).getRowObjectsJson()
    process.chdir(before)
    connection.closeSync()
    instance.closeSync()
    expect(row.n).toBe(row.counted)
    counts.push(Number(row.n))
  }
  // The manifest is a moment ahead of open.sql, so that each way of copying only follows itself.
  for (const way of [0, 1]) {
    const later = counts.filter((_, i) => i % 2 === way)
    expect(later).toEqual([...later].sort((a, b) => a - b))
  }
  await expect(copyLake(stage.lakeDir, folders[0])).rejects.toThrow(/must be empty/)
})

test('a copied lake is one that a store goes on from', async () => {
  const folder = join(dataDir, 'copy')
  await copyLake(stage.lakeDir, folder)
  await stage.step()
  const { readings } = stage.writer.manifest.segments.reduce((sum, { rows }) => ({ readings: sum.readings + rows.readings }), { readings: 0 })
  const original = stage.writer
  await stage.openWriter({ lakeDir: folder })
  await original.stop({ seal: false })
  await stage.step()
  const copied = stage.writer.manifest.segments.reduce((sum, { rows }) => sum + rows.readings, 0)
  expect(copied).toBe(readings + 40)
})

test('who holds an open for longer than superseded segments stay is told so, and never shown wrong rows; opened anew it is right', async () => {
  const instance = await DuckDBInstance.create(join(stage.lakeDir, 'weir.duckdb'), { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  const ask = async () => (await connection.runAndReadAll(LAW)).getRowObjectsJson()[0]
  const first = await ask()
  expect(first.n).toBe(first.counted)
  for (let i = 0; i < 4; i++) await stage.step()
  while (await stage.writer.upkeep(stage.clock.now() + AHEAD_MS));
  // Merged, and not yet swept: the same rows as before.
  expect(await ask()).toEqual(first)
  stage.clock.stepWall(2 * 3_600_000)
  // The manifests that a store may go back to name them too, and are three.
  for (let i = 0; i < 4; i++) await stage.step()
  while (await stage.writer.upkeep(stage.clock.now() + AHEAD_MS));
  await expect(ask()).rejects.toThrow(/No files found that match the pattern/)
  connection.closeSync()
  instance.closeSync()
  const anew = await analysts(stage.lakeDir, 4, 1)
  expect([anew.errors, anew.torn]).toEqual([[], []])
})

/** Asks the law of the lake again and again by another tool, while it is sealed and merged. */
async function byTool(context: { skip: (note: string) => never }, program: string, version: readonly string[], args: (sql: string) => string[]): Promise<void> {
  const found = await run(program, [...version]).then(() => '', (error: Error) => error.message.split('\n')[0])
  if (found !== '') notTested(context, program, found)
  let ended = false
  const sealing = keepSealing(() => ended)
  try {
    for (let i = 0; i < 10; i++) {
      const { stdout } = await run(program, args(LAW), { cwd: stage.lakeDir })
      const [n, counted] = stdout.match(/\d+/g)!.slice(-2)
      expect([Number(n) > 0, n]).toEqual([true, counted])
    }
  } finally {
    ended = true
    await sealing
  }
}

test('the CLI of DuckDB opens weir.duckdb while it is sealed and merged', (context) =>
  byTool(context, 'duckdb', ['--version'], (sql) => ['-readonly', '-csv', 'weir.duckdb', sql]))

test('the CLI of DuckDB opens a lake by open.sql', (context) =>
  byTool(context, 'duckdb', ['--version'], (sql) => ['-csv', '-init', 'open.sql', '-c', sql]))

test('Python opens weir.duckdb while it is sealed and merged', (context) =>
  byTool(context, 'python3', ['-c', 'import duckdb'], (sql) => ['-c', `import duckdb; print(*duckdb.connect("weir.duckdb", read_only=True).execute("""${sql}""").fetchone())`]))
