/** Lakes of the versions so far, as their own programs wrote them: `lakes/<version>/`, made by record-lake.ts. */

import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { manifestPath, segmentsDir } from '../../actors/store/manifest.ts'
import type { Manifest } from '../../actors/store/manifest.ts'

export const LAKES = join(import.meta.dirname, 'lakes')

/** What a recorded lake shows, a statement a view: by the columns of its own time, which later versions keep. */
export const CONTENT_SQL = [
  'SELECT tenant, device, metric, ts, value, received_at FROM readings ORDER BY ALL',
  'SELECT tenant, device, metric, size, start, count, sum, min, max, mean, stddev, first, last, p50, p95, p99, closed_by FROM windows ORDER BY ALL',
  'SELECT tenant, device, metric, ts, value, score, expected, lower, upper, reason FROM anomalies ORDER BY ALL',
  'SELECT tenant, received_at, reason, reading FROM rejects ORDER BY ALL',
]

export function recordedLakes(): string[] {
  return readdirSync(LAKES).sort()
}

/** Lays a recorded lake down as `lakeDir`, and gives its manifest and what it showed. */
export function layDown(version: string, lakeDir: string): { manifest: Manifest; content: unknown } {
  const read = (file: string) => readFileSync(join(LAKES, version, file))
  const manifest = JSON.parse(read('manifest.json').toString()) as Manifest
  mkdirSync(segmentsDir(lakeDir), { recursive: true })
  mkdirSync(join(lakeDir, 'tmp'))
  for (const { file } of manifest.segments) {
    writeFileSync(join(segmentsDir(lakeDir), file), zstdDecompressSync(read(`${file}.zst`)))
    chmodSync(join(segmentsDir(lakeDir), file), 0o444)
  }
  writeFileSync(manifestPath(lakeDir, manifest.version), JSON.stringify(manifest))
  return { manifest, content: JSON.parse(zstdDecompressSync(read('content.json.zst')).toString()) }
}
