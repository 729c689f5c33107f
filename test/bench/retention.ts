/**
 * A month of data leaves the lake by age while some thousand readings a second come: what seals, answers and queries are like beside it, and without.
 *
 * The lake is made (lake-of.ts), merged as a store leaves it, and served twice by the real system under the same load: without retention, then with one
 * that drops its first `DROPPED_DAYS` days. `--readings` says how large it is, `--dir` names one that is there already, which loses those days.
 *
 * It does not measure the disk's own pace in giving the space back: the files themselves are removed an hour later.
 */

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readNewestManifest } from '../../actors/store/manifest.ts'
import { startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { Bench, BenchRow } from './bench.ts'
import { makeLakeOf, mergeLake, parseCount } from './lake-of.ts'
import { deviceName } from './lake-rows.ts'
import { load } from './load-client.ts'
import { percentile, probeAnswers } from './probe.ts'

const DAY_MS = 86_400_000
const DROPPED_DAYS = 30
const RATE = 3_000

export const run: Bench = async ({ size, readings, dir }) => {
  const smoke = size === 'smoke'
  const dataDir = dir === undefined ? await mkdtemp(join(tmpdir(), 'weir-bench-retention-')) : resolve(dir)
  const lakeDir = join(dataDir, 'lake')
  const dropped = smoke ? 1 : DROPPED_DAYS
  try {
    if ((await readNewestManifest(lakeDir).catch(() => null)) === null) {
      await makeLakeOf({ dir: dataDir, readings: smoke ? 50_000 : parseCount(readings ?? '20M'), days: smoke ? 2 : DROPPED_DAYS + 10, endMs: Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000 })
    }
    const before = await mergeLake(dataDir)
    const beginMs = Math.min(...before.segments.map((s) => s.readingsMin ?? Infinity))
    const cutMs = Math.floor(beginMs / DAY_MS) * DAY_MS + dropped * DAY_MS
    // A little less, so that the day of the cut stays.
    const retention = `${Math.floor((Date.now() - cutMs) / 1_000) - 60}s`
    const seconds = smoke ? 8 : 45
    const rows: BenchRow[] = []
    for (const [name, flags] of [['without', []], ['while a month leaves', ['--retention', retention]]] as const) {
      const system = await startSystem({ dataDir, flags: [...flags] })
      try {
        rows.push(...(await measure(system, { name, seconds, cutMs: flags.length > 0 ? cutMs : null })))
      } finally {
        await system.stop()
      }
    }
    const after = (await readNewestManifest(lakeDir))!
    const old = (segments: typeof after.segments) => segments.reduce((sum, s) => sum + ((s.readingsMax ?? Infinity) < cutMs ? (s.rows.readings ?? 0) : 0), 0)
    rows.push({ name: 'readings that left in whole files', value: old(before.segments) - old(after.segments), unit: 'readings', hash: '' })
    return rows
  } finally {
    if (dir === undefined) await rm(dataDir, { recursive: true, force: true })
  }
}

/** Answers, queries and manifests over so many seconds of load; with `cutMs` at least until nothing older is left. */
async function measure(system: System, { name, seconds, cutMs }: { name: string; seconds: number; cutMs: number | null }): Promise<BenchRow[]> {
  const lakeDir = join(system.dataDir, 'lake')
  const ending = new AbortController()
  const loading = load(system.url, { kind: 'columns', seconds: 600, connections: 4, rate: RATE, signal: ending.signal })
  let ended = false
  const answers = probeAnswers(system, 'probe/retention', () => ended)
  const queryMs: number[] = []
  let unanswered = 0
  const series = `device=${deviceName(0)}&metric=soil_moisture`
  const paths = [`/v1/graph?${series}&from=-5d&width=800`, '/v1/latest?device=gateway-0/probe-0', `/v1/windows?size=1h&${series}&from=-3d`, `/v1/readings?${series}&from=-3h`, '/v1/windows?size=1m&from=-10m']
  const asking = (async () => {
    for (let i = 0; !ended; i++) {
      const begun = performance.now()
      const response = await system.fetch(paths[i % paths.length])
      await response.arrayBuffer()
      if (response.status === 200) queryMs.push(performance.now() - begun)
      else unanswered++
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  const sealsMs: number[] = []
  const watching = (async () => {
    let newest = 0
    let atMs = 0
    while (!ended) {
      const version = Math.max(0, ...(await readdir(lakeDir)).map((file) => Number(/^manifest-(\d+)\.json$/.exec(file)?.[1] ?? 0)))
      if (version > newest) {
        const nowMs = performance.now()
        if (newest > 0) sealsMs.push(nowMs - atMs)
        newest = version
        atMs = nowMs
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })()
  const begun = performance.now()
  let leftMs: number | null = null
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 200))
    const ms = performance.now() - begun
    if (cutMs !== null && leftMs === null) {
      const segments = (await readNewestManifest(lakeDir))?.segments ?? []
      if (segments.every((s) => s.readingsMin === null || s.readingsMin >= cutMs)) leftMs = ms
    }
    if (ms > 300_000) throw new Error('Cannot measure as what is too old must have left within 300 s')
    if (ms > seconds * 1_000 && (cutMs === null || leftMs !== null)) break
  }
  ended = true
  ending.abort()
  await loading
  await Promise.all([asking, watching])
  const { answerMs, refused } = await answers
  const rows: BenchRow[] = []
  const row = (what: string, value: number, unit = 'ms') => void rows.push({ name: `${name}: ${what}`, value, unit, hash: '' })
  for (const [what, of] of [['POST to 202', answerMs], ['queries', queryMs], ['from one manifest to the next', sealsMs]] as const) {
    const took = [...of]
    // A lake that is sealed every two seconds may have no two manifests in a short run.
    if (took.length === 0) continue
    took.sort((a, b) => a - b)
    for (const q of [0.5, 0.99]) row(`${what}, p${q * 100}`, percentile(took, q))
    row(`${what}, most`, took.at(-1)!)
  }
  row('refused', refused, 'readings')
  row('not answered', unanswered, 'queries')
  if (leftMs !== null) row('all that is too old has left after', leftMs)
  return rows
}
