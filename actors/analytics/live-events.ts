/**
 * Live events as text of Server-Sent Events: the rows of a block, and the results of a commit, that one subscriber is to have.
 *
 * Rows of a message are numbered from 0, windows and anomalies of a commit together: the number is part of an event's id, so that a
 * stream that was cut within a message goes on within it.
 */

import { sizeMs } from '../partition/effects.ts'
import type { PartitionEffects } from '../partition/effects.ts'
import { WINDOW_SIZES_MS, WINDOW_SIZE_NAMES } from '../reading/window.ts'
import type { Block } from '../reading/input.ts'
import { suffixOf } from './live-ids.ts'
import type { Kind, LiveFilter } from './live-subscriber.ts'
import { matches } from './series-catalog.ts'
import { formatTime } from './times.ts'

/** The events of a block that a subscriber is to have. `prefix` is the id up to the row, `from` the first row. */
export function readingEvents(
  filter: LiveFilter,
  { stream, timeMs, block, prefix, from = 0 }: { stream: number; timeMs: number; block: Block; prefix: string; from?: number },
): string {
  if (!filter.kinds.has('reading') || block.tenant !== filter.tenant) return ''
  const names = new Array<string | null>(block.seriesDevice.length)
  let any = false
  for (let s = 0; s < names.length; s++) {
    const device = block.devices[block.seriesDevice[s]]
    const metric = block.metrics[block.seriesMetric[s]]
    const wanted = matches(filter.filter, device, metric)
    names[s] = wanted ? `{"device":${JSON.stringify(device)},"metric":${JSON.stringify(metric)},"ts":` : null
    any ||= wanted
  }
  if (!any) return ''
  const received = filter.timeMs ? String(timeMs) : `"${formatTime(timeMs)}"`
  const last = block.ts.length - 1
  let out = ''
  for (let i = from; i <= last; i++) {
    const name = names[block.row[i]]
    if (name === null) continue
    const ts = filter.timeMs ? String(block.ts[i]) : `"${formatTime(block.ts[i])}"`
    const data = `${name}${ts},"value":${block.value[i]},"received_at":${received}}`
    out += `event: reading\nid: ${prefix}${i === last ? '' : suffixOf(stream, i)}\ndata: ${data}\n\n`
  }
  return out
}

/** The events of a commit that a subscriber is to have: windows first, then anomalies, numbered together. */
export function resultEvents(
  filter: LiveFilter,
  { stream, effects, prefix, from = 0 }: { stream: number; effects: PartitionEffects; prefix: string; from?: number },
): string {
  const wanted = effects.series.map((s) => s.tenant === filter.tenant && matches(filter.filter, s.device, s.metric))
  if (!wanted.includes(true)) return ''
  const time = (ms: number) => (filter.timeMs ? ms : formatTime(ms))
  const last = effects.windows.length + effects.anomalies.length - 1
  let out = ''
  const event = (kind: Kind, row: number, data: object) => {
    out += `event: ${kind}\nid: ${prefix}${row === last ? '' : suffixOf(stream, row)}\ndata: ${JSON.stringify(data)}\n\n`
  }
  if (filter.kinds.has('window')) {
    for (let i = from; i < effects.windows.length; i++) {
      const w = effects.windows[i]
      if (!wanted[w.series]) continue
      const { device, metric } = effects.series[w.series]
      const { count, min, max, sum, stddev, first, last: lastValue, p50, p95, p99, closedBy } = w
      const size = WINDOW_SIZE_NAMES[WINDOW_SIZES_MS.indexOf(sizeMs(w) as (typeof WINDOW_SIZES_MS)[number])]
      const numbers = { count, min, max, mean: sum / count, sum, stddev, first, last: lastValue, p50, p95, p99 }
      event('window', i, { device, metric, size, start: time(w.start), ...numbers, closed_by: closedBy })
    }
  }
  if (filter.kinds.has('anomaly')) {
    for (let j = Math.max(0, from - effects.windows.length); j < effects.anomalies.length; j++) {
      const a = effects.anomalies[j]
      if (!wanted[a.series]) continue
      const { device, metric } = effects.series[a.series]
      const { value, score, expected, lower, upper, reason } = a
      event('anomaly', effects.windows.length + j, { device, metric, ts: time(a.ts), value, score, expected, lower, upper, reason })
    }
  }
  return out
}
