/**
 * Shapes of what the analytics API takes and gives: one source for the check of parameters and for OpenAPI.
 *
 * Parameters are texts here; times, lists and numbers are read by parameters.ts.
 */

import { z } from '@hono/zod-openapi'
import { PAGE_ROWS, PAGE_ROWS_MAX, SQL_ROWS, SQL_ROWS_MAX, SQL_TIME_MAX_MS, SQL_TIME_MS, TS_MIN_MS, VALUE_MAGNITUDE_MAX } from '../../../runtime/limits.ts'
import { DEVICE, METRIC } from '../../reading/validate-names.ts'

/** What a text must look like, for who reads OpenAPI; parameters.ts checks it, and says in words what is amiss. */
type Form = { readonly enum?: string[]; readonly pattern?: string; readonly type?: 'integer' | 'number'; readonly minimum?: number; readonly maximum?: number; readonly multipleOf?: number }

/** A parameter of a query. */
export const text = (description: string, example?: string | number, form: Form = {}) =>
  z
    .string()
    .optional()
    .openapi({ description, ...(example === undefined ? {} : { example }), ...form })
/** One that is among a few words. */
export const choice = (description: string, words: readonly string[], example: string) => text(description, example, { enum: [...words] })
/** A whole number. */
export const whole = (description: string, example: number, bounds: { minimum: number; maximum: number; multipleOf?: number }) =>
  text(description, example, { type: 'integer', ...bounds })

/** Names with commas between, each of a form. */
const listOf = (name: RegExp) => {
  const one = name.source.slice(1, -1)
  return `^${one}(,${one})*$`
}

export const names = {
  device: text('Device, exactly; several with commas.', 'field-7/probe-2', { pattern: listOf(DEVICE) }),
  metric: text('Metric, exactly; several with commas.', 'soil_moisture', { pattern: listOf(METRIC) }),
}
export const oneDevice = text('Device, exactly one.', 'field-7/probe-2', { pattern: DEVICE.source })
export const oneMetric = text('One metric; all of them by default.', 'soil_moisture')
const needed = { param: { required: true } }
/** One series, both of its names needed. */
export const series = {
  device: text('Device.', 'field-7/probe-2', { pattern: DEVICE.source }).openapi(needed),
  metric: text('Metric.', 'soil_moisture', { pattern: METRIC.source }).openapi(needed),
}
/** Metrics of one device. */
export const drawn = { device: series.device, metric: text('Metric; several with commas.', 'soil_moisture', { pattern: listOf(METRIC) }).openapi(needed) }
export const prefix = { prefix: text('Devices whose names begin so.', 'field-7/', { pattern: DEVICE.source }) }
export const range = {
  from: text('Earliest time, inclusive: epoch ms, RFC 3339, or before now as -1h, -7d.', '-24h'),
  to: text('Latest time, exclusive, in the same forms.', 'now'),
}
export const paging = {
  limit: whole(`Rows of a page, ${PAGE_ROWS} by default.`, 1000, { minimum: 1, maximum: PAGE_ROWS_MAX }),
  cursor: text('The cursor of the page before; all other parameters as they were.'),
}
export const forms = {
  /** Of the formats that the path has (route.ts). */
  format: text('Form of the answer; else as Accept says. arrow is an IPC stream.', 'json'),
  time: choice('ms gives times as epoch milliseconds, rfc3339 (the default) as RFC 3339 in UTC.', ['rfc3339', 'ms'], 'ms'),
}

const time = z.union([z.string(), z.number()]).openapi({
  description: 'RFC 3339 in UTC, or epoch ms where time=ms is asked for.',
  example: '2026-01-01T00:00:00.000Z',
})
const number = z.number().nullable()
const cursor = z.string().nullable().openapi({ description: 'Asks for the next page; null on the last.' })

export const SeriesRow = z
  .object({ device: z.string(), metric: z.string(), count: z.int(), first: time, last: time, value: z.number() })
  .openapi('Series')
const reading = { device: z.string(), metric: z.string(), ts: time, value: z.number(), received_at: time }
export const LatestRow = z.object(reading).openapi('Latest')
export const ReadingRow = z.object(reading).openapi('Reading')
export const WindowRow = z
  .object({
    device: z.string(),
    metric: z.string(),
    size: z.string().openapi({ description: 'As it was asked for.', example: '1h' }),
    start: time,
    count: z.int(),
    min: number,
    max: number,
    mean: number,
    sum: number,
    stddev: number,
    first: number,
    last: number,
    p50: number,
    p95: number,
    p99: number,
    closed_by: z.string().nullable().openapi({
      description: 'watermark, idle, late, or open (provisional); null of a filled row.',
    }),
  })
  .openapi('Window')
export const AnomalyRow = z
  .object({
    device: z.string(),
    metric: z.string(),
    ts: time,
    value: z.number(),
    score: z.number(),
    expected: number,
    lower: number,
    upper: number,
    reason: z.string(),
    kind: z.string().nullable().openapi({ description: 'What sort of thing it is: spike, dip, level shift, drift, pattern, noise change, flat-line, stuck, gap, device (several metrics of the device at once), apart (it leaves the course of its kind); null of those found by earlier versions.' }),
    part: z.string().nullable().openapi({ description: 'The part of the detector that noticed it; device: what looks at the metrics of the device together; neighbours: what compares it with its kind, hour by hour, with the hour as ts and its mean as value.' }),
    useful: z.boolean().nullable().openapi({ description: 'What somebody said of it last; null where nobody has.' }),
    residual: number.optional().openapi({ description: 'Value less expected. With why=true.' }),
    neighbours: z
      .object({
        kind: z.string().nullable().openapi({ description: 'Their names, numbers as #; null where none of its kind measured, and all are taken.', example: 'field-#/probe-#' }),
        devices: z.int().openapi({ description: 'How many of them measured the metric in that hour.' }),
        unusual: z.int().openapi({ description: 'How many of those had an anomaly of the metric within 15 minutes of it.' }),
        median: number.openapi({ description: 'Median of their means.' }),
      })
      .optional()
      .openapi({ description: 'What other devices did. With why=true.' }),
  })
  .openapi('Anomaly')

export const AnomalyAnswer = z
  .strictObject({
    device: z.string().openapi({ example: 'field-7/probe-2' }),
    metric: z.string().openapi({ example: 'soil_moisture' }),
    ts: z.union([z.number(), z.string()]).openapi({ description: 'Of the anomaly.', example: '2026-11-23T18:40:00Z' }),
    value: z.number().optional().openapi({ description: 'Of the anomaly; needed where two of a series are of one time.' }),
    useful: z.boolean(),
  })
  .openapi('AnomalyAnswer')
export const AnomalyAnswered = z.object({ device: z.string(), metric: z.string(), ts: time, value: z.number(), useful: z.boolean() }).openapi('AnomalyAnswered')

export const AlertRow = z
  .object({
    id: z.string(),
    rule: z.string(),
    device: z.string(),
    metric: z.string(),
    severity: z.string(),
    event: z.string(),
    at: time,
    value: number,
    message: z.string(),
    state: z.enum(['open', 'acked', 'shelved', 'resolved']),
    opened_at: time,
    history: z
      .array(z.object({ event: z.string(), severity: z.string(), at: time, value: number, message: z.string(), person: z.string().nullable().openapi({ description: 'Id of the key by which it was done.' }) }))
      .openapi({ description: 'Its events in order: opened, escalated, acknowledged, resolved, reopened, flapping, shelved, unshelved, eased. In JSON alone.' }),
  })
  .openapi('Alert')
export const Forecast = z
  .object({
    device: z.string(),
    metric: z.string(),
    model: z.string().nullable().openapi({ description: 'Null where the series has no forecast.' }),
    made_at: time.nullable(),
    coverage: number.openapi({ description: 'Share of the hours so far whose mean fell within the bounds of 95 % that were forecast of them.' }),
    error: number.openapi({ description: 'Mean absolute error so far, in the unit of the series.' }),
    forecast: z.array(z.object({ ts: time, mean: z.number(), lower: z.number(), upper: z.number(), lower80: z.number(), upper80: z.number() })),
  })
  .openapi('Forecast')

export const list = <T extends z.ZodType>(name: string, row: T) => z.object({ [name]: z.array(row), cursor })

export const Ledger = z
  .object({
    received: z.int(),
    accepted: z.int(),
    rejected: z.int(),
    onTime: z.int(),
    late: z.int(),
    duplicate: z.int(),
    expired: z.int(),
  })
  .openapi('Ledger', { description: 'received = accepted + rejected; accepted = onTime + late + duplicate + expired.' })

export const Graph = z
  .object({
    device: z.string(),
    metric: z.string(),
    from: time,
    to: time,
    width: z.int(),
    source: z.enum(['readings', '1m', '15m', '1h', '1d']),
    stepMs: z.number(),
    ts: z.array(time),
    min: z.array(z.number()),
    max: z.array(z.number()),
    mean: z.array(z.number()),
    last: z.array(z.number()),
    count: z.array(z.int()),
    p50: z.array(number),
    p95: z.array(number),
    gaps: z.array(z.array(time)),
    anomalies: z.object({
      ts: z.array(time),
      value: z.array(z.number()),
      score: z.array(z.number()),
      expected: z.array(number),
      lower: z.array(number),
      upper: z.array(number),
      reason: z.array(z.string()),
    }),
    forecast: z
      .object({
        model: z.string(),
        made_at: time,
        coverage: number,
        error: number,
        ts: z.array(time),
        mean: z.array(z.number()),
        lower: z.array(z.number()),
        upper: z.array(z.number()),
        lower80: z.array(z.number()),
        upper80: z.array(z.number()),
      })
      .nullable()
      .openapi({ description: 'The hours ahead, where the range reaches the present and the series is forecast. Each ts is the middle of its hour.' }),
  })
  .openapi('Graph')
/** Several metrics of one device. */
export const Graphs = z.object({ device: z.string(), from: time, to: time, width: z.int(), series: z.array(Graph) }).openapi('Graphs')

export const Status = z
  .object({
    accepted: z.int(),
    processed: z.int(),
    sealed: z.int(),
    settled: z.boolean(),
    lagMs: z.number(),
    partitions: z.array(
      z.object({
        partition: z.int(),
        owner: z.string().nullable(),
        runtime: z.string().nullable(),
        epoch: z.int(),
        position: z.int(),
        behind: z.int().openapi({ description: 'Readings that the log has and no commit covers.' }),
        pending: z.int().openapi({ description: 'Series that still owe rows of windows.' }),
      }),
    ),
    actors: z.array(
      z.object({
        name: z.string(),
        state: z.string().openapi({ description: 'running, starting, stopped, or away.' }),
        why: z.string().openapi({ description: 'Why it is stopped; else empty.' }),
        worker: z.string(),
      }),
    ).openapi({ description: 'Own actors that some worker has loaded.' }),
    members: z.array(
      z.object({
        id: z.string(),
        role: z.string(),
        runtime: z.string(),
        pid: z.int(),
        url: z.string().nullable(),
        startedAt: time,
        partitions: z.array(z.int()),
      }),
    ),
  })
  .openapi('Status')

export const SqlQuery = z
  .strictObject({
    sql: z.string().openapi({
      description: 'One SELECT of DuckDB over readings, windows, anomalies, alerts, forecasts and rejects.',
      example: 'SELECT device, count(*) AS n FROM readings WHERE ts > $1 GROUP BY ALL',
    }),
    params: z
      .union([z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])), z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))])
      .optional()
      .openapi({ description: 'Values of $1, $2 … or ?, in order; or an object with those of $name.', example: ['2026-01-01T00:00:00Z'] }),
    format: z.enum(['json', 'csv', 'ndjson', 'arrow', 'parquet']).optional().openapi({ description: 'As format= of the query, which it precedes.' }),
    time: z.enum(['ms', 'rfc3339']).optional().openapi({ description: 'As time= of the query, which it precedes.' }),
    maxRows: z.int().min(0).max(SQL_ROWS_MAX).optional().openapi({
      description: `Rows that an answer may have: ${SQL_ROWS} of JSON by default, ${SQL_ROWS_MAX} of other formats. Of more, JSON gives the first and says truncated; the others fail.`,
    }),
    timeoutMs: z.int().min(1).max(SQL_TIME_MAX_MS).optional().openapi({ description: `Time for the whole answer, ${SQL_TIME_MS} by default.` }),
  })
  .openapi('SqlQuery')
export const SqlAnswer = z
  .object({
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    rows: z.array(z.record(z.string(), z.unknown())),
    truncated: z.boolean().openapi({ description: 'Whether there were more rows than maxRows.' }),
  })
  .openapi('SqlAnswer')
export const SqlTables = z
  .object({ tables: z.array(z.object({ name: z.string(), columns: z.array(z.object({ name: z.string(), type: z.string() })) })) })
  .openapi('SqlTables')

export const Problem = z
  .object({ type: z.string(), title: z.string(), status: z.int(), detail: z.string().openapi({ description: 'What to do.' }) })
  .openapi('Problem', { description: 'RFC 9457.' })

export const InfluxError = z
  .object({ code: z.string(), message: z.string(), line: z.int().optional() })
  .openapi('InfluxError', { description: 'As InfluxDB tells errors.' })

const postedValue = z.union([z.number().min(-VALUE_MAGNITUDE_MAX).max(VALUE_MAGNITUDE_MAX), z.boolean()])
const postedMetric = z.string().regex(METRIC)
const posted = {
  device: z.string().regex(DEVICE),
  ts: z.union([z.number().min(TS_MIN_MS), z.string()]).optional().openapi({ description: 'Epoch ms or RFC 3339; left out: now.' }),
}
const PostedReading = z
  .union([
    z.object({ ...posted, metric: postedMetric, value: postedValue }),
    z.object({ ...posted, values: z.record(postedMetric, postedValue) }).openapi({ description: 'Several metrics of one instant.' }),
  ])
  .openapi('PostedReading', { example: { device: 'field-7/probe-2', metric: 'soil_moisture', ts: 1_767_225_600_000, value: 23.4 } })
/** Body of `POST /v1/readings`, which the edge answers. */
export const PostedReadings = z
  .union([PostedReading, z.array(PostedReading), z.object({ readings: z.array(PostedReading) })])
  .openapi('PostedReadings')
export const Verdict = z
  .object({ accepted: z.int(), rejected: z.array(z.object({ index: z.int(), reason: z.string() })) })
  .openapi('Verdict')
