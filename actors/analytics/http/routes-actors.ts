/**
 * Documents of own actors: what tells them of plots, pumps, limits. Read by analysts, put by admins.
 *
 * Owns their forms. Leaves entries to own/documents.ts, and what a document means to the actor that it is for.
 */

import { z } from '@hono/zod-openapi'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { problem, requireKey } from '../../../runtime/http.ts'
import type { KeyedEnv } from '../../../runtime/http.ts'
import { KEY, NAME, STATE_BYTES_MAX } from '../../own/contract.ts'
import type { Plain } from '../../own/contract.ts'
import { ParameterError, badParameter } from './reply.ts'
import { readJson } from './route.ts'
import type { AnalyticsSources } from './route.ts'
import { Problem } from './schemas.ts'

const NO_STORE = { 'cache-control': 'no-store' }
const DocumentRow = z.object({ actor: z.string(), id: z.string(), revision: z.int(), body: z.unknown() }).openapi('ActorDocument')

export function actorRoutes(app: OpenAPIHono<KeyedEnv>, { keyring, documents }: Pick<AnalyticsSources, 'keyring' | 'documents'>): void {
  const path = '/v1/actors/:name/documents/:id'
  app.get(path, requireKey(keyring, ['analyst']), (c) =>
    answering(async () => {
      const place = placeOf(c)
      const found = await documents.get(place)
      return found === null ? missing(place.id) : c.json({ actor: place.actor, id: place.id, ...found } as object, 200, NO_STORE)
    }),
  )
  const admin = requireKey(keyring, [])
  app.put(path, admin, (c) =>
    answering(async () => {
      const place = placeOf(c)
      const read = await readJson(c, STATE_BYTES_MAX)
      if (read instanceof Response) return read
      const body = read.json as Plain
      if (body === null) throw new ParameterError('body', 'a document, DELETE takes one away', 'null')
      const revision = await documents.put({ ...place, body })
      return c.json({ actor: place.actor, id: place.id, revision, body } as object, 200, NO_STORE)
    }),
  )
  app.delete(path, admin, (c) =>
    answering(async () => {
      const place = placeOf(c)
      if ((await documents.get(place)) === null) return missing(place.id)
      await documents.put({ ...place, body: null })
      return c.body(null, 204)
    }),
  )
  describe(app)
}

const missing = (id: string): Response => problem(null, { status: 404, title: 'No such document', detail: `There is no document ${JSON.stringify(id)} of this actor.` })

function placeOf(c: Context<KeyedEnv>): { actor: string; tenant: string; id: string } {
  const [actor, id] = [c.req.param('name') ?? '', c.req.param('id') ?? '']
  if (!NAME.test(actor)) throw new ParameterError('name', 'the name of an actor', actor)
  if (!KEY.test(id)) throw new ParameterError('id', '1 to 128 of A-Z a-z 0-9 . _ : / - and space', id)
  return { actor, tenant: c.var.principal.tenant, id }
}

async function answering(handle: () => Promise<Response>): Promise<Response> {
  try {
    return await handle()
  } catch (error) {
    if (error instanceof ParameterError) return badParameter(error)
    if (error instanceof TypeError) return problem(null, { status: 400, title: 'Bad document', detail: error.message })
    throw error
  }
}

function describe(app: OpenAPIHono<KeyedEnv>): void {
  const failure = (description: string) => ({ description, content: { 'application/problem+json': { schema: Problem } } })
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  const params = z.object({ name: z.string().openapi({ description: 'Name of the actor.', example: 'night_leak' }), id: z.string().openapi({ description: 'Of the document: the key of whose state it is.', example: 'north' }) })
  const shared = { path: '/v1/actors/{name}/documents/{id}', security: [{ key: [] }], request: { params } }
  const failures = { 400: failure('The name, the id or the body can not be used.'), 401: failure('The key is missing or unknown.'), 403: failure('The role of the key may not do this.') }
  app.openAPIRegistry.registerPath({ ...shared, method: 'get', summary: 'A document of an own actor', responses: { 200: { description: 'The document.', content: json(DocumentRow) }, 404: failure('There is no such document.'), ...failures } })
  app.openAPIRegistry.registerPath({
    ...shared,
    method: 'put',
    summary: 'Makes or changes a document of an own actor, which hears of it as a message of its log',
    request: { params, body: { required: true, content: json(z.unknown()) } },
    responses: { 200: { description: 'The document as it is now.', content: json(DocumentRow) }, 413: failure('The body is too large.'), 415: failure('The body is not application/json.'), ...failures },
  })
  app.openAPIRegistry.registerPath({ ...shared, method: 'delete', summary: 'Takes a document away; the actor forgets the state of its key', responses: { 204: { description: 'It is gone.' }, 404: failure('There is no such document.'), ...failures } })
}
