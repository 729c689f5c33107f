/**
 * What is answered where no endpoint is: 405 with `Allow` for another method of a path that there is, its methods for OPTIONS, and 404 that names
 * the paths which look most like the one asked for.
 *
 * Paths are those of the OpenAPI document, so that they include what the edge answers, and of the app itself: pages and their files.
 */

import type { OpenAPIHono } from '@hono/zod-openapi'
import { problem } from '../../../runtime/http.ts'

/** Paths named where none is meant, and how many letters may differ. */
const NEAR_MAX = 3
const NEAR_DIFFERENCE_MAX = 4
/** A longer path is not compared: the comparison takes as many steps as both have letters, multiplied. */
const COMPARED_CHARS_MAX = 60

/** Call it once all endpoints are there, or before: they are looked at when somebody asks. */
export function installElsewhere(app: OpenAPIHono<any>): void {
  app.notFound((c) => {
    const { method, path } = c.req
    const there = methodsByPath(app)
    const allowed = new Set([...there].filter(([pattern]) => matches(pattern, path)).flatMap(([, methods]) => [...methods]))
    if (allowed.size === 0) {
      const near = nearest([...there.keys()], path)
      const meant = near.length === 0 ? '' : ` Near it: ${near.join(', ')}.`
      const detail = `There is nothing at ${path}.${meant} All paths are listed in /openapi.json and shown in /docs.`
      return problem(c, { status: 404, title: 'Not found', detail, extra: { near } })
    }
    if (allowed.has('GET')) allowed.add('HEAD')
    const allow = [...allowed.add('OPTIONS')].sort().join(', ')
    if (method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } })
    const detail = `${path} does not take ${method}. It takes ${allow}; what each means is shown in /docs.`
    return problem(c, { status: 405, title: 'Method not allowed', detail, headers: { allow } })
  })
}

/** Methods, in capitals, by path as it is written with its parameters, `{id}` or `:id`. */
function methodsByPath(app: OpenAPIHono<any>): Map<string, Set<string>> {
  const there = new Map<string, Set<string>>()
  const add = (path: string, method: string) => there.set(path, (there.get(path) ?? new Set()).add(method.toUpperCase()))
  for (const definition of app.openAPIRegistry.definitions) if (definition.type === 'route') add(definition.route.path, definition.route.method)
  for (const { path, method } of app.routes) if (method !== 'ALL' && !path.includes('*')) add(path.replace(/:(\w+)/g, '{$1}'), method)
  return there
}

function matches(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  return wanted.length === given.length && wanted.every((part, i) => (part.startsWith('{') ? given[i] !== '' : part === given[i]))
}

/** The paths that differ least from one, nearest first. */
function nearest(paths: readonly string[], path: string): string[] {
  if (path.length > COMPARED_CHARS_MAX) return []
  const told = [...new Set([path.toLowerCase().replace(/\/+$/, ''), `/v1${path.toLowerCase()}`])]
  const near = paths.map((there) => ({ there, letters: Math.min(...told.map((one) => difference(one, there.toLowerCase()))) }))
  const close = near.filter(({ letters }) => letters <= NEAR_DIFFERENCE_MAX)
  return close.sort((a, b) => a.letters - b.letters || (a.there < b.there ? -1 : 1)).slice(0, NEAR_MAX).map(({ there }) => there)
}

/** Letters to put in, take out or change to get from one text to the other (Levenshtein 1966). */
function difference(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]
}
