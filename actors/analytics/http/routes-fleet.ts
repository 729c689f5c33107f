/**
 * Endpoints of who looks after a fleet: its devices, what needs a look first, and what became of readings by device and over time.
 */

import { z } from '@hono/zod-openapi'
import { choiceOf, filterOf, limitOf, numberOf, rangeOf } from './parameters.ts'
import { Fleets, ORDERS, SHOWS, pick } from '../query/fleet.ts'
import type { FleetDevice } from '../query/fleet.ts'
import { ledgerByDevice, ledgerByTime, noLedger } from '../query/ledger.ts'
import type { Ledger } from '../query/ledger.ts'
import { LIST_FORMATS, ParameterError, countColumn, listReply, textColumn, timeColumn } from './reply.ts'
import type { AnalyticsSources, Get } from './route.ts'
import * as shapes from './schemas.ts'
import { formatTime } from '../data/times.ts'

const NO_STORE = { 'cache-control': 'no-store' }
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const STEP_MAX_MS = 366 * DAY_MS
/** Words of a search, and steps of time of one answer; beyond it 400. */
const SEARCH_CHARS_MAX = 200
const STEPS_MAX = 2_000
/** Latest values of a device that the list shows. */
const METRICS_SHOWN = 8

const FATES = Object.keys(noLedger()) as (keyof Ledger)[]

const time = z.union([z.string(), z.number()])
const anomalies = z.object({ count: z.int(), newest: time, metric: z.string(), ts: time, value: z.number(), score: z.number(), reason: z.string() }).nullable()
const Device = z
  .object({
    device: z.string(),
    state: z.enum(['speaking', 'silent', 'past']).openapi({
      description: 'silent: no reading for five of its usual intervals, and two minutes; past: for a week, and a hundred intervals.',
    }),
    last: time,
    everyMs: z.number().nullable().openapi({ description: 'Its usual interval between readings.' }),
    series: z.int(),
    metrics: z.array(z.object({ metric: z.string(), ts: time, value: z.number() })).openapi({ description: `Its last values, ${METRICS_SHOWN} at most.` }),
    anomalies: anomalies.openapi({ description: 'How many in the last 24 hours, and the worst of them.' }),
    hour: shapes.Ledger.nullable().openapi({ description: 'What became of its readings of the last hour.' }),
  })
  .openapi('Device')
const Devices = z
  .object({
    summary: z.object({
      devices: z.int(), series: z.int(), speaking: z.int(), silent: z.int(), past: z.int(), unusual: z.int(), anomalies: z.int(), hour: shapes.Ledger,
      metrics: z.array(z.object({ metric: z.string(), series: z.int() })),
    }),
    found: z.int().openapi({ description: 'Devices that match; the page is a part of them.' }),
    devices: z.array(Device),
  })
  .openapi('Devices')
const ledgerRow = (key: Record<string, z.ZodType>) => z.object({ ...key, ...Object.fromEntries(FATES.map((fate) => [fate, z.int()])) })

export function fleetRoutes(get: Get, { tail, clock }: Pick<AnalyticsSources, 'tail' | 'clock'>): void {
  const fleets = new Fleets(tail, clock)
  get(
    '/v1/devices',
    {
      summary: 'The devices, those first that need a look: silent ones, then those with anomalies',
      query: {
        q: shapes.text('Words, each to be found in the device’s name or a metric’s.', 'field-7 moist'),
        show: shapes.choice('all by default. losing: many readings rejected or late.', SHOWS, 'silent'),
        order: shapes.choice('attention by default.', ORDERS, 'attention'),
        offset: shapes.whole('Devices to pass over.', 0, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
        limit: shapes.paging.limit,
        ...shapes.forms,
      },
      answer: Devices,
    },
    async ({ c, query, principal, timeMs }) => {
      const search = query.q ?? ''
      if (search.length > SEARCH_CHARS_MAX) throw new ParameterError('q', `at most ${SEARCH_CHARS_MAX} characters`, `${search.length} characters`)
      const [show, order] = [choiceOf('show', query.show, SHOWS, 'all'), choiceOf('order', query.order, ORDERS, 'attention')]
      const offset = numberOf('offset', query.offset, { fallback: 0, min: 0, max: Number.MAX_SAFE_INTEGER })
      const limit = limitOf(query)
      const { summary, devices } = await fleets.of(principal.tenant)
      const found = pick(devices, { show, search, order })
      const shown = found.slice(offset, offset + limit).map((device) => rowOf(device, timeMs))
      return c.json({ summary, found: found.length, devices: shown }, 200, NO_STORE)
    },
  )

  const ledgerForms = { ...shapes.range, ...shapes.forms }
  get(
    '/v1/ledger/devices',
    {
      summary: 'What became of readings, by device: those first of which most were rejected, late or expired',
      description: 'The last 24 hours by default. Rejected readings that named no device are those of an empty name.',
      query: { ...ledgerForms, limit: shapes.paging.limit },
      answer: shapes.list('ledger', ledgerRow({ device: z.string() })),
      formats: LIST_FORMATS,
    },
    async ({ c, query, principal, nowMs, format, timeMs }) => {
      const sums = await ledgerByDevice(tail, principal.tenant, rangeOf(query, nowMs, { from: nowMs - DAY_MS, to: Infinity }))
      const amiss = (l: Ledger) => l.rejected + l.late + l.expired
      const sorted = [...sums].sort(([a, x], [b, y]) => amiss(y) - amiss(x) || (a < b ? -1 : 1)).slice(0, limitOf(query))
      const rows = sorted.map(([device, sum]) => [device, ...FATES.map((fate) => sum[fate])])
      return listReply(c, { name: 'ledger', columns: [textColumn('device'), ...FATES.map(countColumn)], rows, cursor: null }, { format, timeMs, lake: tail.lake })
    },
  )

  get(
    '/v1/ledger/times',
    {
      summary: 'What became of readings, over time of arrival',
      description: 'A row each step in which something arrived. The last 24 hours by default.',
      query: {
        device: shapes.oneDevice,
        ...ledgerForms,
        stepMs: shapes.whole('Length of a step: a whole number of minutes, in ms; 15 minutes by default.', 15 * MINUTE_MS, {
          minimum: MINUTE_MS,
          maximum: STEP_MAX_MS,
          multipleOf: MINUTE_MS,
        }),
      },
      answer: shapes.list('ledger', ledgerRow({ start: time })),
      formats: LIST_FORMATS,
    },
    async ({ c, query, principal, nowMs, format, timeMs }) => {
      const { devices } = filterOf(query)
      if (devices !== null && devices.size > 1) throw new ParameterError('device', 'one device', query.device ?? '')
      const range = rangeOf(query, nowMs, { from: nowMs - DAY_MS, to: nowMs + MINUTE_MS })
      const stepMs = numberOf('stepMs', query.stepMs, { fallback: 15 * MINUTE_MS, min: MINUTE_MS, max: STEP_MAX_MS })
      if (stepMs % MINUTE_MS !== 0) throw new ParameterError('stepMs', 'a whole number of minutes', String(stepMs))
      const steps = (Math.min(range.to, nowMs + DAY_MS) - Math.max(range.from, 0)) / stepMs
      if (steps > STEPS_MAX) throw new ParameterError('stepMs', `so long that the range has at most ${STEPS_MAX} steps`, String(stepMs))
      const sums = await ledgerByTime(tail, principal.tenant, devices === null ? null : [...devices][0], range, stepMs)
      const rows = [...sums].map(([start, sum]) => [start, ...FATES.map((fate) => sum[fate])])
      return listReply(c, { name: 'ledger', columns: [timeColumn('start'), ...FATES.map(countColumn)], rows, cursor: null }, { format, timeMs, lake: tail.lake })
    },
  )
}

function rowOf({ device, state, last, everyMs, entries, anomalies: worst, hour }: FleetDevice, timeMs: boolean) {
  const shown = (ms: number) => (timeMs ? ms : formatTime(ms))
  return {
    device,
    state,
    last: shown(last),
    everyMs,
    series: entries.length,
    metrics: entries.slice(0, METRICS_SHOWN).map(({ metric, ts, value }) => ({ metric, ts: shown(ts), value })),
    anomalies: worst === null ? null : { ...worst, newest: shown(worst.newest), ts: shown(worst.ts) },
    hour,
  }
}
