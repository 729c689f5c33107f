/** A real Prometheus scrapes a running Weir, as deploy/prometheus sets it up. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPrometheus } from '../../deploy/prometheus.ts'
import { dashboard } from '../support/grafana.ts'
import { startPrometheus } from '../support/prometheus.ts'
import type { Scraper } from '../support/prometheus.ts'
import { ADMIN_KEY, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'

const there = findPrometheus() !== null
if (!there) console.log('There is no Prometheus on this machine, and none could be fetched: that it scrapes Weir is left untested.')

interface Target {
  labels: Record<string, string>
  health: string
  lastError: string
}

describe.skipIf(!there)('Prometheus', () => {
  let system: System
  let prometheus: Scraper
  beforeAll(async () => {
    system = await startSystem()
    prometheus = await startPrometheus({ port: Number(new URL(system.url).port), key: ADMIN_KEY })
  })
  afterAll(async () => {
    await prometheus?.stop()
    await system?.remove()
  })

  /** Targets that are up, by role. */
  const up = async (): Promise<Record<string, string[]>> => {
    const { activeTargets } = await prometheus.ask<{ activeTargets: Target[] }>('targets')
    const roles = Object.groupBy(activeTargets.filter(({ health }) => health === 'up'), ({ labels }) => labels.role)
    return Object.fromEntries(Object.entries(roles).map(([role, targets]) => [role, targets!.map(({ labels }) => labels.instance).sort()]))
  }

  const wholeGroup = (roles: Record<string, string[]>) => roles.edge?.length === 1 && roles.store?.length === 1 && roles.worker?.length === 2

  test('finds every process by itself, and one that is started again on another port', async () => {
    const before = await eventually('all four are up', async () => {
      const roles = await up()
      return wholeGroup(roles) ? roles : null
    })
    const [pid] = system.pids('weir-worker')
    process.kill(pid, 'SIGKILL')
    const after = await eventually('both workers are up, one of them new', async () => {
      const roles = await up()
      return wholeGroup(roles) && roles.worker.join() !== before.worker.join() ? roles : null
    })
    expect(after.worker.filter((instance) => before.worker.includes(instance))).toHaveLength(1)
  })

  test('evaluates every rule, and none alerts of a system that is well', async () => {
    const body = JSON.stringify([
      { device: 'scraped', metric: 'm', value: 1 },
      { device: 'not a name', metric: 'm', value: 1 },
    ])
    const post = () => system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    await eventually('the records of rates are there', async () => {
      await post()
      const rates = await prometheus.ask<{ result: { value: [number, string] }[] }>('query', { query: 'weir:readings_processed:rate1m > 0 and weir:readings_accepted:rate1m > 0' })
      return rates.result.length === 1
    })
    const { groups } = await prometheus.ask<{ groups: { rules: { name: string; type: string; health: string; state?: string; lastError?: string }[] }[] }>('rules')
    const rules = groups.flatMap((group) => group.rules)
    expect(rules.length).toBeGreaterThan(15)
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
    expect(rules.filter(({ state }) => state === 'firing')).toEqual([])
  })

  test('knows every metric that the rules name', async () => {
    const text = readFileSync(join(import.meta.dirname, '../../deploy/prometheus/weir.rules.yml'), 'utf8')
    const named = new Set([...text.replaceAll(/^ *(#|summary|description).*$/gm, '').matchAll(/(?<![:\w])weir_\w+/g)].map(([name]) => name))
    expect(named.size).toBeGreaterThan(12)
    const known = new Set(await prometheus.ask<string[]>('label/__name__/values'))
    expect([...named].filter((name) => !known.has(name))).toEqual([])
  })

  test('has an answer to every question of the dashboard', async () => {
    for (const { title, targets } of dashboard('weir-system').panels) {
      for (const { expr } of targets) {
        const query = expr!.replaceAll('$__rate_interval', '1m')
        // A rate needs two scrapes.
        await eventually(`${title}: ${query}`, async () => (await prometheus.ask<{ result: unknown[] }>('query', { query })).result.length > 0, 10_000)
      }
    }
  })
})
