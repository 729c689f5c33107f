/**
 * The system, for who runs it: how far behind, what becomes of readings over time and by device, who works on what, and what was rejected.
 *
 * Owns the questions and the range. Leaves the bars over time to bars.ts.
 */

import { isRefusal } from '../api.ts'
import { h, segments, setText } from '../dom.ts'
import { count, duration, rate, stamp } from '../format.ts'
import { smoothRate } from '../monitor.ts'
import { address } from '../page.ts'
import type { Context, Page } from '../page.ts'
import type { Ledger, LedgerAt, LedgerOf, Status } from '../shapes.ts'
import { drawSpark } from '../spark.ts'
import { FATES, createFateBars } from './bars.ts'
import { table } from './table.ts'

const EVERY_MS = 10_000
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DEVICES_MAX = 20
const REJECTS_MAX = 50

/** Ranges, each with a step that gives some 60 to 100 bars. */
const RANGES = [
  { value: '1h', label: '1h', title: 'The last hour', ms: HOUR_MS, stepMs: MINUTE_MS },
  { value: '6h', label: '6h', title: 'The last 6 hours', ms: 6 * HOUR_MS, stepMs: 5 * MINUTE_MS },
  { value: '24h', label: '24h', title: 'The last 24 hours', ms: 24 * HOUR_MS, stepMs: 15 * MINUTE_MS },
  { value: '7d', label: '7d', title: 'The last 7 days', ms: 7 * 24 * HOUR_MS, stepMs: 2 * HOUR_MS },
] as const
type Range = (typeof RANGES)[number]

interface Reject {
  readonly received_at: string | number
  readonly reason: string
  readonly reading: string
}

export function open(host: HTMLElement, { api, monitor, note }: Context): Page {
  let range: Range = RANGES[0]
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked = new AbortController()
  let left = false

  const said = h('p', { class: 'lead-in' }, 'Asking…')
  const figure = (id: string, name: string) => {
    const number = h('span', { class: 'figure-number', id }, '–')
    const about = h('span', { class: 'figure-about' })
    return { number, about, element: h('div', { class: 'figure' }, h('span', { class: 'figure-name' }, name), number, about) }
  }
  const line = h('canvas', { class: 'rate-line', width: 160, height: 40, 'aria-hidden': 'true' })
  const speed = figure('rate', 'Readings a second')
  speed.element.classList.add('lead')
  speed.element.append(line)
  const accepted = figure('accepted', 'Accepted')
  const processed = figure('processed', 'Not yet processed')
  const sealed = figure('sealed', 'Not yet in the lake')
  const lag = figure('lag', 'Behind by')
  const ranges = h('fieldset', { class: 'segments', id: 'system-ranges' }, h('legend', { class: 'unseen' }, 'Range'))
  const rangeButtons = segments(ranges, 'system-range', RANGES, (name) => {
    range = RANGES.find((r) => r.value === name)!
    note(address('/system', { range: range === RANGES[0] ? null : range.value }), 'push')
    void ask()
  })
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true })
  const fates = h('dl', { class: 'fates', id: 'fates' })
  const bars = createFateBars()
  const devices = table('Devices that lose most', ['Device', 'Received', 'Rejected', 'Late', 'Duplicate', 'Expired'], { numbersFrom: 1 })
  const partitions = table('Partitions', ['Partition', 'Owner', 'Runs on', 'Epoch', 'Position', 'Behind', 'Owes windows'], { numbersFrom: 3 })
  const members = table('Processes', ['Role', 'Name', 'Runs on', 'Process', 'Partitions', 'Up for'], { numbersFrom: 3 })
  const rejects = table('Rejected of late', ['When', 'Reason', 'What was sent'], { numbersFrom: 3 })
  host.append(
    h('div', { class: 'page-head' }, h('h1', {}, 'System'), said),
    h('div', { class: 'stack' },
      h('section', { class: 'card figures', 'aria-label': 'How far it is' }, speed.element, accepted.element, processed.element, sealed.element, lag.element),
      h('section', { class: 'card panel wide-panel', 'aria-labelledby': 'fates-title' },
        h('div', { class: 'panel-head' }, h('h2', { id: 'fates-title' }, 'What became of the readings'), ranges), trouble, fates, bars.element),
      h('div', { class: 'panels' }, devices.element, rejects.element),
      h('div', { class: 'panels' }, members.element, partitions.element)))

  const stopFollowing = monitor.follow(showStatus)

  function showStatus(status: Status): void {
    const { accepted: all, processed: done, sealed: safe, settled, lagMs } = status
    const now = smoothRate(monitor.rates())
    if (now !== null) setText(speed.number, rate(now))
    drawSpark(line, monitor.rates(), { fill: true, zeroBased: true })
    setText(accepted.number, count(all))
    setText(processed.number, count(all - done))
    setText(sealed.number, count(all - safe))
    setText(sealed.about, settled ? 'all of it is settled' : 'sealed every two seconds')
    setText(lag.number, done >= all ? 'nothing' : duration(lagMs))
    const owners = new Set(status.partitions.map((p) => p.owner).filter(Boolean))
    const orphans = status.partitions.filter((p) => !p.owner).length
    const owned = `${status.partitions.length} partitions, ${owners.size} owner${owners.size === 1 ? '' : 's'}`
    setText(said, `${owned}${orphans > 0 ? `, ${orphans} partition${orphans === 1 ? '' : 's'} without one` : ''}; ${status.members.length} processes.`)
    partitions.show(status.partitions.map((p) => [p.partition, p.owner ?? 'nobody', p.runtime, p.epoch, p.position, p.behind, p.pending].map(cell)))
    const at = Date.now()
    members.show(status.members.map(({ role, id, runtime, pid, partitions: own, startedAt }) =>
      [role, id, runtime, pid, role === 'worker' ? own?.length : null, startedAt === undefined ? null : duration(at - startedAt)].map(cell)))
  }

  async function ask(): Promise<void> {
    clearTimeout(timer)
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    rangeButtons.set(range.value)
    try {
      const now = Date.now()
      const { stepMs } = range
      const from = Math.ceil((now - range.ms) / stepMs) * stepMs
      const [times, byDevice, sample] = await Promise.all([
        api.get<{ ledger: LedgerAt[] }>('/v1/ledger/times', { from, to: now + MINUTE_MS, stepMs }, signal),
        api.get<{ ledger: LedgerOf[] }>('/v1/ledger/devices', { from, limit: DEVICES_MAX }, signal),
        rejectsOf(signal),
      ])
      trouble.hidden = true
      showFates(times.ledger)
      bars.show(times.ledger, { from, to: now, stepMs })
      devices.show(
        byDevice.ledger.filter((row) => row.rejected + row.late + row.expired + row.duplicate > 0).map((row) => [
          row.device === '' ? 'none named' : h('a', { href: address('/device', { id: row.device }) }, row.device),
          ...[row.received, row.rejected, row.late, row.duplicate, row.expired].map(count),
        ]),
        'No device lost anything in this range.')
      showRejects(sample)
    } catch (error) {
      if (signal.aborted || isRefusal(error)) return
      trouble.hidden = false
      setText(trouble, `Cannot show this: ${(error as Error).message.replace(/\.$/, '')}. Trying again.`)
    }
    if (!left && !signal.aborted) again()
  }

  function again(): void {
    clearTimeout(timer)
    timer = setTimeout(() => (document.hidden ? again() : void ask()), EVERY_MS)
  }

  function showRejects(sample: readonly Reject[] | null): void {
    if (sample === null) return rejects.show([], 'SQL is not answered now; the view rejects of weir.duckdb has them.')
    const rows = sample.map(({ received_at: at, reason, reading }) => [stamp(new Date(at).getTime()), reason, h('code', { class: 'one-line', title: reading }, reading)])
    rejects.show(rows, 'Nothing was rejected of late.')
  }

  /** The newest of what was rejected; null where the store does not answer SQL. */
  async function rejectsOf(signal: AbortSignal): Promise<readonly Reject[] | null> {
    const sql = `SELECT received_at, reason, reading FROM rejects ORDER BY received_at DESC LIMIT ${REJECTS_MAX}`
    try {
      const response = await api.send('/v1/sql', { method: 'POST', body: { sql, params: [] }, signal })
      return ((await response.json()) as { rows: Reject[] }).rows
    } catch (error) {
      if (signal.aborted) throw error
      return null
    }
  }

  function showFates(rows: readonly Ledger[]): void {
    const total = (fate: keyof Ledger) => rows.reduce((sum, row) => sum + row[fate], 0)
    const received = total('received')
    fates.replaceChildren(...FATES.map(({ key, label, about }) => {
      const number = total(key)
      const share = received === 0 || number === 0 ? '' : ` ${percent(number / received)}`
      return h('div', { title: `Readings that ${about}`, 'data-fate': key },
        h('dt', {}, h('span', { class: 'swatch', 'aria-hidden': 'true' }), label),
        h('dd', { id: `fate-${key}` }, count(number), h('span', { class: 'muted small' }, share)))
    }))
  }

  return {
    show(query) {
      range = RANGES.find((r) => r.value === query.get('range')) ?? RANGES[0]
      void ask()
    },
    recolour: () => drawSpark(line, monitor.rates(), { fill: true, zeroBased: true }),
    resume: () => void ask(),
    leave() {
      left = true
      asked.abort()
      clearTimeout(timer)
      stopFollowing()
    },
  }
}

function percent(share: number): string {
  if (share < 0.0001) return '< 0.01 %'
  return `${(100 * share).toFixed(share < 0.1 ? 2 : 0)} %`
}

function cell(value: string | number | null | undefined): string {
  if (value === null || value === undefined || value === '') return '–'
  return typeof value === 'number' ? String(value) : value
}
