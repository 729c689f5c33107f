/**
 * What a process tells of itself: a log of JSON lines, and metrics.
 *
 * Lines go to stderr, one JSON object each (pino), written at once, so that the last words of a process that dies are there.
 * Metrics are a registry in the OpenMetrics format (prom-client), which `healthRoutes` of http.ts serves.
 */

import process from 'node:process'
import { pino } from 'pino'
import type { Logger } from 'pino'
import prom from 'prom-client'
import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'

export type { Logger } from 'pino'
/** A registry that writes OpenMetrics. */
export type Metrics = Registry
/** All values of a registry as plain data, to be sent from a thread to the one that serves them. */
export type MetricsValues = MetricObjectWithValues<MetricValue<string>>[]

/**
 * A logger whose lines say the role and the process. `WEIR_LOG_LEVEL` is one of trace, debug, info, warn, error, silent; default info.
 *
 * @example
 * const logger = createLogger('worker')
 * logger.info({ partition: 3, epoch: 7 }, 'partition taken over')
 */
export function createLogger(role: string): Logger {
  return pino(
    { base: { role, pid: process.pid }, level: process.env.WEIR_LOG_LEVEL || 'info', timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  )
}

// The types of prom-client know a registry by the format that it was made for; at run time the format is a setting.
const OPENMETRICS = prom.Registry.OPENMETRICS_CONTENT_TYPE as unknown as typeof prom.Registry.PROMETHEUS_CONTENT_TYPE

/** An empty registry; unless `process` is false also with what the machine says of this process: CPU, memory, event loop. */
export function createMetrics(options: { process?: boolean } = {}): Metrics {
  const registry = new prom.Registry()
  registry.setContentType(OPENMETRICS)
  if (options.process ?? true) prom.collectDefaultMetrics({ register: registry })
  return registry
}

/** One registry of many: values of the same name and labels are summed (or as the metric's own aggregator says). */
export function mergeMetrics(values: readonly MetricsValues[]): Metrics {
  // The suffix of counters is added as they are written.
  const bare = (metric: MetricsValues[number]) => (String(metric.type) === 'counter' ? { ...metric, name: metric.name.replace(/_total$/, '') } : metric)
  const merged = prom.AggregatorRegistry.aggregate(values.map((all) => all.map(bare))) as Metrics
  merged.setContentType(OPENMETRICS)
  return merged
}
