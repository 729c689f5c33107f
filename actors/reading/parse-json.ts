/**
 * JSON, a reading a line (NDJSON), and the walk over parsed items that msgpack shares.
 *
 * The engine's own JSON.parse is the fastest parser there is here. Before it a scan bounds the nesting, since each open bracket
 * costs the parser memory of its own. After it only own, named members are read, so that `__proto__` and the like are mere names.
 */

import { BODY_DEPTH_MAX, LINES_BROKEN_MAX } from '../../runtime/limits.ts'
import { quote } from './validate.ts'
import type { Batch } from './validate.ts'

const SHAPES = 'a reading, an array of readings, {"readings": [...]}, or columns {"device": [...], "metric": [...], "ts": [...], "value": [...]}'

export function parseJson(text: string, batch: Batch): void {
  const json = parseGuarded(text)
  if (typeof json.failure === 'string') return batch.refuse(json.failure, text.slice(0, 1024))
  addBody(json.value, batch)
}

/** One reading a line; blank lines are skipped and not counted, so that an index is that of a line that says something. */
export function parseNdjson(text: string, batch: Batch): void {
  let from = 0
  let index = 0
  let broken = 0
  while (from < text.length && !batch.tooMany) {
    let to = text.indexOf('\n', from)
    if (to === -1) to = text.length
    const line = text.slice(from, to)
    from = to + 1
    if (isBlank(line)) continue
    const json = parseGuarded(line)
    if (typeof json.failure === 'string') {
      const { failure } = json
      if (++broken > LINES_BROKEN_MAX) return batch.refuse(`more than ${LINES_BROKEN_MAX} lines are no JSON: the first was refused with ${quote(batch.rejected[0]?.reason)}.`)
      batch.reject(index, '', () => failure, line)
    } else addItem(index, json.value, batch)
    index++
  }
}

function isBlank(line: string): boolean {
  return line.length < 3 ? line.trim() === '' : line.charCodeAt(0) <= 32 && line.trim() === ''
}

/** `{value}`, or `{failure}` with a sentence. */
export function parseGuarded(text: string): { value?: unknown; failure?: string } {
  if (deeperThan(text, BODY_DEPTH_MAX)) return { failure: `the JSON must be nested at most ${BODY_DEPTH_MAX} deep.` }
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    return { failure: `the JSON can't be parsed: ${(error as Error).message.slice(0, 160).toWellFormed()}.` }
  }
}

/** Whether brackets outside strings ever stand more than `depthMax` deep. */
function deeperThan(text: string, depthMax: number): boolean {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: {
        // To the closing quote: the next one that no odd run of backslashes escapes.
        for (i++; i < text.length; i++) {
          const c = text.charCodeAt(i)
          if (c === 0x5c) i++
          else if (c === 0x22) break
        }
        break
      }
      case 0x5b:
      case 0x7b:
        if (++depth > depthMax) return true
        break
      case 0x5d:
      case 0x7d:
        depth--
        break
    }
  }
  return false
}

/** A parsed body, of whatever format, in any of the shapes of a request. */
export function addBody(body: unknown, batch: Batch): void {
  if (Array.isArray(body)) return addItems(body, batch)
  if (typeof body !== 'object' || body === null) return batch.refuse(`the body must be ${SHAPES}: current value is ${quote(body)}.`)
  const { readings, device, metric, ts, value } = body as Record<string, unknown>
  if (Array.isArray(readings)) return addItems(readings, batch)
  if (Array.isArray(value) || Array.isArray(ts) || Array.isArray(device) || Array.isArray(metric)) {
    return addColumns({ device, metric, ts, value }, batch)
  }
  addItem(0, body, batch)
}

function addItems(items: unknown[], batch: Batch): void {
  for (let i = 0; i < items.length && !batch.tooMany; i++) addItem(i, items[i], batch)
}

function addItem(index: number, item: unknown, batch: Batch): void {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return batch.reject(index, '', () => `a reading must be an object: current value is ${quote(item)}.`, item)
  }
  const { device, metric, ts, value, values } = item as Record<string, unknown>
  if (values === undefined) return batch.add(index, device, metric, ts, value, item)
  if (metric !== undefined || value !== undefined) {
    return batch.reject(index, '', () => 'a reading must have either metric and value, or values: it has both.', item)
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    return batch.reject(index, '', () => `values must be an object of metrics: current value is ${quote(values)}.`, item)
  }
  const metrics = Object.keys(values)
  if (metrics.length === 0) return batch.reject(index, '', () => 'values must hold at least one metric: it is empty.', item)
  for (const name of metrics) {
    if (batch.tooMany) return
    batch.add(index, device, name, ts, (values as Record<string, unknown>)[name], item, 'metric')
  }
}

/** Columns of one length; `device` and `metric` (and `ts`) may each be one value for all rows. */
function addColumns(columns: { device: unknown; metric: unknown; ts: unknown; value: unknown }, batch: Batch): void {
  const { device, metric, ts, value } = columns
  if (!Array.isArray(value)) return batch.refuse('the column "value" must be an array, as another column is one.')
  const rows = value.length
  for (const [name, column] of Object.entries({ device, metric, ts })) {
    if (Array.isArray(column) && column.length !== rows) {
      return batch.refuse(`columns must be of one length: "${name}" has ${column.length} rows, "value" has ${rows}.`)
    }
  }
  const devices = Array.isArray(device) ? device : null
  const metrics = Array.isArray(metric) ? metric : null
  const times = Array.isArray(ts) ? ts : null
  for (let i = 0; i < rows && !batch.tooMany; i++) {
    batch.add(i, devices === null ? device : devices[i], metrics === null ? metric : metrics[i], times === null ? ts : times[i], value[i])
  }
}
