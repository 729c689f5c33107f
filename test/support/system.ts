/**
 * The whole system as a user starts it: `weir up` on a free port and a temporary folder, with real processes to kill.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

export const ADMIN_KEY = 'weir_admin_of_a_test_and_of_nothing_else'

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Waits until `probe` gives something other than null, undefined or false; fails with `what` after `timeoutMs`. */
export async function eventually<T>(what: string, probe: () => Promise<T> | T, timeoutMs = 60_000): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs
  let problem: unknown
  for (;;) {
    try {
      const got = await probe()
      if (got !== null && got !== undefined && got !== false) return got as NonNullable<T>
    } catch (error) {
      problem = error
    }
    if (performance.now() > end) throw new Error(`Not within ${timeoutMs} ms: ${what}`, { cause: problem })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export interface ProcessInfo {
  pid: number
  parent: number
  /** As `pgrep -x` sees it. */
  title: string
}

function processes(): ProcessInfo[] {
  const all: ProcessInfo[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      const close = stat.lastIndexOf(')')
      const [state, parent] = stat.slice(close + 2).split(' ')
      if (state !== 'Z') all.push({ pid: Number(entry), parent: Number(parent), title: stat.slice(stat.indexOf('(') + 1, close) })
    } catch {
      // It ended while the folder was read.
    }
  }
  return all
}

/** The living processes below `pid`. */
export function descendants(pid: number): ProcessInfo[] {
  const all = processes()
  const found: ProcessInfo[] = []
  const look = (parent: number) => {
    for (const p of all) {
      if (p.parent === parent) {
        found.push(p)
        look(p.pid)
      }
    }
  }
  look(pid)
  return found
}

export interface System {
  readonly url: string
  readonly dataDir: string
  readonly pid: number
  /** Everything that `up` printed. */
  output(): string
  /** Living processes of a title, `weir-worker` say. The system keeps 15 characters of it. */
  pids(title: string): number[]
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** JSON of a GET that must succeed. */
  get<T = Record<string, unknown>>(path: string): Promise<T>
  /** SIGTERM to `up`; resolves with its exit code once it and all that it started are gone. */
  stop(): Promise<number>
  /** Stops, and removes the folder. */
  remove(): Promise<void>
}

/** Starts `weir up` with `flags`; resolves when it can take readings and answer queries. */
export async function startSystem(options: { flags?: string[]; dataDir?: string; env?: Record<string, string> } = {}): Promise<System> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'weir-system-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child: ChildProcess = spawn(
    process.execPath,
    [join(root, 'cmd', 'weir.ts'), 'up', '--data', dataDir, '--port', String(port), ...(options.flags ?? [])],
    { cwd: root, env: { ...process.env, WEIR_ADMIN_KEY: ADMIN_KEY, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  child.stdout!.on('data', (chunk) => (output += chunk))
  child.stderr!.on('data', (chunk) => (output += chunk))
  const exited = new Promise<number>((resolve) => child.on('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1))))
  let gone = false
  void exited.then(() => (gone = true))
  const started: number[] = []
  const remember = () => {
    for (const p of descendants(child.pid!)) if (!started.includes(p.pid)) started.push(p.pid)
  }

  // An empty WEIR_ADMIN_KEY has `up` make one.
  const key = () => (options.env?.WEIR_ADMIN_KEY === '' ? readFileSync(join(dataDir, 'admin.key'), 'utf8').trim() : ADMIN_KEY)
  const system: System = {
    url,
    dataDir,
    pid: child.pid!,
    output: () => output,
    pids: (title) => descendants(child.pid!).filter((p) => p.title === title.slice(0, 15)).map((p) => p.pid),
    fetch: async (path, init = {}) =>
      fetch(url + path, { ...init, headers: { authorization: `Bearer ${key()}`, ...(init.headers as Record<string, string>) } }),
    get: async (path) => {
      const response = await system.fetch(path)
      const text = await response.text()
      assert.equal(response.status, 200, `${path}: ${text}`)
      return JSON.parse(text)
    },
    stop: async () => {
      remember()
      if (!gone) child.kill('SIGTERM')
      const code = await exited
      await eventually('every process that was started is gone', () => {
        const alive = new Set(processes().map((p) => p.pid))
        return started.every((pid) => !alive.has(pid))
      }, 30_000)
      return code
    },
    remove: async () => {
      await system.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
  try {
    await eventually('the system is ready', async () => {
      if (gone) throw new Error(`weir up ended: ${output}`)
      const [edge, store] = await Promise.all([fetch(`${url}/readyz`), system.fetch('/v1/status')])
      await Promise.all([edge.body?.cancel(), store.body?.cancel()])
      return edge.status === 200 && store.status === 200
    }, 90_000)
  } catch (error) {
    console.error(output)
    await system.stop()
    throw error
  }
  remember()
  return system
}

/** Waits until everything accepted is in the lake and every window is out. */
export function settled(system: System, timeoutMs = 180_000): Promise<Record<string, unknown>> {
  return eventually('the system is settled', async () => {
    const status = await system.get<{ settled: boolean }>('/v1/status')
    return status.settled ? (status as Record<string, unknown>) : null
  }, timeoutMs)
}
