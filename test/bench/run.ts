/**
 * `npm run bench` prints all figures; `npm run bench -- parse system` those named; `--smoke` runs each at its smallest size.
 *
 * - parse        bytes of a request to validated columns
 * - worker-core  the partition actor alone: decode, step, encode
 * - store        covered commits to sealed segments, alone
 * - system       the real processes on this machine, load generator included
 * - elasticity   workers that come, go, die and freeze under load: how long a partition stands still
 * - skew         even load beside one hot device, and beside one hot partition
 * - backlog      an hour's outage caught up
 * - sql          public SQL: latencies, rows a second in each format
 * - views        kept views: parts made, stored and read, against the same SELECT over all readings
 * - live         thousands of live streams: at the store, through the edge, on everything, beside clients that never read
 * - alerts       from the POST of a reading that raises an alert to the webhook that hears of it, at rest and at half load
 * - backfill     history of living series by weir backfill, beside a live load
 * - queries      an analyst and the API over a made lake: `--readings 100M` (the default) or another number, `--dir` keeps it for the next time
 * - graph        /v1/graph over a year of one series; runs only where it is named
 * - retention    a month of a made lake leaves by age under a live load; `--readings`, `--dir` as for queries; runs only where it is named
 * - memory       what each process holds over ten minutes of steady load; runs only where it is named
 * - series       memory of a million series in one worker, and the time of their snapshots; runs only where it is named
 * - nab          anomalies of a labelled corpus, scored as the Numenta Anomaly Benchmark does: `--data DIR`, `--out DIR` for its scorer; runs only where it is named
 * - m4           forecasts of the M4 competition's hourly series: `--data DIR`, `--out FILE.csv` for its scorer; runs only where it is named
 * - drivers      do drivers help forecasts, and are their effects what is told: on made soils, and with `--data DIR` on measured series; runs only where it is named
 * - intervals    do intervals hold what they say, at each distance: on made series, and with `--data DIR` on those of m4; runs only where it is named
 * - learning     how soon a new series is forecast and watched well, with what is usual for its kind and without
 * - farm         seasons of fields whose true water is known, watered by the advice and by three other ways; and whether its intervals hold what they say
 *
 * `WEIR_BENCH_SHAPE` names one shape of live to run alone, and `WEIR_BENCH_TIMELINE=1` prints each half second of its storm.
 * `WEIR_BENCH_SECONDS` (skew, memory, live), `WEIR_BENCH_RATE` (skew, alerts, readings a second) `WEIR_BENCH_ROWS` (backlog, backfill) and `WEIR_BENCH_SERIES`
 * (series) choose other sizes.
 */

import { parseArgs } from 'node:util'
import { cpus, totalmem } from 'node:os'
import { printRows } from './bench.ts'
import type { Bench } from './bench.ts'

const benches: Record<string, () => Promise<{ run: Bench }>> = {
  parse: () => import('./parse.ts'),
  'worker-core': () => import('./worker-core.ts'),
  store: () => import('./store.ts'),
  system: () => import('./system.ts'),
  elasticity: () => import('./elasticity.ts'),
  skew: () => import('./skew.ts'),
  backlog: () => import('./backlog.ts'),
  alerts: () => import('./alerts.ts'),
  live: () => import('./live.ts'),
  backfill: () => import('./backfill.ts'),
  queries: () => import('./queries.ts'),
  graph: () => import('./graph.ts'),
  sql: () => import('./sql.ts'),
  views: () => import('./views.ts'),
  retention: () => import('./retention.ts'),
  memory: () => import('./memory.ts'),
  series: () => import('./series.ts'),
  nab: () => import('./nab.ts'),
  m4: () => import('./m4.ts'),
  drivers: () => import('./drivers.ts'),
  intervals: () => import('./intervals.ts'),
  learning: () => import('./learning.ts'),
  farm: () => import('./farm.ts'),
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { smoke: { type: 'boolean', default: false }, readings: { type: 'string' }, dir: { type: 'string' }, data: { type: 'string' }, out: { type: 'string' } } })
const names = positionals.length > 0 ? positionals : Object.keys(benches).filter((name) => !['memory', 'series', 'graph', 'retention', 'nab', 'm4', 'intervals', 'drivers'].includes(name))
const unknown = names.filter((name) => !(name in benches))
if (unknown.length > 0) {
  console.error(`Cannot run ${unknown.join(', ')} as a benchmark must be one of ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}

console.log(`${cpus().length} cores of ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`)
for (const name of names) {
  console.log(`\n${name}`)
  const { run } = await benches[name]()
  printRows(await run({ size: values.smoke ? 'smoke' : 'real', readings: values.readings, dir: values.dir, data: values.data, out: values.out }))
}
process.exit(0)
