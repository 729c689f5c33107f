/**
 * A process that runs public queries for the store (`weir-store-sql`), one at a time: parses, passes the gate, runs, and sends the answer.
 *
 * Owns a session of DuckDB, and the order of what it says over the socket that it inherits (descriptor 3). Its options come in `WEIR_STORE_SQL`,
 * and it is given nothing else of the store's environment: no credentials are in reach of a query.
 *
 * - P1 It dies with its socket: neither an orderly end of the store nor a kill -9 of it leaves a query behind.
 * - P2 It gives way: least priority, and the first that the kernel ends where memory runs out.
 * - P3 It needs nobody's trust: the store kills it where it is too slow, too large or silent, and starts another.
 */

import { rmSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { once } from 'node:events'
import process from 'node:process'
import { systemClock } from '../../../runtime/clock.ts'
import type { Ask, FromProcess, ToProcess } from './frames.ts'
import { receive, send, SqlError } from './frames.ts'
import { SAFE_OVER_TIMES } from './functions.ts'
import { passGate } from './gate.ts'
import type { Passed } from './gate.ts'
import { Session } from './session.ts'
import type { Query, SessionOptions } from './session.ts'

/** An interrupt that comes before the statement runs is lost, so it is said again until the query ends. */
const INTERRUPT_AGAIN_MS = 20

interface Current {
  readonly ask: Ask
  passed: Passed
  query: Query | null
  stopped: boolean
}

process.title = 'weir-store-sql'
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
try {
  writeFileSync('/proc/self/oom_score_adj', '1000')
} catch {
  // Elsewhere than on Linux the kernel chooses for itself.
}

const options = JSON.parse(process.env.WEIR_STORE_SQL!) as SessionOptions
const socket = new Socket({ fd: 3 })
socket.on('error', () => {}).on('close', () => {
  rmSync(options.tmpDir, { recursive: true, force: true })
  // A query that runs in another thread would hold an orderly exit up.
  process.kill(process.pid, 'SIGKILL')
})

const session = await Session.open(options)
let current: Current | null = null
let turn: Promise<unknown> = Promise.resolve()

receive<ToProcess>(socket, (message) => {
  if (message.k === 'stop') return stop()
  turn = turn.then(() => take(message)).catch((error: unknown) => fail(error))
})
say({ k: 'ready' })

function say(message: FromProcess): boolean {
  return send(socket, message)
}

async function take(message: Exclude<ToProcess, { k: 'stop' }>): Promise<void> {
  if (message.k === 'lake') await session.segments.change(message).catch(() => Promise.reject(new SqlError('gone', 'A segment of the lake is gone.')))
  else if (message.k === 'ask') await ask(message.ask)
  else if (message.k === 'compile') await compile(message)
  else if (current !== null) await run(current, message)
}

async function ask(of: Ask): Promise<void> {
  const asked: Current = { ask: of, passed: { views: new Set(), calls: new Set(), own: new Set(), kept: new Set(), sources: new Set() }, query: null, stopped: false }
  current = asked
  asked.passed = passGate(JSON.parse(await session.parse(of.sql)), { own: Object.keys(of.own ?? {}), kept: Object.keys(of.kept ?? {}) })
  if (!asked.stopped) say({ k: 'views', views: [...asked.passed.views] })
}

async function compile({ tenant, sql }: Extract<ToProcess, { k: 'compile' }>): Promise<void> {
  const parsed = await session.parse(sql)
  passGate(JSON.parse(parsed))
  say({ k: 'data', bytes: new TextEncoder().encode(JSON.stringify(await session.compile(tenant, parsed, sql))) })
  say({ k: 'end' })
}

async function run(of: Current, { tenant, fresh }: Extract<ToProcess, { k: 'go' }>): Promise<void> {
  const { views, calls, own, kept, sources } = of.passed
  const keptViews = Object.fromEntries(Object.entries(of.ask.kept ?? {}).filter(([name]) => kept.has(name)))
  const ownViews = Object.fromEntries(Object.entries(of.ask.own ?? {}).filter(([name]) => own.has(name)))
  const query = await session.begin({ tenant, fresh, views, ownViews, keptViews, sources, plainTimes: [...calls].every((name) => SAFE_OVER_TIMES.has(name)) })
  of.query = query
  try {
    if (of.stopped) interrupt(of)
    for await (const bytes of query.answer(of.ask)) {
      if (of.stopped) throw new SqlError('time', 'The query was stopped.')
      if (!say({ k: 'data', bytes })) await once(socket, 'drain')
    }
  } finally {
    of.query = null
    query.close()
  }
  current = null
  say({ k: 'end' })
}

function stop(): void {
  if (current === null) return
  current.stopped = true
  if (current.query !== null) interrupt(current)
  // Between its two halves a query is only waited for, and there is nothing to interrupt.
  else turn = turn.then(() => current?.stopped && fail(new SqlError('time', 'The query was stopped.')))
}

function interrupt(of: Current): void {
  if (of.query === null) return
  of.query.interrupt()
  systemClock.after(INTERRUPT_AGAIN_MS, () => interrupt(of))
}

function fail(error: unknown): void {
  current = null
  if (error instanceof SqlError) say({ k: 'fail', code: error.code, message: error.message, position: error.position })
  else say({ k: 'fail', code: 'broken', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error), position: null })
}
