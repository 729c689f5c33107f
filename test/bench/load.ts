/**
 * A load generator as a process of its own: posts readings of a fleet as fast as answers come, or at a given rate, and prints what was
 * acknowledged.
 *
 * The fleet is 5,000 devices behind gateways: a batch is 50 devices with 10 readings each, 10 ms apart, up to now. It does not measure networks,
 * TLS, or devices' own clients.
 */

import { Agent, request } from 'node:http'
import { pack } from '../../runtime/codec.ts'

const [url, key, kind, secondsText, connectionsText, rateText] = process.argv.slice(2)
const seconds = Number(secondsText)
const rate = Number(rateText)
const DEVICES = 5_000
const PER_BATCH = 50
const READINGS_EACH = 10
const names = Array.from({ length: DEVICES }, (_, d) => `gateway-${Math.floor(d / PER_BATCH)}/probe-${d}`)

const TYPES: Record<string, string> = { json: 'application/json', columns: 'application/msgpack', single: 'application/json' }
const agent = new Agent({ keepAlive: true, maxSockets: 256 })
const target = new URL('/v1/readings', url)

let counter = 0
let batchNumber = 0

/** A slow wave with a little ripple, without a random draw a reading. */
function valueOf(device: number, n: number): number {
  return Math.round((20 + (device % 17) + 3 * Math.sin(n / 5000 + device) + ((n * 2654435761) % 1000) / 2000) * 100) / 100
}

function body(): { bytes: Uint8Array | string; count: number } {
  const now = Date.now()
  if (kind === 'single') {
    const d = counter % DEVICES
    counter++
    return { bytes: `{"device":"${names[d]}","metric":"soil_moisture","ts":${now},"value":${valueOf(d, counter)}}`, count: 1 }
  }
  const first = (batchNumber++ * PER_BATCH) % DEVICES
  const device: string[] = []
  const ts: number[] = []
  const value: number[] = []
  for (let i = 0; i < PER_BATCH; i++) {
    for (let j = 0; j < READINGS_EACH; j++) {
      device.push(names[first + i])
      ts.push(now - (READINGS_EACH - j) * 10)
      value.push(valueOf(first + i, counter++))
    }
  }
  if (kind === 'columns') return { bytes: pack({ device, metric: 'soil_moisture', ts, value }), count: ts.length }
  return {
    bytes: JSON.stringify(device.map((name, i) => ({ device: name, metric: 'soil_moisture', ts: ts[i], value: value[i] }))),
    count: ts.length,
  }
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
const end = start + seconds * 1000
let accepted = 0
let refused = 0
let lost = 0

async function connection(): Promise<void> {
  while (performance.now() < end) {
    if (rate > 0) {
      const dueMs = start + (counter / rate) * 1000
      const wait = dueMs - performance.now()
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait))
      if (performance.now() >= end) return
    }
    const { bytes, count } = body()
    try {
      const status = await post(bytes)
      if (status === 202) accepted += count
      else {
        refused += count
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    } catch {
      lost += count
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

await Promise.all(Array.from({ length: Number(connectionsText) }, connection))
process.stdout.write(JSON.stringify({ accepted, refused, lost, seconds: (performance.now() - start) / 1000 }))
process.exit(0)
