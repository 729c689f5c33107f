/** What hosts measure, by partition. Values move at commits, not at messages, so that measuring costs nothing that shows. */

import prom from 'prom-client'
import type { Metrics } from './telemetry.ts'

export interface HostMetrics {
  readonly messages: prom.Counter<'partition'>
  readonly replayed: prom.Counter<'partition'>
  readonly results: prom.Counter<'partition'>
  readonly commits: prom.Counter<'partition'>
  readonly fenced: prom.Counter<'partition'>
  readonly stepSeconds: prom.Counter<'partition'>
  readonly behind: prom.Gauge<'partition'>
  readonly lagSeconds: prom.Gauge<'partition'>
  readonly epoch: prom.Gauge<'partition'>
  readonly commitSeconds: prom.Histogram
  readonly takeOverSeconds: prom.Histogram
  readonly snapshotBytes: prom.Gauge<'partition'>
  readonly failed: prom.Gauge<'partition'>
}

export function createHostMetrics(registry: Metrics): HostMetrics {
  const registers = [registry]
  const labelNames = ['partition'] as const
  const counter = (name: string, help: string) => new prom.Counter({ name, help, labelNames, registers })
  const gauge = (name: string, help: string) => new prom.Gauge({ name, help, labelNames, registers })
  const buckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
  const histogram = (name: string, help: string) => new prom.Histogram({ name, help, buckets, registers })
  return {
    messages: counter('weir_partition_messages', 'Input messages stepped and committed'),
    replayed: counter('weir_partition_replayed_messages', 'Input messages stepped again on taking a partition over'),
    results: counter('weir_partition_results', 'Results committed'),
    commits: counter('weir_partition_commits', 'Commits stored'),
    fenced: counter('weir_partition_fenced', 'Times that another owner claimed the partition'),
    stepSeconds: counter('weir_partition_step_seconds', 'Time spent in steps'),
    behind: gauge('weir_partition_behind_messages', 'Sequences between what is stepped and the newest of the partition; 0 when level'),
    lagSeconds: gauge('weir_partition_lag_seconds', 'Age of the newest committed message at its commit; 0 once the partition is level'),
    epoch: gauge('weir_partition_epoch', 'Epoch of the claim'),
    commitSeconds: histogram('weir_commit_seconds', 'From the end of a commit’s steps to its acknowledgement'),
    takeOverSeconds: histogram('weir_take_over_seconds', 'From the first try of a claim to the first new message'),
    snapshotBytes: gauge('weir_partition_snapshot_bytes', 'Size of the newest snapshot before compression'),
    failed: gauge('weir_partition_failed', '1 while the partition is stopped by an error that needs a person'),
  }
}

/** Forgets the values of a partition that this process has let go of. */
export function forgetPartition(metrics: HostMetrics, partition: number): void {
  const { behind, lagSeconds, epoch, snapshotBytes } = metrics
  for (const gauge of [behind, lagSeconds, epoch, snapshotBytes]) gauge.remove({ partition: String(partition) })
}
