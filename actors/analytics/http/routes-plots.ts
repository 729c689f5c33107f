/**
 * Endpoints of plots: read by analysts with the advice of the day, edited by admins.
 *
 * Owns their forms, and what an error becomes. Leaves the language of plots to farm/plot.ts, entries to farm/plots.ts; what the actor said is asked of its view `advice` as any
 * analyst may ask it. Where no worker runs the actor, plots are there and their advice is null.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { RULE_BODY_BYTES_MAX } from '../../../runtime/limits.ts'
import { RevisionError } from '../../../runtime/tenant-values.ts'
import { PlotError } from '../../farm/plot.ts'
import { FARM_ACTOR, isPlotId, PLOT_ID_RULE } from '../../farm/plots.ts'
import type { PlotRegistry, StoredPlot } from '../../farm/plots.ts'
import { SqlError } from '../sql/frames.ts'
import { ParameterError, badParameter } from './reply.ts'
import { revisionOf, tagOf } from './revision.ts'
import { readJson } from './route.ts'
import type { AnalyticsSources, Get } from './route.ts'
import { Problem, forms } from './schemas.ts'

const NO_STORE = { 'cache-control': 'no-store' }
const DAYS = 60
const DAYS_MAX = 400
const ROWS_MAX = 10_000
const ASK_MS = 10_000

type Sources = Pick<AnalyticsSources, 'tail' | 'sql' | 'keyring'> & { readonly plots: Pick<PlotRegistry, 'of' | 'find' | 'put' | 'delete'> }
type AdviceRow = Readonly<Record<string, unknown>> & { readonly key: string; readonly day: string }

export function plotRoutes(app: OpenAPIHono<KeyedEnv>, get: Get, { tail, sql, keyring, plots }: Sources): void {
  /** Whether the actor has ever been run. */
  const isAdvised = () => tail.ownViews[FARM_ACTOR] !== undefined
  /** Of each plot the newest days, in order. */
  async function daysOf(tenant: string, { id, days }: { id: string | null; days: number }): Promise<AdviceRow[]> {
    if (!isAdvised()) return []
    const text = `SELECT * EXCLUDE (tenant) FROM (SELECT *, row_number() OVER (PARTITION BY key ORDER BY day DESC) AS place FROM ${FARM_ACTOR} WHERE $id = '' OR key = $id) WHERE place <= $days ORDER BY key, day`
    try {
      const answer = await sql.run({ tenant, ask: { sql: text, params: { id: id ?? '', days }, format: 'json', timeMs: false, rowsMax: ROWS_MAX }, timeMs: ASK_MS })
      return ((await new Response(answer).json()) as { rows: AdviceRow[] }).rows.map((row) => shownRow(row))
    } catch (error) {
      if (error instanceof SqlError && (error.code === 'busy' || error.code === 'time')) return []
      throw error
    }
  }
  const shown = ({ id, revision, document }: StoredPlot, advice: AdviceRow | null) => ({ id, revision, plot: document, advice })

  get(
    '/v1/plots',
    {
      summary: 'Plots, each with the advice of its last day',
      description: 'The advice is made an hour after midnight, where the plot is; null where it has not said anything yet, as where no worker runs its actor (`weir up --actors farm`, `weir worker --actors farm`). The view advice has a row a plot and day.',
      query: { time: forms.time },
      answer: Plots,
    },
    async ({ c, principal }) => {
      const rows = await daysOf(principal.tenant, { id: null, days: 1 })
      const list = plots.of(principal.tenant).map((plot) => shown(plot, rows.find(({ key }) => key === plot.id) ?? null))
      return c.json({ plots: list, advised: isAdvised(), mayEdit: principal.role === 'admin' }, 200, NO_STORE)
    },
  )
  const missing = (id: string) => problem(null, { status: 404, title: 'No such plot', detail: `There is no plot ${JSON.stringify(id)}. GET /v1/plots lists those that there are.` })
  app.get('/v1/plots/:id', requireKey(keyring, ['analyst']), (c) =>
    answering(async () => {
      const days = Number(c.req.query('days') ?? DAYS)
      if (!Number.isInteger(days) || days < 1 || days > DAYS_MAX) throw new ParameterError('days', `a whole number from 1 to ${DAYS_MAX}`, c.req.query('days') ?? '')
      const stored = plots.find(c.var.principal.tenant, idOf(c))
      if (stored === null) return missing(idOf(c))
      const rows = await daysOf(c.var.principal.tenant, { id: stored.id, days })
      return c.json({ ...shown(stored, rows.at(-1) ?? null), days: rows } as object, 200, { ...NO_STORE, etag: tagOf(stored) })
    }),
  )
  const admin = requireKey(keyring, [])
  app.put('/v1/plots/:id', admin, (c) =>
    answering(async () => {
      const body = await readJson(c, RULE_BODY_BYTES_MAX)
      if (body instanceof Response) return body
      const stored = await plots.put(c.var.principal.tenant, idOf(c), body.json, heldRevision(c))
      return c.json(shown(stored, null) as object, 200, { ...NO_STORE, etag: tagOf(stored) })
    }),
  )
  app.delete('/v1/plots/:id', admin, (c) =>
    answering(async () => {
      const id = idOf(c)
      return (await plots.delete(c.var.principal.tenant, id, heldRevision(c))) ? c.body(null, 204) : missing(id)
    }),
  )
  describe(app)
}

/** Lists that the view holds as texts, as lists. */
function shownRow({ place: _, reasons, outlook, ...row }: AdviceRow): AdviceRow {
  return { ...row, reasons: typeof reasons === 'string' ? reasons.split('\n') : [], outlook: typeof outlook === 'string' ? (JSON.parse(outlook) as unknown) : [] } as unknown as AdviceRow
}

async function answering(handle: () => Promise<Response>): Promise<Response> {
  try {
    return await handle()
  } catch (error) {
    if (error instanceof ParameterError) return badParameter(error)
    if (error instanceof PlotError) return problem(null, { status: 400, title: 'Bad plot', detail: error.message, extra: { pointer: error.pointer } })
    if (error instanceof RevisionError) return problem(null, { status: 412, title: 'Changed meanwhile', detail: error.message })
    throw error
  }
}

function idOf(c: Context): string {
  const id = c.req.param('id') ?? ''
  if (isPlotId(id)) return id
  throw new ParameterError('id', PLOT_ID_RULE, id)
}

/** As `revisionOf`; 0 where `If-None-Match: *` asks that there be no such plot yet. */
function heldRevision(c: Context): number | null {
  return c.req.header('if-none-match') === '*' ? 0 : revisionOf(c)
}

const PlotDocument = z.record(z.string(), z.unknown()).openapi('Plot', {
  description:
    'crop (a name, or an object with name, stageDays, kc, rootM, depletionFraction), planted, soil (a texture, or an object with texture, fieldCapacity, wiltingPoint), areaHa, latitude, longitude, elevationM, ' +
    'zone, irrigation (efficiency, rateMmHour, mostMm, wetted), measures (temperature, humidity, wind with heightM, radiation in W/m², rain, irrigation with counts each or total and unit mm, l or m3, ' +
    'and moisture, a list with unit percent or fraction and depthM: each a device and a metric), nitrogen.',
  example: {
    name: 'North', crop: 'maize', planted: '2026-04-20', soil: 'silt-loam', areaHa: 1.2, latitude: 48.2, longitude: 16.4, elevationM: 170, zone: 'Europe/Vienna', irrigation: { efficiency: 0.8, rateMmHour: 5 },
    measures: { temperature: { device: 'station', metric: 'temperature' }, rain: { device: 'station', metric: 'rain' }, moisture: [{ device: 'north/probe-1', metric: 'soil_moisture', depthM: 0.2 }] },
  },
})
const AdviceShape = z
  .record(z.string(), z.unknown())
  .nullable()
  .openapi('PlotAdvice', { description: 'A row of the view advice: day, advice (a sentence), water_on, water_mm with least_mm and most_mm, litres, reasons, depletion_mm, ready_mm, total_mm, outlook, nitrogen, grade and more.' })
const PlotRow = z.object({ id: z.string(), revision: z.int(), plot: PlotDocument, advice: AdviceShape }).openapi('PlotEntry')
const PlotWithDays = PlotRow.extend({ days: z.array(AdviceShape) }).openapi('PlotDays')
const Advised = z.boolean().openapi({ description: 'Whether a worker has run the actor that advises.' })
const Plots = z.object({ plots: z.array(PlotRow), advised: Advised, mayEdit: z.boolean().openapi({ description: 'Whether the key of this request may edit.' }) }).openapi('Plots')

function describe(app: OpenAPIHono<KeyedEnv>): void {
  const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  const params = z.object({ id: z.string().openapi({ description: `${PLOT_ID_RULE}.`, example: 'north' }) })
  const headers = z.object({ 'If-Match': z.string().optional().openapi({ description: 'The ETag that must still hold.' }), 'If-None-Match': z.string().optional().openapi({ description: '* where there must be no such plot yet.' }) })
  const shared = { path: '/v1/plots/{id}', security: [{ key: [] }], request: { params } }
  const failures = { 401: failure('The key is missing or unknown.'), 403: failure('The role of the key may not do this.') }
  const none = { 404: failure('There is no such plot.') }
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'get',
    summary: 'One plot, with its days and its revision as the ETag',
    request: { params, query: z.object({ days: z.string().optional().openapi({ description: `So many of the newest, at most ${DAYS_MAX}; ${DAYS} by default.`, example: '30' }) }) },
    responses: { 200: { description: 'The plot.', content: json(PlotWithDays) }, ...none, ...failures },
  })
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'put',
    summary: 'Makes or changes a plot, while everything runs',
    description: 'What was learned of it stays, unless crop, planting or soil are others. For admins.',
    request: { params, headers, body: { required: true, content: json(PlotDocument) } },
    responses: {
      200: { description: 'The plot as it is now.', content: json(PlotRow) },
      400: failure('The pointer leads to the place in the plot that can not be used.'),
      412: failure('Changed meanwhile.'),
      413: failure('The body is too large.'),
      415: failure('The body is not application/json.'),
      ...failures,
    },
  })
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'delete',
    summary: 'Takes a plot away; its open alert is resolved, its days stay in the lake',
    request: { params, headers },
    responses: { 204: { description: 'It is gone.' }, 412: failure('Changed meanwhile.'), ...none, ...failures },
  })
}
