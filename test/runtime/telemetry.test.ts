import prom from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createMetrics, mergeMetrics } from '../../runtime/telemetry.ts'
import type { Metrics, MetricsValues } from '../../runtime/telemetry.ts'

const values = async (metrics: Metrics) => structuredClone(await metrics.getMetricsAsJSON()) as unknown as MetricsValues

function sample(times: number): Metrics {
  const metrics = createMetrics({ process: false })
  const registers = [metrics]
  new prom.Counter({ name: 'law_total', help: 'a counter', labelNames: ['p'], registers }).inc({ p: '1' }, times)
  new prom.Gauge({ name: 'law_level', help: 'a gauge', registers }).set(times)
  new prom.Histogram({ name: 'law_seconds', help: 'a histogram', buckets: [1, 2], registers }).observe(1.5)
  return metrics
}

describe('metrics', () => {
  it('are written as OpenMetrics', async () => {
    const metrics = sample(3)
    expect(metrics.contentType).toContain('openmetrics')
    expect(await metrics.metrics()).toMatch(/# TYPE law counter\nlaw_total\{p="1"\} 3\n[\s\S]*# EOF\n$/)
  })

  it('of several registries are summed, and written as those of one are', async () => {
    const merged = mergeMetrics([await values(sample(2)), await values(sample(5))])
    const text = await merged.metrics()
    expect(merged.contentType).toContain('openmetrics')
    expect(text).toContain('law_total{p="1"} 7\n')
    expect(text).toContain('law_level 7\n')
    expect(text).toContain('law_seconds_bucket{le="2"} 2\n')
    expect(text).toContain('law_seconds_count 2\n')
    expect(text).not.toContain('total_total')
  })

  it('of a process tell its CPU and memory', async () => {
    expect(await createMetrics().metrics()).toMatch(/process_cpu_seconds_total \d/)
  })
})
