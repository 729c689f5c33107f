/**
 * `weir backfill FILE…`: loads history from CSV, Parquet or JSON files into a running system, beside what is live, and goes on where a run before it
 * ended. Exit code 0: all rows are accepted; 1: some are not, which are named in a file; 2: it can't be done as it was asked for.
 */

import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import process from 'node:process'
import { backfill } from '../actors/backfill/run.ts'
import type { Progress } from '../actors/backfill/run.ts'
import { HistorySource, ROLES } from '../actors/backfill/source.ts'
import type { Role } from '../actors/backfill/source.ts'
import { readAdminKey } from '../runtime/admin-key.ts'
import { systemClock } from '../runtime/clock.ts'
import { formatDuration, readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { isOperating, OperatingError } from '../runtime/errors.ts'

const SPEC = {
  url: { type: 'string', default: 'http://127.0.0.1:8080', help: 'edge to send to' },
  key: { type: 'string', default: null, help: 'key of an admin or a device; without it, that in <data>/admin.key' },
  data: { type: 'string', default: './data', help: 'data folder of weir up, for its admin key' },
  map: { type: 'string', default: '', help: 'columns that are not recognised: ts=time,device=station,metric=quantity,value=v' },
  device: { type: 'string', default: null, help: 'the device of all rows' },
  metric: { type: 'string', default: null, help: 'the metric of all rows' },
  prefix: { type: 'string', default: '', help: 'put before each device' },
  tz: { type: 'string', default: 'UTC', help: 'zone of times that name none, Europe/Vienna say' },
  order: { type: 'string', default: 'auto', choices: ['auto', 'time', 'file'], help: 'order of sending: by time, as in the files, or by time where it is at most 10 million rows' },
  rate: { type: 'number', default: 0, min: 0, help: 'rows a second at most; 0: as many as the system takes without being held up' },
  fromRow: { type: 'number', default: null, integer: true, min: 0, help: 'row to begin with; without it, where a run of the same files ended' },
  state: { type: 'string', default: '', help: 'file that says where to go on; by default the first file, with .backfill.json behind it' },
  rejects: { type: 'string', default: '', help: 'file for the rows that are not accepted; by default the first file, with .rejects.ndjson behind it' },
  dryRun: { type: 'boolean', default: false, help: 'says what would be sent, and sends nothing' },
} as const satisfies FlagSpec

const ARGS = { usage: 'FILE…', min: 1, max: 10_000 } as const
const REPORT_MS = 10_000
const BAR_MS = 250
const NOTE_MS = 1_000
const NICENESS = 10
const count = (n: number) => Math.round(n).toLocaleString('en')

interface State {
  readonly of: string
  readonly row: number
}

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('backfill', 'Loads history from CSV, Parquet or JSON files (.gz or .zst too) into a running system.', SPEC, argv, env, ARGS)
  const clock = systemClock
  const first = flags._[0].replace(/[*?[\]{}]/g, '_')
  const statePath = flags.state || `${first}.backfill.json`
  const rejectsPath = flags.rejects || `${first}.rejects.ndjson`
  // Reading and sorting files is the least urgent of all that a machine does, where it is that of the system too.
  setPriority(NICENESS)
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  let source: HistorySource | null = null
  try {
    source = await HistorySource.open({ files: flags._, map: mapOf(flags.map), device: flags.device, metric: flags.metric, prefix: flags.prefix, zone: flags.tz, order: flags.order })
    const { layout } = source
    say(`device: ${layout.device}; time: ${layout.ts}, ${flags.tz} where it names no zone; metric: ${layout.metrics}; sent in order of ${layout.order}`)
    if (flags.dryRun) return await describe(source)
    const known = stateOf(statePath, source.identity)
    const fromRow = flags.fromRow ?? known ?? 0
    if (known !== null && flags.fromRow === null) say(`A run before it came to row ${count(known)} (${statePath}): it goes on there.`)
    const key = flags.key ?? (await readAdminKey(flags.data))
    const ending = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())
    const note = ({ row }: Progress) => {
      writeFileSync(`${statePath}.new`, JSON.stringify({ of: source!.identity, row } satisfies State))
      renameSync(`${statePath}.new`, statePath)
    }
    if (fromRow === 0) rmSync(rejectsPath, { force: true })
    const total = source.count
    const begunMs = clock.monotonic()
    let shownMs = begunMs
    let notedMs = begunMs
    const isTerminal = process.stderr.isTTY === true
    const show = (progress: Progress) => {
      const seconds = (clock.monotonic() - begunMs) / 1_000
      const perSecond = progress.sent / seconds
      const left = perSecond > 0 ? formatDuration(1_000 * Math.ceil((total - fromRow - progress.sent) / perSecond)) : '?'
      const share = total === 0 ? 1 : Math.min(1, (fromRow + progress.sent) / total)
      const text = `${count(fromRow + progress.sent)} of ${count(total)} rows, ${count(perSecond)} rows/s, ${progress.rejected} rejected, ${left} left`
      if (isTerminal) process.stderr.write(`\r[${'#'.repeat(Math.round(share * 30)).padEnd(30, '.')}] ${text}\x1b[K`)
      else say(text)
    }
    const progress = await backfill({
      url: flags.url, key, source, fromRow, rateMax: flags.rate, clock, signal: ending.signal,
      onReject: (rejected) => appendFileSync(rejectsPath, `${JSON.stringify(rejected)}\n`),
      onProgress: (now) => {
        const nowMs = clock.monotonic()
        if (nowMs - notedMs > NOTE_MS) {
          notedMs = nowMs
          note(now)
        }
        if (nowMs - shownMs < (isTerminal ? BAR_MS : REPORT_MS)) return
        shownMs = nowMs
        show(now)
      },
    })
    note(progress)
    if (isTerminal) show(progress)
    const seconds = Math.max(0.001, (clock.monotonic() - begunMs) / 1_000)
    const rejected = progress.rejected === 0 ? 'none rejected' : `${count(progress.rejected)} rejected (${rejectsPath})`
    say(`${isTerminal ? '\n' : ''}${count(progress.sent)} rows in ${formatDuration(Math.ceil(seconds) * 1_000)}, ${count(progress.sent / seconds)} rows/s: ${count(progress.accepted)} accepted, ${rejected}.`)
    if (ending.signal.aborted) say(`It ended at row ${count(progress.row)}, and goes on there the next time.`)
    process.exitCode = ending.signal.aborted || progress.rejected > 0 ? 1 : 0
  } catch (error) {
    if (!isOperating(error)) throw error
    say(`weir backfill: ${error.message}`)
    process.exitCode = 2
  } finally {
    source?.close()
  }
}

async function describe(source: HistorySource): Promise<void> {
  const { devices, metrics, firstMs, lastMs, unreadable } = await source.describe()
  const moment = (ms: number | null) => (ms === null ? '?' : new Date(ms).toISOString())
  const out = (line: string) => void process.stdout.write(`${line}\n`)
  out(`${count(source.count)} readings of ${count(devices)} devices, ${moment(firstMs)} to ${moment(lastMs)}; ${count(unreadable)} do not read`)
  out(`metrics: ${metrics.join(', ')}`)
  for await (const { device, metric, ts, value, raw } of source.rows(0, 5)) {
    for (let i = 0; i < ts.length; i++) out(`${device[i]}  ${metric[i]}  ${raw[i] === null ? `${moment(ts[i])}  ${value[i]}` : `does not read: ${raw[i]}`}`)
    break
  }
}

function mapOf(text: string): Partial<Record<Role, string>> {
  const map: Partial<Record<Role, string>> = {}
  for (const part of text.split(',').filter((p) => p !== '')) {
    const [role, name] = part.split(/=(.*)/s)
    if (!ROLES.includes(role as Role) || !name) {
      throw new OperatingError('config', `Cannot read --map as it must be a list of ${ROLES.join('=…, ')}=…: current value is ${text}`)
    }
    map[role as Role] = name
  }
  return map
}

/** The row to go on with; null where no run of these files has ended. */
function stateOf(path: string, identity: string): number | null {
  try {
    const { of, row } = JSON.parse(readFileSync(path, 'utf8')) as State
    return of === identity && Number.isSafeInteger(row) && row >= 0 ? row : null
  } catch {
    return null
  }
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
