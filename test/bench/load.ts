/**
 * A load generator as a process of its own: posts readings of a fleet (fleet.ts) as fast as answers come, or at a given rate, and prints what
 * was acknowledged.
 *
 * Its argument is a `LoadOrder` as JSON. It does not measure networks, TLS, or devices' own clients.
 */

import { Agent, request } from 'node:http'
import { pack } from '../../runtime/codec.ts'
import { Fleet } from './fleet.ts'
import type { Shape } from './fleet.ts'

export interface LoadOrder {
  readonly url: string
  readonly key: string
  /** `columns` and `json` in batches; `single` a reading a request. */
  readonly kind: 'columns' | 'json' | 'single'
  /** `even` by default. */
  readonly shape?: Shape
  /** SIGTERM ends it sooner. */
  readonly seconds: number
  readonly connections: number
  /** Readings a second; 0 (the default) for as many as are answered. */
  readonly rate?: number
  /** Ends after so many readings, and with it the times of a backlog begin at `fromMs` and span `spanMs`. */
  readonly rows?: number
  readonly fromMs?: number
  readonly spanMs?: number
}

export interface Loaded {
  accepted: number
  /** Answered otherwise than by 202; `throttled` of them by 429. */
  refused: number
  throttled: number
  /** Without an answer; `errors` by the system's code. */
  lost: number
  errors: Record<string, number>
  seconds: number
}

const { url, key, kind, shape = 'even', seconds, connections, rate = 0, rows = Infinity, fromMs, spanMs } = JSON.parse(process.argv[2]) as LoadOrder
const fleet = new Fleet(shape, { rate, fromMs, spanMs, rows: rows === Infinity ? 0 : rows })

const TYPES: Record<string, string> = { json: 'application/json', columns: 'application/msgpack', single: 'application/json' }
const agent = new Agent({ keepAlive: true, maxSockets: 256 })
const target = new URL('/v1/readings', url)

let sent = 0
function body(): { bytes: Uint8Array | string; count: number } {
  if (kind === 'single') return { bytes: JSON.stringify({ ...fleet.one(), ts: Date.now() }), count: 1 }
  const columns = fleet.next(Date.now())
  const { device, metric, ts, value } = columns
  if (kind === 'columns') return { bytes: pack(columns), count: ts.length }
  return { bytes: JSON.stringify(device.map((name, i) => ({ device: name, metric, ts: ts[i], value: value[i] }))), count: ts.length }
}

function post(bytes: Uint8Array | string): Promise<number> {
  return new Promise((resolve, reject) => {
    const r = request(
      target,
      { method: 'POST', agent, headers: { authorization: `Bearer ${key}`, 'content-type': TYPES[kind], 'content-length': Buffer.byteLength(bytes) } },
      (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode ?? 0))
        response.on('error', reject)
      },
    )
    r.on('error', reject)
    r.end(bytes)
  })
}

const start = performance.now()
let end = start + seconds * 1000
process.on('SIGTERM', () => (end = 0))
const loaded: Loaded = { accepted: 0, refused: 0, throttled: 0, lost: 0, errors: {}, seconds: 0 }

async function connection(): Promise<void> {
  while (performance.now() < end && sent < rows) {
    if (rate > 0) {
      const dueMs = start + (sent / rate) * 1000
      const wait = dueMs - performance.now()
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait))
      if (performance.now() >= end || sent >= rows) return
    }
    const { bytes, count } = body()
    sent += count
    // What is finite must arrive whole; what is not goes on with the next.
    for (let stored = false; !stored; stored ||= rows === Infinity) {
      try {
        const status = await post(bytes)
        if (status === 202) {
          loaded.accepted += count
          stored = true
          continue
        }
        loaded.refused += count
        if (status === 429) loaded.throttled += count
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? String(error)
        loaded.errors[code] = (loaded.errors[code] ?? 0) + 1
        loaded.lost += count
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

await Promise.all(Array.from({ length: connections }, connection))
loaded.seconds = (performance.now() - start) / 1000
process.stdout.write(JSON.stringify(loaded))
process.exit(0)
