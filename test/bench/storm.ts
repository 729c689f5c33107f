/**
 * The storm: the store is killed under thousands of live streams, and all of them resume at its successor at once.
 *
 * Owns what is watched meanwhile: when all streams have what they missed, how long the store is silent, and what each process
 * uses of the cores. Leaves whether each stream has every reading once to live.ts.
 */

import { readFileSync } from 'node:fs'
import { descendants, eventually } from '../support/system.ts'
import type { System } from '../support/system.ts'
import type { BenchRow } from './bench.ts'
import type { Clients } from './live.ts'
import { cpuSecondsOf, metricOf, named } from './watch.ts'
import type { Watched } from './watch.ts'

interface StatusMember {
  role: string
  url: string
}

/** Of the store, once one answers. */
export function storeUrl(system: System): Promise<string> {
  return eventually('a store answers', async () => {
    const { members } = await system.get<{ members: StatusMember[] }>('/v1/status')
    const url = members.find(({ role }) => role === 'store')?.url
    return url !== undefined && (await fetch(`${url}/healthz`)).ok ? url : null
  })
}

/** The longest that the event loop of a process was held since this was asked before. */
async function heldMs(url: string): Promise<number> {
  return metricOf(await (await fetch(`${url}/metrics`)).text(), 'nodejs_eventloop_lag_max_seconds') * 1_000
}

/** Of the whole machine: connections that found a listener's queue full, and had to be tried again by the system. */
function turnedAway(): number {
  const [names, values] = readFileSync('/proc/net/netstat', 'utf8').split('\n').filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '))
  return Number(values[names.indexOf('ListenOverflows')])
}

/** CPU seconds by process since it was made; of one that came meanwhile, since its start. */
class CpuWatch {
  readonly #processes: () => readonly Watched[]
  readonly #before = new Map<number, number>()
  readonly #last = new Map<number, { name: string; seconds: number }>()
  /** What each half second brought, for a closer look: WEIR_BENCH_TIMELINE has it printed. */
  readonly #lines: string[] = []
  readonly #timer: ReturnType<typeof setInterval>

  constructor(processes: () => readonly Watched[], line: () => string) {
    this.#processes = processes
    const beganMs = performance.now()
    this.#look(true)
    let seen = this.rows('')
    this.#timer = setInterval(() => {
      this.#look(false)
      const now = this.rows('')
      const used = now.map(({ name, value }) => [name, value - (seen.find((r) => r.name === name)?.value ?? 0)] as const).filter(([, s]) => s > 0.015)
      this.#lines.push(`${((performance.now() - beganMs) / 1_000).toFixed(2).padStart(6)} s ${line()} ${used.map(([name, s]) => `${name.slice(2)} ${Math.round(s * 1_000)}`).join(', ')}`)
      seen = now
    }, 500)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#look(false)
    if (process.env.WEIR_BENCH_TIMELINE) for (const line of this.#lines) console.log(line)
  }

  rows(label: string): BenchRow[] {
    const sums = new Map<string, number>()
    for (const [pid, { name, seconds }] of this.#last) {
      const title = name.replace(/ \d+$/, '')
      sums.set(title, (sums.get(title) ?? 0) + seconds - (this.#before.get(pid) ?? 0))
    }
    return [...sums].map(([title, value]) => ({ name: `${label}: ${title}`, value, unit: 's of a core', hash: '' }))
  }

  #look(first: boolean): void {
    for (const { pid, name } of this.#processes()) {
      const seconds = cpuSecondsOf(pid)
      if (seconds === null) continue
      if (first) this.#before.set(pid, seconds)
      this.#last.set(pid, { name, seconds })
    }
  }
}

export async function storm(system: System, clients: Clients, { streams, name }: { streams: number; name: string }): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const row = (what: string, value: number, unit: string) => rows.push({ name: `${name}: ${what}`, value, unit, hash: '' })
  const [pid] = system.pids('weir-store')
  let open = 0
  const watched = () => [...named(descendants(system.pid)), { name: 'clients', pid: clients.pid }, { name: 'bench and pulse', pid: process.pid }]
  await heldMs(system.url)
  const away = turnedAway()
  const cpu = new CpuWatch(watched, () => `${open} level, ${turnedAway() - away} away;`)
  process.kill(pid, 'SIGKILL')
  await clients.mark()
  const killed = performance.now()
  const killedMs = Date.now()
  await eventually('the store is gone', () => !system.pids('weir-store').includes(pid))
  const url = await storeUrl(system)
  row('store back after SIGKILL', performance.now() - killed, 'ms')
  await heldMs(url)
  let longest = 0
  let storming = true
  const asking = (async () => {
    while (storming) {
      const asked = performance.now()
      await fetch(`${url}/healthz`).then((answer) => answer.text(), () => null)
      longest = Math.max(longest, performance.now() - asked)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })()
  // A device's readings come in batches, 2.5 s apart at 20,000 a second: a stream is level up to that much later than it has what it missed.
  try {
    await eventually(`${name}: all streams are level`, async () => (open = await clients.open()) >= streams, 120_000)
  } finally {
    cpu.stop()
  }
  // What was missed comes in order, so that a stream that is level may have a little of it yet to come.
  let last = await clients.report()
  for (let looks = 0; looks < 10; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const before = last.lateMs
    last = await clients.report()
    if (last.lateMs === before) break
  }
  storming = false
  await asking
  const { lateMs, oldestMs } = last
  row('all streams resumed after SIGKILL: the last event that came more than a second late', Math.max(0, lateMs - killedMs), 'ms')
  row('the event that came latest', oldestMs, 'ms after it was stored')
  row('longest wait for the store meanwhile', longest, 'ms')
  row('longest hold of the event loop of the store', await heldMs(url), 'ms')
  row('longest hold of the event loop of the edge', await heldMs(system.url), 'ms')
  row('connections that the system turned away, anywhere on the machine', turnedAway() - away, '')
  rows.push(...cpu.rows(`${name}: CPU in the storm`))
  return rows
}
