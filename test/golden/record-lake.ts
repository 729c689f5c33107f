/**
 * `node test/golden/record-lake.ts NAME`: keeps a small lake as this version writes it, one sealed and one merged segment, under
 * `lakes/NAME`. To be run once for each version before its successor changes the tables of a segment; what is there is never written again.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { zstdCompressSync } from 'node:zlib'
import { withLake } from '../support/law.ts'
import { LakeStage } from '../support/lake-stage.ts'
import { CONTENT_SQL, LAKES } from './lakes.ts'

const [name] = process.argv.slice(2)
if (name === undefined) {
  console.error('Cannot record as there must be a name')
  process.exit(2)
}
const dataDir = mkdtempSync(join(tmpdir(), 'weir-record-'))
const stage = await LakeStage.open(dataDir)
for (let i = 0; i < 7; i++) await stage.step({ readings: 600 })
stage.clock.stepWall(3_700_000)
await stage.writer.upkeep(stage.clock.now())
await stage.step({ readings: 100 })
const { manifest } = stage.writer
await stage.stop()

const folder = join(LAKES, name)
mkdirSync(folder, { recursive: true })
const content = await withLake(dataDir, async (query) => Promise.all(CONTENT_SQL.map((sql) => query(sql))))
writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest, null, 1))
writeFileSync(join(folder, 'content.json.zst'), zstdCompressSync(JSON.stringify(content)))
for (const { file } of manifest.segments) writeFileSync(join(folder, `${file}.zst`), zstdCompressSync(readFileSync(join(dataDir, 'lake', 'segments', file))))
rmSync(dataDir, { recursive: true })
