/** Laws of what is in the logs and beside them: input, journal, effects, snapshot objects, manifests, words of members. */

import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import fc from 'fast-check'
import { decodeEffects, EffectsBuilder } from '../../actors/partition/effects.ts'
import type { PartitionEffects, WindowRow } from '../../actors/partition/effects.ts'
import { parseRule } from '../../actors/alert/document.ts'
import { EVENTS } from '../../actors/alert/life.ts'
import { HORIZON_MAX, rowsOf } from '../../actors/partition/forecasts.ts'
import type { Forecast } from '../../actors/partition/forecasts.ts'
import { decodeInput, ALERT_VERBS, encodeAction, encodeBlock, encodeCourses, encodeDriverHour, encodeFeedback, encodePrior, encodeRejects, encodeRule, encodeSettings, encodeTick, TRAITS } from '../../actors/reading/input.ts'
import type { Input } from '../../actors/reading/input.ts'
import { CLOSED_BY } from '../../actors/reading/window.ts'
import { manifestPath, readManifest } from '../../actors/store/manifest.ts'
import { pack } from '../../runtime/codec.ts'
import { decodeJournal, encodeJournal, JournalReader } from '../../runtime/journal.ts'
import type { JournalHeader } from '../../runtime/journal.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { readSnapshot, writeSnapshot } from '../../runtime/snapshots.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { anyBytes, edits, mutate, refusedOr } from './bytes.ts'
import { law } from './law.ts'
import type { Law } from './law.ts'
import { device, metric, ts, value } from './readings.ts'

const hash = fc.constantFrom('0'.repeat(32), 'f'.repeat(32), '7')

/** A block as an edge may write it. */
export const block = fc
  .record({
    tenant: fc.constantFrom('default', 'other'),
    devices: fc.array(device, { minLength: 1, maxLength: 3 }),
    metrics: fc.array(metric, { minLength: 1, maxLength: 3 }),
    series: fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { minLength: 1, maxLength: 4 }),
    rows: fc.array(fc.tuple(fc.nat(3), ts, value), { minLength: 1, maxLength: 8 }),
    keyed: fc.array(fc.tuple(hash, fc.nat(8), fc.nat(8)), { maxLength: 2 }),
  })
  .map(({ tenant, devices, metrics, series, rows, keyed }) => ({
    tenant,
    devices,
    metrics,
    seriesDevice: Uint16Array.from(series, ([d]) => d % devices.length),
    seriesMetric: Uint16Array.from(series, ([, m]) => m % metrics.length),
    row: Uint16Array.from(rows, ([s]) => s % series.length),
    ts: Float64Array.from(rows, ([, t]) => t),
    value: Float64Array.from(rows, ([, , v]) => v),
    keyed: keyed.map(([h, a, b]) => ({ hash: h, from: Math.min(a, b, rows.length), to: Math.min(Math.max(a, b), rows.length) })),
  }))
/** Bodies of rules as the API stores them, and one that is none. */
const RULES = [
  { select: { metric: 'a' }, when: { above: 1, clear: 0 }, steps: [{ severity: 'critical', when: { above: 2 } }] },
  { select: { metric: 'b', prefix: 'd' }, when: { any: [{ silent: 'learned' }, { not: { rises: 1, within: '1m' } }, { metric: 'a', deviates: '5%' }] }, for: '5s' },
].map((document) => JSON.stringify(parseRule(document).rule)).concat('{}')
const settings = fc.record({ latenessMs: fc.nat(600_000), idleMs: fc.nat(600_000), retentionMs: fc.oneof(fc.constant(0), fc.nat(10 ** 9)) }, { noNullPrototype: true })
const rejects = fc.record(
  { tenant: fc.constant('default'), counts: fc.array(fc.tuple(device, fc.nat(1_000)), { maxLength: 3 }), samples: fc.array(fc.tuple(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 })), { maxLength: 3 }) },
  { noNullPrototype: true },
)
const feedback = fc.record({ tenant: fc.constant('default'), device, metric, ts: fc.integer(), value: fc.integer(), useful: fc.boolean() }, { noNullPrototype: true })
const driverHour = fc.record(
  { tenant: fc.constant('default'), device, metric, slot: fc.nat(3), driver: fc.constant('a\nb'), hour: fc.nat(1_000_000).map((h) => h * 3_600_000), value: fc.integer() },
  { noNullPrototype: true },
)
const prior = fc.record(
  {
    of: fc.string({ maxLength: 9 }), revision: fc.nat(), scale: fc.integer({ min: 1, max: 99 }),
    groups: fc.array(fc.record({ centre: fc.array(fc.integer(), { minLength: 24, maxLength: 24 }).map((c) => Float64Array.from(c)), spread: fc.nat(9), days: fc.nat(9) }, { noNullPrototype: true }), { maxLength: 3 }),
  },
  { noNullPrototype: true },
)
const course = fc
  .record({ of: fc.constantFrom('default\na\nm', 'x'), hour: fc.nat(1_000_000).map((h) => h * 3_600_000), members: fc.nat(99), moved: fc.nat(99), deviation: value.map((n) => n + 0), spread: fc.nat(9) }, { noNullPrototype: true })
  .map((c) => ({ ...c, moved: Math.min(c.moved, c.members) }))
const rule = fc.record({ tenant: fc.constant('default'), id: fc.string({ maxLength: 9 }), revision: fc.integer({ min: 1 }), body: fc.option(fc.constantFrom(...RULES)) }, { noNullPrototype: true })
const action = fc
  .record(
    { tenant: fc.constant('default'), device, metric, alert: fc.string({ maxLength: 9 }), action: fc.constantFrom(...ALERT_VERBS), by: fc.string({ maxLength: 9 }), note: fc.string({ maxLength: 9 }), until: fc.nat() },
    { noNullPrototype: true },
  )
  .map(({ until, ...a }) => (a.action === 'shelve' ? { ...a, until } : a))
/** A message of the input as its writers make it, and what it says. */
const input: fc.Arbitrary<{ bytes: Uint8Array; input: Input }> = fc.oneof(
  { weight: 4, arbitrary: block.map((b) => ({ bytes: encodeBlock(b), input: { kind: 'block', ...b } as Input })) },
  { weight: 1, arbitrary: rejects.map((r) => ({ bytes: encodeRejects(r), input: { kind: 'rejects', ...r } as Input })) },
  { weight: 1, arbitrary: settings.map((s) => ({ bytes: encodeSettings(s), input: { kind: 'settings', settings: s, flags: [] } as Input })) },
  { weight: 1, arbitrary: fc.constant({ bytes: encodeTick(), input: { kind: 'tick' } as Input }) },
  { weight: 1, arbitrary: feedback.map((f) => ({ bytes: encodeFeedback(f), input: { kind: 'feedback', ...f } as Input })) },
  { weight: 1, arbitrary: driverHour.map((h) => ({ bytes: encodeDriverHour(h), input: { kind: 'hour', ...h } as Input })) },
  { weight: 1, arbitrary: fc.tuple(prior, fc.option(fc.array(fc.integer(), { minLength: TRAITS, maxLength: TRAITS }))).map(([p, t]) => (t === null ? p : { ...p, traits: Float64Array.from(t) })).map((p) => ({ bytes: encodePrior(p), input: { kind: 'prior', ...p } as Input })) },
  { weight: 1, arbitrary: fc.array(course, { maxLength: 3 }).map((courses) => ({ bytes: encodeCourses(courses), input: { kind: 'courses', courses } as Input })) },
  { weight: 1, arbitrary: rule.map((r) => ({ bytes: encodeRule(r), input: { kind: 'rule', ...r } as Input })) },
  { weight: 1, arbitrary: action.map((a) => ({ bytes: encodeAction(a), input: { kind: 'action', ...a } as Input })) },
)
export const inputBytes = input.map(({ bytes }) => bytes)
/** What may stand in the place of a part of a message: the right kind of bytes around the wrong kind of thing. */
const misfit = fc.oneof(fc.jsonValue({ maxDepth: 2 }), anyBytes, fc.constantFrom(NaN, Infinity, -1, 1e308, 2 ** 53))
const WIRES: Record<string, string[]> = { b: ['t', 'd', 'm', 'sd', 'sm', 'r', 'b', 'w', 'ts', 'v', 'i'], x: ['t', 'c', 's'], s: ['s', 'f'], t: [], h: ['t', 'd', 'm', 'n', 'o', 'h', 'v'], p: ['o', 'r', 's', 'g', 'a'], c: ['h'], u: ['t', 'd', 'm', 'ts', 'v', 'u'], r: ['t', 'i', 'n', 'b'], a: ['t', 'd', 'm', 'i', 'a', 'w', 'n'] }
export const misfits = fc.constantFrom(...Object.keys(WIRES)).chain((k) => fc.tuple(...WIRES[k].map(() => misfit)).map((of) => pack({ k, ...Object.fromEntries(WIRES[k].map((name, i) => [name, of[i]])) })))

/** What every reader of the input log relies on. */
function assertInput(got: Input): void {
  const isText = (t: unknown) => assert.equal(typeof t, 'string')
  if (got.kind === 'settings') for (const ms of Object.values(got.settings)) assert(typeof ms === 'number' && ms >= 0 && Number.isFinite(ms), `settings ${ms}`)
  if (got.kind === 'rejects') {
    isText(got.tenant)
    for (const [of, count] of got.counts) assert(typeof of === 'string' && Number.isSafeInteger(count) && count >= 0)
    for (const [reason, text] of got.samples) assert(typeof reason === 'string' && typeof text === 'string')
  }
  if (got.kind === 'feedback') assert(typeof got.useful === 'boolean' && Number.isFinite(got.ts) && Number.isFinite(got.value) && [got.tenant, got.device, got.metric].every((n) => typeof n === 'string'))
  if (got.kind === 'prior') assert(got.scale > 0 && got.groups.every((g) => g.centre.length === 24 && g.centre.every(Number.isFinite)) && (got.traits === undefined || (got.traits.length === TRAITS && got.traits.every(Number.isFinite))))
  if (got.kind === 'courses') assert(got.courses.every((c) => c.members >= c.moved && c.spread >= 0 && [c.hour, c.moved, c.deviation].every(Number.isFinite)))
  if (got.kind === 'rule') assert(typeof got.id === 'string' && got.revision >= 1 && (got.body === null || typeof got.body === 'string'))
  if (got.kind === 'action') assert(ALERT_VERBS.includes(got.action) && Number.isFinite(got.until ?? 0) && (got.until === undefined) === (got.action !== 'shelve') && [got.tenant, got.device, got.metric, got.alert, got.by, got.note].every((n) => typeof n === 'string'))
  if (got.kind !== 'block') return
  for (const name of [got.tenant, ...got.devices, ...got.metrics]) isText(name)
  for (let i = 0; i < got.row.length; i++) {
    const s = got.row[i]
    assert(got.devices[got.seriesDevice[s]] !== undefined && got.metrics[got.seriesMetric[s]] !== undefined)
    assert(Number.isInteger(got.ts[i]) && Math.abs(got.value[i]) <= 1e100)
  }
  for (const { hash: h, from, to } of got.keyed) assert(typeof h === 'string' && from >= 0 && from <= to && to <= got.row.length && Number.isInteger(from) && Number.isInteger(to))
}

// Outside of columns a negative zero travels as zero.
const number = fc.oneof(fc.double(), fc.integer()).map((n) => n + 0)
const windowRow: fc.Arbitrary<WindowRow> = fc.record(
  {
    series: fc.nat(2), size: fc.nat(3), start: fc.integer(), count: fc.nat(), sum: number, min: number, max: number, stddev: number, first: number, last: number,
    p50: number, p95: number, p99: number, closedBy: fc.constantFrom(...CLOSED_BY),
  },
  { noNullPrototype: true },
)
const ascending = fc.uniqueArray(fc.nat(1_000), { maxLength: 4 }).map((list) => Uint32Array.from(list.sort((a, b) => a - b)))
const effects: fc.Arbitrary<PartitionEffects> = fc
  .record(
    {
      accepted: fc.nat(), pending: fc.nat(), logTimeMs: fc.nat(),
      series: fc.array(fc.record({ tenant: fc.constant('default'), device, metric }, { noNullPrototype: true }), { minLength: 3, maxLength: 3 }),
      fates: fc.array(fc.record({ seq: fc.nat(), duplicate: ascending, expired: ascending, old: ascending }, { noNullPrototype: true }), { maxLength: 2 }),
      windows: fc.array(windowRow, { maxLength: 4 }),
      anomalies: fc.array(
        fc.record({ series: fc.nat(2), ts: fc.integer(), value: number, score: number, expected: number, lower: number, upper: number, reason: fc.string({ maxLength: 8 }) }, { noNullPrototype: true }),
        { maxLength: 2 },
      ),
      feedback: fc.array(fc.record({ series: fc.nat(2), ts: fc.integer(), value: number, useful: fc.boolean(), factor: number }, { noNullPrototype: true }), { maxLength: 2 }),
      profiles: fc.array(fc.record({ series: fc.nat(2), day: fc.integer(), level: number, amplitude: number, course: fc.array(fc.float().map((n) => n + 0), { minLength: 24, maxLength: 24 }).map((c) => Float64Array.from(c)), cluster: fc.integer({ min: -1, max: 9 }), distance: number }, { noNullPrototype: true }), { maxLength: 2 }),
      drivers: fc.array(fc.record({ series: fc.nat(2), at: fc.integer(), driverDevice: device, driverMetric: metric, effects: fc.array(number, { minLength: 3, maxLength: 3 }), errors: fc.array(number, { minLength: 3, maxLength: 3 }), gain: number, hours: fc.nat() }, { noNullPrototype: true }), { maxLength: 2 }),
      hours: fc.array(fc.record({ series: fc.nat(2), hour: fc.nat().map((h) => h * 3_600_000), deviation: fc.double(), moved: fc.boolean() }, { noNullPrototype: true }), { maxLength: 3 }),
      alerts: fc.array(fc.record({ series: fc.nat(2), at: fc.integer(), value: number, number: fc.nat(), id: fc.string({ maxLength: 8 }), rule: fc.string({ maxLength: 8 }), severity: fc.string({ maxLength: 8 }), event: fc.constantFrom(...EVENTS), message: fc.string({ maxLength: 8 }), by: fc.option(fc.string({ maxLength: 8 })) }, { noNullPrototype: true }), { maxLength: 2 }),
      rules: fc.array(fc.record({ tenant: fc.constant('default'), id: fc.string({ maxLength: 8 }), revision: fc.nat() }, { noNullPrototype: true }), { maxLength: 2 }),
      own: fc.array(fc.record({ series: fc.nat(2), at: fc.integer(), number: fc.nat(), body: fc.string({ maxLength: 8 }) }, { noNullPrototype: true }), { maxLength: 2 }),
      ownView: fc.option(fc.record({ actor: fc.string({ maxLength: 8 }), code: fc.string({ maxLength: 8 }), columns: fc.array(fc.tuple(fc.string({ maxLength: 4 }), fc.constantFrom('DOUBLE', 'VARCHAR')), { maxLength: 3 }) }, { noNullPrototype: true })),
    },
    { noNullPrototype: true },
  )
  .map((e) => ({ ...e, own: e.ownView === null ? [] : e.own, forecasts: [], fates: e.fates.map((f) => ({ ...f, closedUntil: Float64Array.from(f.old, (n) => n * 60_000) })) }))

const forecastsOf = fc.array(
  fc.record({ series: fc.nat(2), madeAt: fc.integer(), steps: fc.integer({ min: 1, max: HORIZON_MAX }), mean: value, width: fc.nat(1_000), model: fc.constantFrom('a', 'b'), coverage: fc.double(), error: number }),
  { minLength: 1, maxLength: 3 },
)

function forecastOf({ width, mean, ...f }: { series: number; madeAt: number; steps: number; mean: number; width: number; model: string; coverage: number; error: number }): Forecast {
  const column = (by: number) => Float64Array.from({ length: f.steps }, (_, i) => mean + i + by * width)
  return { ...f, mean: column(0), lower: column(-2), upper: column(2), lower80: column(-1), upper80: column(1) }
}

function encodeEffects(e: PartitionEffects): Uint8Array {
  const builder = new EffectsBuilder()
  for (const name of e.series) builder.addSeries(name)
  for (const row of e.windows) builder.addWindow(row)
  builder.fates.push(...e.fates)
  builder.anomalies.push(...e.anomalies)
  for (const f of e.forecasts) builder.forecasts.add(f)
  builder.feedback.push(...e.feedback)
  builder.profiles.push(...e.profiles)
  builder.drivers.push(...e.drivers)
  builder.hours.push(...e.hours)
  builder.alerts.push(...e.alerts)
  builder.rules.push(...e.rules)
  builder.own.push(...e.own)
  builder.ownView = e.ownView
  return builder.encode(e)
}

/** What readers of commits rely on. */
function assertEffects(e: PartitionEffects): void {
  for (const total of [e.accepted, e.pending, e.logTimeMs]) assert(typeof total === 'number')
  for (const { tenant, device: d, metric: m } of e.series) for (const name of [tenant, d, m]) assert.equal(typeof name, 'string')
  for (const w of e.windows) assert(e.series[w.series] !== undefined && w.size >= 0 && w.size <= 3 && CLOSED_BY.includes(w.closedBy) && typeof w.p99 === 'number')
  for (const a of e.anomalies) assert(e.series[a.series] !== undefined && typeof a.ts === 'number' && typeof a.reason === 'string')
  for (const f of e.forecasts) {
    assert(e.series[f.series] !== undefined && typeof f.model === 'string' && typeof f.madeAt === 'number' && f.steps >= 1 && f.steps <= HORIZON_MAX)
    for (const row of rowsOf(f)) for (const n of Object.values(row).filter((part) => part !== f.model)) assert(typeof n === 'number')
  }
  for (const f of e.feedback) assert(e.series[f.series] !== undefined && typeof f.factor === 'number' && typeof f.useful === 'boolean')
  for (const p of e.profiles) assert(e.series[p.series] !== undefined && p.course.length === 24 && typeof p.cluster === 'number')
  for (const d of e.drivers) assert(e.series[d.series] !== undefined && d.effects.length === 3 && d.errors.length === 3 && typeof d.driverDevice === 'string')
  for (const h of e.hours) assert(e.series[h.series] !== undefined && typeof h.deviation === 'number' && typeof h.moved === 'boolean')
  for (const a of e.alerts) assert(e.series[a.series] !== undefined && typeof a.at === 'number' && EVENTS.includes(a.event) && [a.id, a.rule, a.severity, a.message].every((text) => typeof text === 'string'))
  for (const r of e.rules) assert(typeof r.tenant === 'string' && typeof r.id === 'string' && r.revision >= 0)
  for (const row of e.own) assert(e.series[row.series] !== undefined && Number.isFinite(row.at) && Number.isSafeInteger(row.number) && typeof row.body === 'string')
  for (const column of e.ownView?.columns ?? []) assert(column.length === 2 && column.every((part) => typeof part === 'string'))
  for (const f of e.fates) assert(typeof f.seq === 'number' && f.old.length === f.closedUntil.length)
}

const COLUMNS = ['mean', 'lower', 'upper', 'lower80', 'upper80'] as const
const EFFECT_FIELDS = ['a', 'p', 'l', 's', 'f', 'ws', 'wk', 'wn', 'an', 'fc', 'fb', 'pf', 'dr', 'hr', 'al', 'rl', 'ow']
const position = { created: 'c', seq: 7, timeMs: 70 }
const piece = fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ minLength: 1, maxLength: 8 }).map((b) => new Uint8Array(2_000).fill(b[0])))
const header = (kind: JournalHeader['kind'], rest: Partial<JournalHeader> = {}): JournalHeader => ({
  kind, partition: 0, epoch: 1, owner: 'w', nonce: 'n', position, snapshots: [{ name: 'partition.0.1.7', position }], part: 0, ...rest,
})
const HEADER_FIELDS = ['kind', 'partition', 'epoch', 'owner', 'nonce', 'position', 'snapshots', 'part'] as const

function assertHeader(h: JournalHeader): void {
  assert(['claim', 'part', 'commit'].includes(h.kind) && typeof h.owner === 'string' && typeof h.nonce === 'string')
  for (const n of [h.partition, h.epoch, h.part, h.position.seq]) assert(Number.isSafeInteger(n) && n >= 0)
  for (const { name, position: p } of [{ name: '', position: h.position }, ...h.snapshots]) {
    assert(typeof name === 'string' && typeof p.created === 'string' && typeof p.seq === 'number' && typeof p.timeMs === 'number')
  }
}

interface Sent {
  readonly seq: number
  readonly timeMs: number
  readonly data: Uint8Array
}

/** Commits of one owner, some in parts, as they stand in the log. */
function journalOf(sizes: readonly number[]): { messages: Sent[]; payloads: Buffer[] } {
  const messages: Sent[] = []
  const payloads: Buffer[] = []
  const put = (h: JournalHeader, payload?: Uint8Array) => messages.push({ seq: messages.length + 1, timeMs: 1, data: encodeJournal(h, payload) })
  put(header('claim'))
  for (const [i, parts] of sizes.entries()) {
    const pieces = Array.from({ length: parts + 1 }, (_, part) => Uint8Array.of(i, part, i ^ part))
    const begun = parts > 0 ? { first: messages.length + 1 } : {}
    pieces.slice(0, -1).forEach((piece, part) => put(header('part', { part, ...(part > 0 ? begun : {}) }), piece))
    put(header('commit', { part: parts, position: { ...position, seq: 8 + i }, ...begun }), pieces[parts])
    payloads.push(Buffer.concat(pieces))
  }
  return { messages, payloads }
}

const folder = mkdtempSync(join(tmpdir(), 'weir-fuzz-'))
process.on('exit', () => void import('node:fs').then(({ rmSync }) => rmSync(folder, { recursive: true, force: true })))
const MANIFEST = {
  format: 1, version: 4, madeAt: 1, resultsCreated: 'c', resultsBase: 0, resultsFrom: 1, inputFrom: { READINGS_0: { created: 'c', seq: 1 } }, settleUntil: null,
  covered: { 0: { input: position, resultsSeq: 3, accepted: 9, pending: 0 } },
  segments: [{ file: 'a.duckdb', level: 0, sealedFrom: 1, sealedTo: 2, bytes: 3, rows: { readings: 1 }, tsMin: 1, tsMax: 2, readingsMin: 1, readingsMax: 2 }], superseded: [],
}

export const logLaws: Law[] = [
  law('a message of the input reads back as what was written', 60, [input], ({ bytes, input: wanted }) => {
    const got = refusedOr(bytes, decodeInput)
    assert.deepEqual(got, wanted)
    assertInput(got!)
  }),
  law('a changed message of the input is refused, or is one that holds what readers rely on', 120, [inputBytes, edits], (bytes, list) => {
    const got = refusedOr(mutate(bytes, list), decodeInput, RangeError)
    if (got !== null) assertInput(got)
  }),
  law('a message of the input with things in wrong places is refused, or sound', 60, [misfits], (bytes) => {
    const got = refusedOr(bytes, decodeInput, RangeError)
    if (got !== null) assertInput(got)
  }),
  law('bytes of nobody are no message of the input, or a sound one', 60, [anyBytes], (bytes) => {
    const got = refusedOr(bytes, decodeInput, RangeError)
    if (got !== null) assertInput(got)
  }),
  law('the effects of a commit read back as what was written', 30, [effects], (e) => {
    const bytes = encodeEffects(e)
    assert.deepEqual(refusedOr(bytes, decodeEffects), { ...e, fates: e.fates })
    assert(Buffer.from(encodeEffects(decodeEffects(bytes))).equals(bytes))
  }),
  law('forecasts of a commit read back to seven places of their span, and in any change are refused or sound', 40, [effects, forecastsOf, edits], (e, list, changes) => {
    const forecasts = list.map(forecastOf)
    const bytes = encodeEffects({ ...e, forecasts })
    const got = refusedOr(bytes, decodeEffects)!
    assertEffects(got)
    assert.deepEqual({ ...got, forecasts: [] }, e)
    assert.equal(got.forecasts.length, forecasts.length)
    for (const [i, f] of forecasts.entries()) {
      const { mean, lower, upper, lower80, upper80, ...head } = got.forecasts[i]
      assert.deepEqual(head, { series: f.series, madeAt: f.madeAt, steps: f.steps, model: f.model, coverage: f.coverage, error: f.error })
      const span = Math.max(...COLUMNS.flatMap((name) => [...f[name]].map((v) => Math.abs(v - f.mean[0]))))
      const columns = { mean, lower, upper, lower80, upper80 }
      for (const name of COLUMNS) for (let h = 0; h < f.steps; h++) assert(Math.abs(columns[name][h] - f[name][h]) <= 1e-7 * span + 1e-15 * Math.abs(f.mean[0]))
    }
    const changed = refusedOr(mutate(bytes, changes), decodeEffects, RangeError)
    if (changed !== null) assertEffects(changed)
  }),
  law('changed effects are refused, or hold what readers rely on', 60, [effects, edits], (e, list) => {
    const got = refusedOr(mutate(encodeEffects(e), list), decodeEffects, RangeError)
    if (got !== null) assertEffects(got)
  }),
  law('effects with things in wrong places are refused, or sound', 40, [fc.tuple(...EFFECT_FIELDS.map(() => misfit))], (of) => {
    const got = refusedOr(pack({ v: 2, ...Object.fromEntries(EFFECT_FIELDS.map((name, i) => [name, of[i]])) }), decodeEffects, RangeError)
    if (got !== null) assertEffects(got)
  }),
  law('a journal message reads back, and a changed one is refused or whole', 80, [fc.constantFrom('claim', 'part', 'commit' as const), fc.nat(4), anyBytes, edits], (kind, part, payload, list) => {
    const h = header(kind as JournalHeader['kind'], { part })
    const bytes = encodeJournal(h, payload)
    const whole = refusedOr(bytes, decodeJournal)!
    assert.deepEqual({ header: whole.header, payload: [...whole.payload] }, { header: h, payload: [...payload] })
    const got = refusedOr(mutate(bytes, list), decodeJournal, RangeError)
    if (got === null) return
    assertHeader(got.header)
    assert(got.payload instanceof Uint8Array)
  }),
  law('a journal message with things in wrong places is refused or whole', 40, [fc.constantFrom(...HEADER_FIELDS), misfit], (field, thing) => {
    const got = refusedOr(pack([1, { ...header('commit'), [field]: thing }, new Uint8Array(2)]), decodeJournal, RangeError)
    if (got !== null) assertHeader(got.header)
  }),
  law('of commits in parts, some lost and some read twice or early, each that is put together is one that was written', 60, [fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }), fc.array(fc.tuple(fc.constantFrom('lose', 'again', 'early', 'garbage'), fc.nat(30), fc.nat(30)), { maxLength: 4 })], (sizes, troubles) => {
    const { messages, payloads } = journalOf(sizes)
    const read = [...messages]
    for (const [kind, a, b] of troubles) {
      const [from, to] = [a % read.length, b % read.length]
      if (kind === 'lose') read.splice(from, 1)
      else if (kind === 'again') read.splice(to, 0, read[from])
      else if (kind === 'early') read.splice(to, 0, ...read.splice(from, 1))
      else read.splice(to, 0, { seq: 1, timeMs: 1, data: Uint8Array.of(a, b) })
      if (read.length === 0) return
    }
    const journal = new JournalReader()
    let commits = 0
    for (const message of read) {
      const got = refusedOr(message.data, (data) => journal.accept({ ...message, data }), RangeError)
      if (got === null || 'claim' in got) continue
      commits++
      assert(payloads[got.commit.header.position.seq - 8].equals(got.commit.payload), 'a commit that nobody wrote')
    }
    if (troubles.length === 0) assert.equal(commits, sizes.length)
  }),
  law('a snapshot object comes back as its pieces; a changed one is never taken for whole', 20, [fc.array(piece, { minLength: 1, maxLength: 4 }), edits, fc.integer({ min: 1, max: 300 })], async (pieces, list, step) => {
    const objects = await new MemoryWorld({ clock: new ManualClock() }).connect().objects('snapshots')
    const about = { actor: 'partition', version: 1, partition: 0, epoch: 1, position, pieces, count: pieces.length }
    const ref = await writeSnapshot(objects, about)
    const actor = { name: 'partition', snapshotVersion: 2 }
    const given = async (at: typeof ref) => {
      const got: Uint8Array[] = []
      return (await readSnapshot(objects, at, actor, (bytes) => got.push(new Uint8Array(bytes)))) ? got.map((bytes) => Buffer.from(bytes).toString('hex')) : null
    }
    const wanted = pieces.map((bytes) => Buffer.from(bytes).toString('hex'))
    assert.deepEqual(await given(ref), wanted)
    const whole = (await objects.get(ref.name))!
    await objects.put(ref.name, mutate(whole, list))
    const got = await given(ref)
    assert(got === null || got.join() === wanted.join())
    for (let length = whole.byteLength - 1; length > 0; length -= step) {
      await objects.put(ref.name, whole.subarray(0, length))
      assert.equal(await given(ref), null)
    }
    await objects.put(ref.name, whole)
    assert.equal(await given({ ...ref, position: { ...position, seq: 8 } }), null)
  }),
  law('a manifest that was changed is none, or one whose lists can be walked', 4, [edits], async (list) => {
    writeFileSync(manifestPath(folder, 4), mutate(Buffer.from(JSON.stringify(MANIFEST)), list))
    const got = await readManifest(folder, 4)
    if (got === null) return
    for (const segment of got.segments) assert(typeof segment.file === 'string' && typeof segment.bytes === 'number' && !segment.file.includes('/'))
    for (const old of got.superseded) assert.equal(typeof old.file, 'string')
    for (const of of Object.values(got.covered)) assert(typeof of.input.seq === 'number' && typeof of.resultsSeq === 'number')
  }),
]
