/**
 * Bench of the edge's core: bytes of a request to validated columns, without HTTP, batching or the log.
 *
 * Requests of 500 readings, each of another device (the hard case for names), at 64 different bodies in turn.
 */

import { createHash } from 'node:crypto'
import { pack } from '../../runtime/codec.ts'
import type { BenchRow } from './bench.ts'
import { systemClock } from '../../runtime/clock.ts'
import { parseBody } from '../../actors/reading/formats.ts'
import type { Format } from '../../actors/reading/formats.ts'
import { Names } from '../../actors/reading/validate-names.ts'
import { Batch } from '../../actors/reading/validate.ts'
import { seeded } from '../support/random.ts'

const ROWS = 500
const BODIES = 64
const NOW_MS = 1_767_225_600_000

interface Columns {
  device: string[]
  metric: string[]
  ts: number[]
  value: number[]
}

function columnsOf(random: () => number): Columns {
  const devices = Array.from({ length: ROWS }, () => `field-${Math.floor(random() * 40)}/probe-${Math.floor(random() * 250)}`)
  return {
    device: devices,
    metric: devices.map((_, i) => ['soil_moisture', 'soil_temperature', 'ec'][i % 3]),
    ts: devices.map(() => NOW_MS - Math.floor(random() * 60_000)),
    value: devices.map(() => Math.round(random() * 1e6) / 1e4),
  }
}

const rowsOf = (c: Columns) => c.device.map((device, i) => ({ device, metric: c.metric[i], ts: c.ts[i], value: c.value[i] }))

const CASES: { name: string; format: Format; encode: (c: Columns) => Uint8Array }[] = [
  { name: 'parse JSON', format: 'json', encode: (c) => Buffer.from(JSON.stringify(rowsOf(c))) },
  { name: 'parse NDJSON', format: 'ndjson', encode: (c) => Buffer.from(rowsOf(c).map((r) => JSON.stringify(r)).join('\n')) },
  { name: 'parse msgpack rows', format: 'msgpack', encode: (c) => pack(rowsOf(c)) },
  { name: 'parse msgpack columns', format: 'msgpack', encode: (c) => pack(c) },
  {
    name: 'parse line protocol',
    format: 'lines',
    encode: (c) => Buffer.from(rowsOf(c).map((r) => `soil,device=${r.device} ${r.metric}=${r.value} ${r.ts}000000`).join('\n')),
  },
]

/** Microseconds a reading of each format; `smoke` only shows that it runs. */
export async function run({ size }: { size: 'smoke' | 'real' }): Promise<BenchRow[]> {
  const rounds = size === 'smoke' ? 2 : 1_500
  const rows: BenchRow[] = []
  for (const { name, format, encode } of CASES) {
    const random = seeded(7)
    const bodies = Array.from({ length: BODIES }, () => Buffer.from(encode(columnsOf(random))))
    const names = new Names()
    const batch = new Batch(names)
    const hash = createHash('sha256')
    const parse = (body: Buffer) => {
      batch.reset(names, NOW_MS)
      parseBody(format, body, batch)
    }
    for (let i = 0; i < rounds / 3; i++) parse(bodies[i % BODIES])
    const startMs = systemClock.monotonic()
    for (let i = 0; i < rounds; i++) parse(bodies[i % BODIES])
    const tookMs = systemClock.monotonic() - startMs
    for (const body of bodies) {
      parse(body)
      hash.update(`${batch.count} ${batch.rejectedCount} ${batch.series[batch.count - 1].device.name}`)
      hash.update(batch.ts.subarray(0, batch.count)).update(batch.value.subarray(0, batch.count))
    }
    rows.push({ name, value: (tookMs * 1000) / (rounds * ROWS), unit: 'µs a reading', hash: hash.digest('hex').slice(0, 16) })
  }
  return rows
}
