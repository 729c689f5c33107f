/**
 * Devices that post a disordered stream through all edges in turn until they are told to stop. Every batch is sent until it is acknowledged,
 * and the account says what must be there in the end.
 */

import assert from 'node:assert/strict'
import { systemClock } from '../../runtime/clock.ts'
import type { Fleet, FleetProcess, FleetServers } from './fleet.ts'
import { Account, disorderedStream } from './stream.ts'
import type { Sent } from './stream.ts'

export interface SendersOptions {
  readonly seed?: number
  /** Posts at a time. */
  readonly count?: number
  /** Of each sender between two batches. */
  readonly pauseMs?: number
}

export class Senders {
  readonly account = new Account()
  edges: FleetProcess[]
  retries = 0
  repeats = 0
  /** The longest time that passed between two acknowledgements, since it was last set to 0. */
  gapMs = 0
  #fleet: Fleet<FleetServers>
  #pauseMs: number
  #stream: Generator<Sent[], never>
  #next = 0
  #stopped = false
  #gaveUp = false
  #acknowledgedMs = performance.now()
  /** Where each edge was last heard of: while nobody is heard, devices still know. */
  #urls = new Map<FleetProcess, string>()
  #done: Promise<unknown>

  constructor(fleet: Fleet<FleetServers>, edges: FleetProcess[], { seed = 20_260_701, count = 4, pauseMs = 60 }: SendersOptions = {}) {
    this.#fleet = fleet
    this.edges = edges
    this.#pauseMs = pauseMs
    this.#stream = disorderedStream({ seed, devices: 60, batch: 100, startMs: Date.UTC(2026, 0, 1) })
    this.#done = Promise.all(Array.from({ length: count }, () => this.#run()))
    this.#done.catch(() => {})
  }

  /** Resolves when each batch that was begun is acknowledged; rejects where an edge gave an answer that it must not give. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#done
  }

  /** Ends at once, whatever is under way. */
  giveUp(): void {
    this.#stopped = this.#gaveUp = true
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const index = this.#next++
      const batch = this.#stream.next().value
      // A third of the devices names its requests, so that a retry on another edge is known as one.
      const key = index % 3 === 0 ? `batch-${index}` : null
      for (let attempt = 0; !(await this.#post(index + attempt, batch, key)); attempt++) {
        if (this.#gaveUp) return
        this.retries++
        await systemClock.sleep(100)
      }
      this.account.acknowledge(batch)
      const nowMs = performance.now()
      this.gapMs = Math.max(this.gapMs, nowMs - this.#acknowledgedMs)
      this.#acknowledgedMs = nowMs
      // The answer was lost on its way, for all that this device knows: once more, by the other edge.
      if (index % 9 === 0 && (await this.#post(index + 1, batch, key))) this.repeats++
      await systemClock.sleep(this.#pauseMs)
    }
  }

  async #post(turn: number, batch: Sent[], key: string | null): Promise<boolean> {
    const edge = this.edges[turn % this.edges.length]
    const url = this.#fleet.urlOf(edge) ?? this.#urls.get(edge)
    if (url === undefined) return false
    this.#urls.set(edge, url)
    const named: Record<string, string> = key === null ? {} : { 'idempotency-key': key }
    const headers = { authorization: `Bearer ${this.#fleet.secret}`, 'content-type': 'application/json', ...named }
    const request = { method: 'POST', headers, body: JSON.stringify(batch), signal: AbortSignal.timeout(5_000) }
    const answer = await fetch(`${url}/v1/readings`, request).then(async (r) => ({ status: r.status, text: await r.text() }), () => null)
    if (answer === null) return false
    if (answer.status === 202) assert.deepEqual(JSON.parse(answer.text), { accepted: batch.length, rejected: [] })
    else assert.equal(answer.status, 503, answer.text)
    return answer.status === 202
  }
}
