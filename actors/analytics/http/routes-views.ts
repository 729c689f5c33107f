/**
 * Endpoints of kept views: read by analysts, edited by admins. Their rows are read by POST /v1/sql.
 *
 * Owns their forms, which names are free, and how far the parts of a view are. Leaves what can be kept to view/compile.ts, which runs in a process for
 * queries, since the text is a stranger's.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { VIEW_BODY_BYTES_MAX } from '../../../runtime/limits.ts'
import { RevisionError } from '../../../runtime/tenant-values.ts'
import { isReservedName } from '../../reading/reserved-names.ts'
import type { Segment } from '../../store/manifest.ts'
import { partsFilesOf } from '../../store/parts.ts'
import { ViewError } from '../../view/listed.ts'
import { isViewName, VIEW_NAME_RULE } from '../../view/kept.ts'
import type { KeptView } from '../../view/kept.ts'
import { SqlError } from '../sql/frames.ts'
import { VIEWS } from '../sql/views.ts'
import { badParameter, ParameterError } from './reply.ts'
import { revisionOf, tagOf } from './revision.ts'
import { readJson } from './route.ts'
import type { AnalyticsSources, Get } from './route.ts'
import { forms, Problem } from './schemas.ts'

const NO_STORE = { 'cache-control': 'no-store' }

const ViewBody = z.object({ sql: z.string().openapi({ description: 'One SELECT over readings, readings_hopping(slide, size) or readings_sessions(gap), with a GROUP BY.', example: "SELECT device, metric, time_bucket(INTERVAL '1 hour', ts) AS hour, avg(value) AS mean FROM readings GROUP BY ALL" }) }).openapi('View')

const ViewRow = z
  .object({
    name: z.string().openapi({ description: 'The table of POST /v1/sql, and of weir.duckdb.' }),
    sql: z.string(),
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    parts: z
      .object({
        readings: z.int().openapi({ description: 'Readings of the lake that lie in segments with rows of the tenant.' }),
        made: z.int().openapi({ description: 'Those of them whose parts are stored. The rest is computed when the view is read: its rows are the same before and after.' }),
        failed: z.string().nullable().openapi({ description: 'Why parts could not be made of some readings; null: they could.' }),
      })
      .openapi('ViewParts'),
  })
  .openapi('ViewEntry')

const Views = z
  .object({
    views: z.array(ViewRow),
    revision: z.int().openapi({ description: 'Of all views: grows with each change. If-Match with it keeps an edit from undoing somebody else’s.' }),
    mayEdit: z.boolean().openapi({ description: 'Whether the key of this request may edit.' }),
  })
  .openapi('Views')

export function viewRoutes(app: OpenAPIHono<KeyedEnv>, get: Get, { tail, sql, views, keyring, logger }: Pick<AnalyticsSources, 'tail' | 'sql' | 'views' | 'keyring' | 'logger'>): void {
  const shown = (tenant: string, name: string, view: KeptView) => ({
    name,
    sql: view.sql,
    columns: view.shows.map(([column, type]) => ({ name: column, type })),
    parts: progressOf(view, (tail.manifest?.segments ?? []).filter((segment) => (segment.tenant ?? tenant) === tenant)),
  })
  get(
    '/v1/views',
    {
      summary: 'Views that are kept up to date: SELECTs whose rows are there before anybody asks',
      description: 'Their rows are read by POST /v1/sql, and by any DuckDB in weir.duckdb; they are those of the same SELECT over all readings, at any moment.',
      query: { time: forms.time },
      answer: Views,
    },
    ({ c, principal }) => {
      const { revision, views: named } = views.of(principal.tenant)
      const rows = Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, view]) => shown(principal.tenant, name, view))
      return c.json({ views: rows, revision, mayEdit: principal.role === 'admin' }, 200, { ...NO_STORE, etag: tagOf({ revision }) })
    },
  )
  const missing = (name: string) => problem(null, { status: 404, title: 'No such view', detail: `There is no view ${JSON.stringify(name)} that is kept. GET /v1/views lists those that there are.` })
  app.get('/v1/views/:name', requireKey(keyring, ['analyst']), (c) =>
    answering(logger, async () => {
      const name = nameOf(c)
      const { revision, views: named } = views.of(c.var.principal.tenant)
      return Object.hasOwn(named, name) ? c.json(shown(c.var.principal.tenant, name, named[name]), 200, { ...NO_STORE, etag: tagOf({ revision }) }) : missing(name)
    }),
  )
  const admin = requireKey(keyring, [])
  app.put('/v1/views/:name', admin, (c) =>
    answering(logger, async () => {
      const name = nameOf(c)
      if (VIEWS.some((view) => view === name) || isReservedName(name)) throw new ParameterError('name', 'none of the tables that are there, and no word that SQL keeps for itself', name)
      if (Object.hasOwn(tail.ownViews, name)) throw new ParameterError('name', 'none that an actor of your own has', name)
      const body = await readJson(c, VIEW_BODY_BYTES_MAX)
      if (body instanceof Response) return body
      const given = ViewBody.strict().safeParse(body.json)
      if (!given.success) return problem(c, { status: 400, title: 'Bad view', detail: 'A view must be {"sql": "SELECT …"}, and nothing beside it.' })
      const { tenant } = c.var.principal
      const view = await sql.compile(tenant, given.data.sql)
      const revision = await views.put(tenant, name, view, revisionOf(c))
      return c.json(shown(tenant, name, view), 200, { ...NO_STORE, etag: tagOf({ revision }) })
    }),
  )
  app.delete('/v1/views/:name', admin, (c) =>
    answering(logger, async () => {
      const name = nameOf(c)
      return (await views.delete(c.var.principal.tenant, name, revisionOf(c))) ? c.body(null, 204) : missing(name)
    }),
  )
  describe(app)
}

/** How much of what the lake holds has its parts. */
function progressOf({ id }: KeptView, segments: readonly Segment[]): z.infer<typeof ViewRow>['parts'] {
  const count = (of: readonly Segment[]) => of.reduce((sum, { rows }) => sum + (rows.readings ?? 0), 0)
  const failed = segments.map((segment) => segment.failed?.[id]).find((reason) => reason !== undefined)
  return { readings: count(segments), made: count(segments.filter((segment) => partsFilesOf(segment, id) !== null)), failed: failed ?? null }
}

async function answering(logger: AnalyticsSources['logger'], handle: () => Promise<Response>): Promise<Response> {
  try {
    return await handle()
  } catch (error) {
    if (error instanceof ParameterError) return badParameter(error)
    if (error instanceof ViewError) return problem(null, { status: 400, title: 'View refused', detail: error.message })
    if (error instanceof RevisionError) return problem(null, { status: 412, title: 'Changed meanwhile', detail: error.message })
    if (!(error instanceof SqlError)) throw error
    if (error.code === 'broken') logger.error({ err: error }, 'a view broke while it was compiled')
    const { code, position } = error
    const extra = { code, ...(position === null ? {} : { position }) }
    if (code === 'refused' || code === 'invalid') return problem(null, { status: 400, title: code === 'refused' ? 'View refused' : 'View not understood', detail: error.message, extra })
    return problem(null, { status: 503, title: 'Not available now', detail: error.message, extra, headers: { 'retry-after': '2' } })
  }
}

function nameOf(c: Context): string {
  const name = c.req.param('name') ?? ''
  if (isViewName(name)) return name
  throw new ParameterError('name', VIEW_NAME_RULE, name)
}

function describe(app: OpenAPIHono<KeyedEnv>): void {
  const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  const params = z.object({ name: z.string().openapi({ description: `${VIEW_NAME_RULE}.`, example: 'hourly_means' }) })
  const headers = z.object({ 'If-Match': z.string().optional().openapi({ description: 'The ETag that must still hold.' }) })
  const shared = { path: '/v1/views/{name}', security: [{ key: [] }], request: { params } }
  const failures = { 400: failure('The name or the view can not be used, with the reason, and the position in the text where it is known.'), 401: failure('The key is missing or unknown.'), 403: failure('The role of the key may not do this.') }
  const none = { 404: failure('There is no such view.') }
  app.openAPIRegistry.registerPath({ ...shared, method: 'get', summary: 'One kept view, and how far its parts are', responses: { 200: { description: 'The view.', content: json(ViewRow) }, ...none, ...failures } })
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'put',
    summary: 'Has a view kept up to date from now on, over all readings that there are',
    description:
      'Aggregates that can be made of parts (count, sum, avg, min, max, arg_min, arg_max, variances, bool_and and the like) with FILTER, over groups of any ' +
      'columns, with WHERE and HAVING. What can not be kept is refused with the reason. It can be read at once; what of it is not stored yet is computed when it is read. For admins.',
    request: { params, headers, body: { required: true, content: json(ViewBody) } },
    responses: { 200: { description: 'The view as it is now.', content: json(ViewRow) }, 412: failure('Changed meanwhile.'), 413: failure('The body is too large.'), 415: failure('The body is not application/json.'), 503: failure('Too many queries wait.'), ...failures },
  })
  app.openAPIRegistry.registerPath({ ...shared, method: 'delete', summary: 'Takes a kept view away', request: { params, headers }, responses: { 204: { description: 'It is gone.' }, 412: failure('Changed meanwhile.'), ...none, ...failures } })
}
