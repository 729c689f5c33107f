/** What the notifier tells of itself to Prometheus. */

import { Counter, Gauge, Histogram } from 'prom-client'
import type { Metrics } from '../../runtime/telemetry.ts'
import type { Delivery, TenantState } from './state.ts'

export class NotifierMetrics {
  readonly #taken: Counter
  readonly #failed: Counter
  readonly #seconds: Histogram

  constructor(metrics: Metrics, states: () => Iterable<TenantState>, active: () => boolean) {
    const registers = [metrics]
    this.#taken = new Counter({ name: 'weir_notify_delivered', help: 'Messages about alerts that a receiver has taken', labelNames: ['target'], registers })
    this.#failed = new Counter({ name: 'weir_notify_failures', help: 'Attempts to deliver one that failed', labelNames: ['target'], registers })
    this.#seconds = new Histogram({
      name: 'weir_notify_seconds',
      help: 'From the newest event of a message, by the time of the log, until it was taken at its first attempt',
      labelNames: ['target'],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
      registers,
    })
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value())
        },
      })
    const sum = (of: (route: TenantState['routes'][string]) => number) => {
      let total = 0
      for (const { routes } of states()) for (const route of Object.values(routes)) total += of(route)
      return total
    }
    gauge('weir_notify_active', 'Whether this is the process that sends', () => Number(active()))
    gauge('weir_notify_waiting', 'Messages that wait for their receivers', () => sum(({ queue }) => queue.length))
    gauge('weir_notify_failing_routes', 'Routes whose receivers are away', () => sum(({ failures }) => Number(failures > 0)))
    gauge('weir_notify_given_up', 'Messages that were given up, of all routes that there are', () => sum(({ givenUp }) => givenUp))
  }

  taken(target: string, { events, tries, kind }: Delivery, nowMs: number): void {
    this.#taken.inc({ target })
    if (tries === 0 && kind === 'alert') this.#seconds.observe({ target }, Math.max(0, nowMs - Math.max(...events.map(({ at }) => at))) / 1_000)
  }

  failed(target: string): void {
    this.#failed.inc({ target })
  }
}
