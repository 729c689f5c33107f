/**
 * Where Prometheus finds every process of Weir: its HTTP service discovery, answered from who is there now.
 *
 * Workers come and go, on ports that nobody chose; each says on the bus where it serves HTTP. So the list is never a file that can be stale.
 * Leaves what is scraped to each process' own `/metrics`.
 */

import { z } from '@hono/zod-openapi'
import type { AnalyticsSources, Get } from './route.ts'
import type { MemberView } from '../data/status.ts'

const Targets = z
  .array(z.object({ targets: z.array(z.string()), labels: z.object({ role: z.string(), runtime: z.string() }) }))
  .openapi('Targets', { example: [{ targets: ['127.0.0.1:8080'], labels: { role: 'edge', runtime: 'node' } }] })

export function targetsRoute(get: Get, { members }: Pick<AnalyticsSources, 'members'>): void {
  const about = {
    summary: 'Addresses of all processes, for http_sd_configs of Prometheus',
    description: 'A group a process, with the labels role and runtime; each address serves /metrics, without a key.',
    query: {},
    answer: Targets,
  }
  get('/v1/targets', about, ({ c }) => c.json(targetsOf(members()), 200, { 'cache-control': 'no-store' }))
}

/** A group for each address, by role: threads of one worker are members of their own behind one address. */
export function targetsOf(members: readonly MemberView[]): z.infer<typeof Targets> {
  const groups = new Map<string, z.infer<typeof Targets>[number]>()
  for (const { url, role, runtime } of members) {
    if (url === null) continue
    const { host } = new URL(url)
    groups.set(host, { targets: [host], labels: { role, runtime } })
  }
  return [...groups.values()]
}
