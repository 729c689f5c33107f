/** Quotas of real edges, under senders that do not care: what they let in, what the others feel of it, and what two edges tell each other. */

import { afterEach, beforeEach, expect, test } from 'vitest'
import { Apart } from '../support/apart.ts'
import type { Part } from '../support/apart.ts'
import { eventually } from '../support/system.ts'

const QUOTA = 400

let apart: Apart
let edges: Part[]

beforeEach(async () => {
  apart = await Apart.install({ partitions: 4, settings: { latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 } })
  edges = await Promise.all([0, 1].map(() => apart.start('edge', ['--quota', String(QUOTA)])))
  for (const edge of edges) await apart.ready(edge)
})

afterEach(() => apart?.remove())

let sent = 0

async function post(edge: Part, key: string, readings: number): Promise<{ status: number; retryAfterS: number }> {
  const body = JSON.stringify(Array.from({ length: readings }, () => ({ device: 'd', metric: 'm', value: sent++ })))
  const response = await fetch(`${edge.url}/v1/readings`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body })
  await response.text()
  return { status: response.status, retryAfterS: Number(response.headers.get('retry-after')) }
}

test('a tenant far over its quota is let in at its rate, told when to come again, and costs another tenant no answer', async () => {
  const greedy = await apart.createKey({ tenant: 'greedy', role: 'device' })
  const modest = await apart.createKey({ tenant: 'modest', role: 'device' })
  for (const key of [greedy, modest]) await eventually('the key is known', async () => (await post(edges[0], key, 1)).status === 202)
  const batch = 100
  let accepted = 0
  let refused = 0
  let ended = false
  const began = performance.now()
  const senders = Array.from({ length: 4 }, async () => {
    while (!ended) {
      const { status, retryAfterS } = await post(edges[0], greedy, batch)
      expect([202, 429]).toContain(status)
      if (status === 202) accepted += batch
      else {
        refused++
        expect(Number.isInteger(retryAfterS) && retryAfterS >= 1).toBe(true)
      }
    }
  })
  const statuses = new Set<number>()
  for (let n = 0; n < 60 || refused < 200; n++) statuses.add((await post(edges[0], modest, 1)).status)
  ended = true
  await Promise.all(senders)
  const seconds = (performance.now() - began) / 1000
  expect([...statuses]).toEqual([202])
  // The edge's clock has moved no further than this one: a second's worth at the start, the rate from then on, and the debt of one batch.
  expect(accepted).toBeLessThanOrEqual(QUOTA * (seconds + 1) + batch)
  expect(accepted).toBeGreaterThan(0)
})

test('what one edge let in counts at the other, by tenant and by key, and leaves other keys alone', async () => {
  const key = await apart.createKey({ tenant: 'acme', role: 'device' })
  const small = await apart.createKey({ tenant: 'other', role: 'device', quota: 5 })
  const sibling = await apart.createKey({ tenant: 'other', role: 'device' })
  for (const each of [key, small, sibling]) {
    for (const edge of edges) await eventually('the key is known', async () => (await post(edge, each, 1)).status === 202, 60_000)
  }
  // Debts of minutes, so that neither is paid while this test looks, however slow the machine.
  expect((await post(edges[0], key, QUOTA * 300)).status).toBe(202)
  await eventually('the other edge refuses the tenant', async () => (await post(edges[1], key, 1)).status === 429)
  const inDebt = await eventually('the key of its own quota is let in once', async () => (await post(edges[0], small, 300)).status === 202)
  expect(inDebt).toBe(true)
  const refused = await eventually('the other edge refuses the key', async () => {
    const answer = await post(edges[1], small, 1)
    return answer.status === 429 ? answer : null
  })
  expect(refused.retryAfterS).toBeGreaterThanOrEqual(1)
  for (const edge of edges) expect((await post(edge, sibling, 1)).status).toBe(202)
})
