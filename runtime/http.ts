/**
 * What every HTTP process of Weir shares: problems (RFC 9457), the check of keys, health, and a server that closes gracefully.
 *
 * Invariants
 * - H1 Every error answer is `application/problem+json`, and its `detail` says what to do.
 * - H2 Nothing of an internal error reaches the client; it goes to the log.
 */

import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import type { Context, MiddlewareHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { ErrorCode, isOperating, OperatingError } from './errors.ts'
import type { Keyring, Principal, Role } from './keys.ts'
import { HTTP_BACKLOG, HTTP_GRACE_MS, HTTP_IDLE_MS } from './limits.ts'
import { hearingOut } from './unread-body.ts'

/** An error answer. `extra` adds members of its own to the problem. */
export interface ProblemOptions {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly headers?: Record<string, string>
  readonly extra?: Record<string, unknown>
}

/** Variables that `requireKey` sets. */
export type KeyedEnv = { Variables: { principal: Principal } }

/** An `application/problem+json` answer. `c` may be left out (null) where there is no context. */
export function problem(_c: Context | null, options: ProblemOptions): Response {
  const { status, title, detail, headers, extra } = options
  return new Response(JSON.stringify({ type: 'about:blank', title, status, detail, ...extra }), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  })
}

/**
 * Answers with problems for unknown paths and for what handlers throw: operating errors that a retry can help are 503 with
 * Retry-After, the rest is 500 and goes to `onError`.
 */
export function installProblems(app: Hono<any>, onError?: (error: unknown, c: Context) => void): void {
  app.notFound((c) =>
    problem(c, { status: 404, title: 'Not found', detail: `There is nothing at ${c.req.method} ${c.req.path}. The paths are listed in /openapi.json and shown in /docs.` }),
  )
  app.onError((error, c) => {
    if (error instanceof HTTPException) {
      return problem(c, { status: error.status, title: 'The request was refused', detail: error.message || 'Check the request against /openapi.json.' })
    }
    if (isOperating(error) && error.retry) {
      onError?.(error, c)
      return problem(c, { status: 503, title: 'Not available now', detail: 'The log or the store did not answer. Try again in a second.', headers: { 'retry-after': '1' } })
    }
    onError?.(error, c)
    return problem(c, { status: 500, title: 'Internal error', detail: 'This is a fault of the server, and its log has the cause. The same request may work later.' })
  })
}

/** Lets requests pass whose key has one of `roles` (an admin's always passes), and sets `c.var.principal`; else 401 or 403. */
export function requireKey(keyring: Keyring, roles: readonly Role[]): MiddlewareHandler<KeyedEnv> {
  return async (c, next) => {
    const principal = keyring.authenticate(c.req.header('authorization'))
    if (principal === null) return unauthorized(c)
    if (!mayAct(principal, roles)) return forbidden(c, principal, roles)
    c.set('principal', principal)
    await next()
  }
}

export function mayAct(principal: Principal, roles: readonly Role[]): boolean {
  return principal.role === 'admin' || roles.includes(principal.role)
}

export function unauthorized(c: Context | null): Response {
  return problem(c, {
    status: 401,
    title: 'Key missing or unknown',
    detail: 'Send "Authorization: Bearer <key>" with a key that is not revoked. `weir keys create` makes one.',
    headers: { 'www-authenticate': 'Bearer realm="weir"' },
  })
}

export function forbidden(c: Context | null, principal: Principal, roles: readonly Role[]): Response {
  return problem(c, {
    status: 403,
    title: 'Key not allowed to do this',
    detail: `The key's role is ${principal.role}; this needs ${[...new Set([...roles, 'admin'])].join(' or ')}. \`weir keys create --role\` makes one.`,
  })
}

/** Something that gives metrics as text: a prom-client registry. */
export interface MetricsSource {
  readonly contentType: string
  metrics(): Promise<string>
}

/**
 * `/healthz` (the process answers), `/readyz` (200 once it does its work, else 503), `/metrics`. None asks for a key.
 * `ready` gives true, or false, or a sentence that says what it waits for.
 */
export function healthRoutes(options: { ready: () => boolean | string | Promise<boolean | string>; registry: MetricsSource }): Hono {
  const app = new Hono()
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    const ready = await options.ready()
    if (ready === true) return c.json({ status: 'ready' })
    const detail = ready === false ? 'The process is starting or draining. Try again in a second.' : ready
    return problem(c, { status: 503, title: 'Not ready', detail, headers: { 'retry-after': '1' } })
  })
  app.get('/metrics', async (c) => c.body(await options.registry.metrics(), 200, { 'content-type': options.registry.contentType }))
  return app
}

/** A listening server. */
export interface Served {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  readonly port: number
  /** Takes no new connection, waits `graceMs` at most for the requests under way, then cuts what is left (event streams, say). */
  close(options?: { graceMs?: number }): Promise<void>
}

/** Serves `app` on `host`:`port` (0: any free port). Throws `config` where the port is taken or not allowed. */
export async function serveApp(options: { app: { fetch: Hono['fetch'] }; host?: string; port: number; clock?: Clock }): Promise<Served> {
  const host = options.host ?? '127.0.0.1'
  const server = createAdaptorServer({ fetch: hearingOut(options.app.fetch as never) as never, hostname: host }) as Server
  server.keepAliveTimeout = HTTP_IDLE_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE' ? 'it is taken by another process' : `the system says ${error.code ?? error.message}`
      reject(new OperatingError(ErrorCode.config, `Cannot listen on ${host} as the port must be free: port ${options.port}, ${taken}`, { cause: error }))
    })
    server.listen({ port: options.port, host, backlog: HTTP_BACKLOG }, resolve)
  })
  const { port } = server.address() as AddressInfo
  const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  let closing: Promise<void> | undefined
  return {
    url: `http://${shown}:${port}`,
    port,
    close: ({ graceMs = HTTP_GRACE_MS } = {}) => (closing ??= closeServer(server, graceMs, options.clock ?? systemClock)),
  }
}

async function closeServer(server: Server, graceMs: number, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const cut = clock.after(graceMs, () => server.closeAllConnections())
  // Kept-alive connections turn idle one by one; without this each would hold the server for its own time-out.
  let cancelSweep: () => void = () => {}
  const sweep = () => {
    server.closeIdleConnections()
    cancelSweep = clock.after(50, sweep)
  }
  sweep()
  await closed
  cancelSweep()
  cut()
}
