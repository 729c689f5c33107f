/**
 * Endpoints of the units: read by analysts, edited by admins.
 *
 * Owns their schemas, and what an error of the registry becomes. Leaves entries and their checks to units.ts.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { UNIT_BODY_CHARS_MAX } from '../../../runtime/limits.ts'
import { RevisionError } from '../../../runtime/tenant-values.ts'
import { ParameterError, badParameter } from './reply.ts'
import { revisionOf, tagOf } from './revision.ts'
import type { AnalyticsSources, Get } from './route.ts'
import { Problem, forms } from './schemas.ts'
import { DEFAULT_UNITS } from '../units/defaults.ts'
import { UnitError, isUnitName, parseUnit } from '../units/units.ts'
import type { Unit } from '../units/units.ts'

const NO_STORE = { 'cache-control': 'no-store' }

const UnitBody = z
  .object({
    label: z.string().optional().openapi({ description: "What the metric is called; empty: its own name, in words.", example: 'Soil moisture' }),
    unit: z.string().optional().openapi({ description: 'The symbol; empty for a bare number.', example: '%' }),
    decimals: z.int().optional().openapi({ description: '0 to 8; 2 by default.', example: 1 }),
    range: z.array(z.number()).nullable().optional().openapi({ description: 'Least and greatest that a chart shows at least; null: the values decide.', example: [0, 60] }),
  })
  .openapi('Unit')

const UnitRow = z
  .object({
    metric: z.string().openapi({ description: 'A metric, or with * at its end the beginning of several.' }),
    label: z.string(),
    unit: z.string(),
    decimals: z.int(),
    range: z.array(z.number()).nullable(),
    source: z.enum(['edited', 'default']),
  })
  .openapi('UnitEntry')

const Units = z
  .object({
    units: z.array(UnitRow),
    revision: z.int().openapi({ description: 'Grows with each change; If-Match with it keeps an edit from undoing somebody else’s.' }),
    mayEdit: z.boolean().openapi({ description: 'Whether the key of this request may edit.' }),
  })
  .openapi('Units')

export function unitsRoutes(app: OpenAPIHono<KeyedEnv>, get: Get, { units, keyring }: Pick<AnalyticsSources, 'units' | 'keyring'>): void {
  get(
    '/v1/units',
    {
      summary: 'What metrics are called and measured in, and how many decimals are worth showing',
      description:
        'For a metric holds, among edited entries before built-in ones, that of its very name, else that of the longest beginning (temp*). ' +
        'Values are stored and given as they were sent: units are words for eyes.',
      query: { time: forms.time },
      answer: Units,
    },
    ({ c, principal }) => {
      const edited = units.edited(principal.tenant)
      const rows = [...rowsOf(edited.units, 'edited'), ...rowsOf(DEFAULT_UNITS, 'default').filter((row) => !Object.hasOwn(edited.units, row.metric))]
      return c.json({ units: rows, revision: edited.revision, mayEdit: principal.role === 'admin' }, 200, { ...NO_STORE, etag: tagOf(edited) })
    },
  )

  const admin = requireKey(keyring, [])
  app.put('/v1/units/:metric', admin, (c) =>
    answering(async () => {
      const name = nameOf(c)
      const unit = parseUnit(await bodyOf(c))
      const edited = await units.put(c.var.principal.tenant, name, unit, revisionOf(c))
      return c.json({ metric: name, ...unit, source: 'edited' }, 200, { ...NO_STORE, etag: tagOf(edited) })
    }),
  )
  app.delete('/v1/units/:metric', admin, (c) =>
    answering(async () => {
      const name = nameOf(c)
      const edited = await units.delete(c.var.principal.tenant, name, revisionOf(c))
      if (edited !== null) return c.body(null, 204, { etag: tagOf(edited) })
      const detail = `There is no edited entry of ${name}. Built-in ones stay; edit one to go before it.`
      return problem(c, { status: 404, title: 'No such entry', detail })
    }),
  )
  describe(app)
}

function rowsOf(units: Readonly<Record<string, Unit>>, source: 'edited' | 'default') {
  return Object.entries(units).map(([metric, unit]) => ({ metric, ...unit, source }))
}

async function answering(handle: () => Promise<Response>): Promise<Response> {
  try {
    return await handle()
  } catch (error) {
    if (error instanceof ParameterError) return badParameter(error)
    if (error instanceof UnitError) return problem(null, { status: 400, title: 'Bad unit', detail: error.message, extra: { pointer: error.pointer } })
    if (error instanceof RevisionError) return problem(null, { status: 412, title: 'Changed meanwhile', detail: error.message })
    throw error
  }
}

function nameOf(c: Context): string {
  const name = c.req.param('metric') ?? ''
  if (isUnitName(name)) return name
  throw new ParameterError('metric', 'a letter and up to 63 of A-Z a-z 0-9 _ ., with * at its end for all that begin so', name)
}

async function bodyOf(c: Context): Promise<unknown> {
  const text = await c.req.text()
  if (text.length > UNIT_BODY_CHARS_MAX) throw new UnitError('', `of at most ${UNIT_BODY_CHARS_MAX} characters`, text.length)
  try {
    return JSON.parse(text)
  } catch {
    throw new UnitError('', 'JSON', text.slice(0, 60))
  }
}

function describe(app: OpenAPIHono<KeyedEnv>): void {
  const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
  const shared = {
    path: '/v1/units/{metric}',
    security: [{ key: [] }],
    request: {
      params: z.object({ metric: z.string().openapi({ description: 'A metric, or with * at its end the beginning of several.', example: 'soil_moisture' }) }),
      headers: z.object({ 'If-Match': z.string().optional().openapi({ description: 'The ETag that must still hold.' }) }),
    },
  }
  const failures = {
    400: failure('The pointer names the place that can not be used.'),
    401: failure('The key is missing or unknown.'),
    403: failure('The key is not an admin’s.'),
    412: failure('Changed meanwhile.'),
  }
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'put',
    summary: 'Edits what a metric is called and measured in',
    request: { ...shared.request, body: { required: true, content: { 'application/json': { schema: UnitBody } } } },
    responses: { 200: { description: 'The entry that holds now.', content: { 'application/json': { schema: UnitRow } } }, ...failures },
  })
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'delete',
    summary: 'Takes an edited entry out, so that the built-in one holds again',
    responses: { 204: { description: 'It is gone.' }, 404: failure('There is no such edited entry.'), ...failures },
  })
}
