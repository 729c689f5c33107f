/**
 * Watches processes from outside: resident memory by the system's account, and what they say of their own heaps on /metrics.
 *
 * A process that grows shows as a last third above the first. Maxima are told, since a bound is about the worst moment.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { descendants } from '../support/system.ts'
import type { BenchRow } from './bench.ts'

export interface Watched {
  /** What it is called in the rows: `weir-worker 2`. */
  readonly name: string
  readonly pid: number
}

interface Sample {
  readonly atMs: number
  readonly bytes: number
}

/** Resident bytes of a process, or null when it is gone. */
export function residentBytes(pid: number): number | null {
  try {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return found === null ? null : Number(found[1]) * 1024
  } catch {
    return null
  }
}

/** User and system seconds that a process has used, or null when it is gone. */
export function cpuSecondsOf(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return null
  }
}

/** How long threads of a process have waited for a core while they had work, in seconds: of the first one, or of all. Null where nobody says. */
export function waitedSecondsOf(pid: number, which: 'first' | 'all' = 'first'): number | null {
  const waited = (path: string) => Number(readFileSync(path, 'utf8').split(' ')[1]) / 1e9
  try {
    if (which === 'first') return waited(`/proc/${pid}/schedstat`)
    return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + waited(`/proc/${pid}/task/${thread}/schedstat`), 0)
  } catch {
    return null
  }
}

/** Seconds that all processes of the machine together have used its cores. */
export function busySeconds(): number {
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].split(/ +/).slice(1).map(Number)
  return (user + nice + system + irq + softirq) / 100
}

/** Names of processes: their titles, numbered in order of pid where there are several. */
export function named(processes: readonly { pid: number; title: string }[]): Watched[] {
  // A process has its title once it has begun its work.
  const sorted = processes.filter(({ title }) => /^(weir|nats)-/.test(title)).sort((a, b) => a.pid - b.pid)
  return sorted.map(({ pid, title }) => {
    const alike = sorted.filter((other) => other.title === title)
    return { pid, name: alike.length === 1 ? title : `${title} ${alike.findIndex((other) => other.pid === pid) + 1}` }
  })
}

/** `npm run bench` of it: `const watch = new MemoryWatch(() => named(…)); …; watch.stop(); rows.push(...watch.rows())`. */
export class MemoryWatch {
  readonly #series = new Map<string, Sample[]>()
  readonly #processes: () => readonly Watched[]
  readonly #timer: ReturnType<typeof setInterval>

  constructor(processes: () => readonly Watched[], intervalMs = 1_000) {
    this.#processes = processes
    this.#timer = setInterval(() => this.#look(), intervalMs)
    this.#look()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#look()
  }

  #look(): void {
    for (const { name, pid } of this.#processes()) {
      const bytes = residentBytes(pid)
      if (bytes === null) continue
      const samples = this.#series.get(name) ?? []
      samples.push({ atMs: performance.now(), bytes })
      this.#series.set(name, samples)
    }
  }

  /** The maxima of the first and of the last third of what was watched, by process. */
  rows(label: string): BenchRow[] {
    const all = [...this.#series.values()].flat().map((s) => s.atMs)
    const wholeMs = Math.max(...all) - Math.min(...all)
    const rows: BenchRow[] = []
    for (const [name, samples] of this.#series) {
      const [from, to] = [samples[0].atMs, samples[samples.length - 1].atMs]
      const third = (to - from) / 3
      const most = (first: number, last: number) => Math.max(...samples.filter((s) => s.atMs >= first && s.atMs <= last).map((s) => s.bytes)) / 2 ** 20
      // One that lived for a part of the time only, a merge say, has no thirds to compare.
      const told = to - from > wholeMs / 2 ? ([['first third', most(from, from + third)], ['last third', most(to - third, to)]] as const) : ([['most', most(from, to)]] as const)
      for (const [part, value] of told) rows.push({ name: `${label}: memory of ${name}, ${part}`, value, unit: 'MiB', hash: String(samples.length) })
    }
    return rows
  }

  /** Every sample, for a closer look: a line a process, MiB at equal distances. */
  lines(points = 20): string[] {
    return [...this.#series].map(([name, samples]) => {
      const picked = Array.from({ length: Math.min(points, samples.length) }, (_, i) => samples[Math.floor((i * (samples.length - 1)) / Math.max(1, points - 1))])
      return `${name.padEnd(18)} ${picked.map((s) => (s === undefined ? '' : String(Math.round(s.bytes / 2 ** 20)))).join(' ')}`
    })
  }
}

/** Seconds so far: that processes waited, and that those of the bench and all of the machine used. */
interface Look {
  readonly waited: ReadonlyMap<string, number | null>
  readonly own: number
  readonly busy: number
}

/** Whether what was measured is of Weir or of a machine that had no time for it. Make it at the beginning, and ask for its rows at the end. */
export class MachineWatch {
  readonly #pid: number
  readonly #titles: readonly string[]
  readonly #beganMs = performance.now()
  readonly #delay = monitorEventLoopDelay({ resolution: 5 })
  readonly #before: Look

  /** `pid`: the system; `titles`: those of its processes whose waiting is told. */
  constructor(pid: number, titles: readonly string[]) {
    this.#pid = pid
    this.#titles = titles
    this.#delay.enable()
    this.#before = this.#look()
  }

  #look(): Look {
    const waited = new Map<string, number | null>()
    // Go runs what it has on whatever thread there is; a process of Node waits where its first one does.
    for (const { name, pid } of named(descendants(this.#pid))) {
      if (this.#titles.some((title) => name.startsWith(title))) waited.set(name, waitedSecondsOf(pid, name === 'nats-server' ? 'all' : 'first'))
    }
    const own = [process.pid, ...descendants(process.pid).map(({ pid }) => pid)].reduce((sum, pid) => sum + (cpuSecondsOf(pid) ?? 0), 0)
    return { waited, own, busy: busySeconds() }
  }

  rows(label: string, hash = ''): BenchRow[] {
    const after = this.#look()
    const share = (seconds: number) => (seconds * 1e5) / (performance.now() - this.#beganMs)
    const rows: BenchRow[] = []
    for (const [name, seconds] of after.waited) {
      const from = this.#before.waited.get(name) ?? null
      if (seconds !== null && from !== null) rows.push({ name: `${label}: ${name} waits for a core`, value: share(seconds - from), unit: '% of the time', hash })
    }
    const others = Math.max(0, after.busy - this.#before.busy - (after.own - this.#before.own))
    rows.push({ name: `${label}: CPU of others on this machine`, value: share(others), unit: '% of a core', hash })
    rows.push({ name: `${label}: own event loop, max`, value: this.#delay.max / 1e6, unit: 'ms', hash })
    return rows
  }
}

/** The values of a metric on a page of /metrics, by their labels as text. */
export function labelled(page: string, name: string): [labels: string, value: number][] {
  const found: [string, number][] = []
  for (const line of page.split('\n')) {
    if (!line.startsWith(name) || !/^[ {]/.test(line.slice(name.length))) continue
    const at = line.lastIndexOf(' ')
    found.push([line.slice(name.length, at), Number(line.slice(at + 1))])
  }
  return found
}

/** The sum over all labels. */
export function metricOf(page: string, name: string): number {
  return labelled(page, name).reduce((sum, [, value]) => sum + value, 0)
}
