/**
 * The strip on top: how fast readings come, how many, how far behind, what became of them, and for the operator who works on what.
 *
 * Owns the polling of status, ledger and the count of anomalies.
 */

import type { Api } from './api.ts'
import { ApiError } from './api.ts'
import { byId, h, setText } from './dom.ts'
import { age, compact, count, duration, rate } from './format.ts'
import { health } from './health.ts'
import type { AnomalyRow, Ledger, Status } from './shapes.ts'
import { drawSpark } from './spark.ts'

const STATUS_EVERY_MS = 2_000
/** The sums of the ledger and the anomalies of an hour change slowly, and cost a query. */
const SUMS_EVERY_MS = 6_000
const RATES_KEPT = 60
/** Anomalies counted exactly; more are "1,000+". */
const ANOMALIES_MAX = 1_000

const FATES = [
  { key: 'onTime', label: 'on time', about: 'came while their window was open' },
  { key: 'late', label: 'late', about: 'came after their window had closed, and were merged' },
  { key: 'duplicate', label: 'duplicate', about: 'were known already, and counted once' },
  { key: 'expired', label: 'expired', about: 'were older than what is kept' },
  { key: 'rejected', label: 'rejected', about: 'were not readings; the rejects view says why' },
] as const

export interface Overview {
  /** Asks until `stop`. */
  start(): void
  stop(): void
  recolour(): void
}

export interface OverviewListener {
  onRefused(error: ApiError): void
  /** Whether the server answers. */
  onConnected(connected: boolean, why: string): void
  /** Series as the status or the catalogue counts them. */
  seriesCount(): { count: number; partial: boolean }
}

export function createOverview(api: Api, listener: OverviewListener): Overview {
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked = new AbortController()
  let before: { accepted: number; atMs: number } | null = null
  let rates: number[] = []
  let sumsAt = 0

  const bar = byId('fate-bar')
  const list = byId('fates')
  const parts = FATES.map(({ key, label, about }) => {
    const piece = h('span', { class: 'fate-piece', 'data-fate': key })
    const number = h('strong', { id: `fate-${key}` }, '–')
    bar.append(piece)
    list.append(h('li', { 'data-fate': key, title: `Readings that ${about}` }, h('span', { class: 'swatch', 'aria-hidden': 'true' }), number, ` ${label}`))
    return { key, piece, number }
  })

  function showRate(status: Status): void {
    const atMs = performance.now()
    if (before && atMs > before.atMs && status.accepted >= before.accepted) {
      rates.push(((status.accepted - before.accepted) * 1_000) / (atMs - before.atMs))
      rates = rates.slice(-RATES_KEPT)
    }
    before = { accepted: status.accepted, atMs }
    // Three polls smooth what a batch a second would otherwise make jump.
    const recent = rates.slice(-3)
    if (recent.length > 0) setText(byId('rate'), rate(recent.reduce((a, b) => a + b, 0) / recent.length))
    drawSpark(byId<HTMLCanvasElement>('rate-line'), rates, { fill: true, zeroBased: true })
  }

  function showStatus(status: Status): void {
    showRate(status)
    setText(byId('accepted'), compact(status.accepted))
    byId('accepted').title = count(status.accepted)
    const series = status.series === undefined ? listener.seriesCount() : { count: status.series, partial: false }
    setText(byId('series-count'), compact(series.count) + (series.partial ? '+' : ''))
    setText(byId('lag'), status.processed >= status.accepted ? 'nothing' : duration(status.lagMs))
    const { state, text } = health(status)
    byId('health').dataset.state = state
    setText(byId('health-text'), text)
    if (byId<HTMLDetailsElement>('operator').open) showOperator(status)
  }

  function showLedger(ledger: Ledger): void {
    const total = ledger.onTime + ledger.late + ledger.duplicate + ledger.expired + ledger.rejected
    for (const { key, piece, number } of parts) {
      setText(number, compact(ledger[key]))
      number.title = count(ledger[key])
      piece.hidden = ledger[key] === 0
      piece.style.flexGrow = String(total > 0 ? ledger[key] / total : 0)
    }
  }

  async function round(): Promise<void> {
    const { signal } = asked
    try {
      showStatus(await api.get<Status>('/v1/status', {}, signal))
      listener.onConnected(true, '')
      if (performance.now() - sumsAt > SUMS_EVERY_MS || sumsAt === 0) {
        const [ledger, page] = await Promise.all([
          api.get<Ledger>('/v1/ledger', {}, signal),
          api.get<{ anomalies: AnomalyRow[]; cursor: string | null }>('/v1/anomalies', { from: '-1h', limit: ANOMALIES_MAX }, signal),
        ])
        sumsAt = performance.now()
        showLedger(ledger)
        setText(byId('anomaly-count'), count(page.anomalies.length) + (page.cursor ? '+' : ''))
        byId('anomaly-figure').classList.toggle('has-anomalies', page.anomalies.length > 0)
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return listener.onRefused(error)
      byId('health').dataset.state = 'bad'
      setText(byId('health-text'), 'Disconnected')
      before = null
      listener.onConnected(false, error instanceof ApiError && error.status > 0 ? error.message : 'Weir does not answer')
    }
  }

  const again = async () => {
    const { signal } = asked
    if (!document.hidden) await round()
    if (!signal.aborted) timer = setTimeout(() => void again(), STATUS_EVERY_MS)
  }
  byId('operator').addEventListener('toggle', () => asked.signal.aborted || void round())

  return {
    start() {
      asked.abort()
      clearTimeout(timer)
      asked = new AbortController()
      before = null
      sumsAt = 0
      void again()
    },
    stop() {
      asked.abort()
      clearTimeout(timer)
    },
    recolour: () => drawSpark(byId<HTMLCanvasElement>('rate-line'), rates, { fill: true, zeroBased: true }),
  }
}

function showOperator(status: Status): void {
  const now = Date.now()
  const cell = (content: string | number | null | undefined) => h('td', {}, content === null || content === undefined || content === '' ? '–' : content)
  const table = (caption: string, heads: string[], rows: HTMLTableRowElement[]) =>
    h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': caption },
      h('table', {}, h('caption', {}, caption), h('thead', {}, h('tr', {}, ...heads.map((head) => h('th', { scope: 'col' }, head)))), h('tbody', {}, ...rows)))
  const focused = document.activeElement?.closest('#operator-body') !== null && document.activeElement !== null && byId('operator-body').contains(document.activeElement)
  if (focused) return
  byId('operator-body').replaceChildren(
    table('Partitions', ['Partition', 'Owner', 'Runs on', 'Epoch', 'Position', 'Behind'],
      status.partitions.map((p) => h('tr', {}, cell(p.partition), cell(p.owner), cell(p.runtime), cell(p.epoch), cell(p.position), cell(p.behind)))),
    table('Processes', ['Role', 'Name', 'Runs on', 'Process', 'Since'],
      status.members.map((m) => h('tr', {}, cell(m.role), cell(m.id), cell(m.runtime), cell(m.pid), cell(m.startedAt === undefined ? null : age(m.startedAt, now))))),
  )
}
