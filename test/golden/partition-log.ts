/**
 * A recorded log of one partition, kept as the seed that makes it: six hours of a small farm, told in 3,000-odd messages of every kind.
 *
 * In it: steady probes, one that doubles everything, one that uploads late batches, one whose clock is ahead, one that falls silent, spikes
 * and a stuck value, retried keys, settings that change, ticks, an outage, a log clock that steps back, and bytes of someone else.
 * Only arithmetic that is the same on every engine goes into it.
 */

import { parseRule } from '../../actors/alert/document.ts'
import { partitionActor } from '../../actors/partition/actor.ts'
import { Flag, FLAGS } from '../../actors/partition/flags.ts'
import { encodeAction, encodeCourses, encodeDriverHour, encodeFeedback, encodePrior, encodeRejects, encodeRule, encodeSettings } from '../../actors/reading/input.ts'
import type { KeyedRows, Reading } from '../../actors/reading/input.ts'
import type { InputMessage } from '../../runtime/actor.ts'
import { blockOf, HOUR, MINUTE, seeded, T0 } from '../actors/partition/harness.ts'

const STEP_MS = 7_000

/**
 * The recorded log with each flag of this version switched on early in it, and twice with what they are about: while there is a retention,
 * a tick of a server whose clock stands two hours ahead.
 */
export function flaggedLog(): InputMessage[] {
  const messages = goldenLog()
  const settings = { latenessMs: 5_000, idleMs: 60_000, retentionMs: 30 * MINUTE }
  const put = (at: number, laterMs: number, data: Uint8Array) => messages.splice(at, 0, { seq: 0, timeMs: messages[at].timeMs + laterMs, data })
  for (const at of [2_480, 400]) {
    put(at + 40, 2 * HOUR, partitionActor.tick())
    put(at, 0, encodeSettings(settings, at === 400 ? FLAGS : []))
  }
  // Answers to anomalies, before the log has switched them on and after it.
  for (const at of [2_520, 440, 420, 10]) put(at, 0, encodeFeedback({ tenant: 'default', device: 'field-1/a', metric: 'soil', ts: T0, value: 1, useful: at === 420 }))
  return messages.map((message, i) => ({ ...message, seq: 3 * i + 1 }))
}

/**
 * Five weeks of three series by the hour, with forecasts switched on from the beginning: one of days and weeks, one that is often silent, falls
 * and jumps to another level, and one that is nothing most of the time.
 */
export function forecastLog(): InputMessage[] {
  const random = seeded(77)
  const messages: InputMessage[] = []
  const put = (timeMs: number, data: Uint8Array) => messages.push({ seq: 2 * messages.length + 1, timeMs, data })
  const noise = () => random() + random() + random() - 1.5
  const quarter = (v: number) => Math.round(v * 4) / 4
  const day = (h: number) => Math.abs((h % 24) - 12)
  put(T0, encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, [Flag.ageAtReceipt, Flag.forecasts]))
  let level = 0
  for (let h = 0; h < 840; h++) {
    level += 0.2 * noise() + (h === 600 ? 25 : 0)
    const ts = T0 + h * HOUR + 7 * MINUTE
    const readings: Reading[] = [{ device: 'house', metric: 'power', ts, value: quarter(40 + 3 * day(h) + (Math.floor(h / 24) % 7 >= 5 ? 0 : 15) + 4 * noise()) }]
    if (random() > 0.2 && !(h > 300 && h < 330)) readings.push({ device: 'field', metric: 'temperature', ts: ts + 9_000, value: quarter(level + day(h) - 8 + noise()) })
    readings.push({ device: 'field', metric: 'rain', ts, value: random() < 0.9 ? 0 : quarter(8 * random()) })
    put(ts + 10_000, blockOf(readings))
  }
  for (let s = 1; s < 90; s++) put(T0 + 839 * HOUR + 58 * MINUTE + s * 5_000, partitionActor.tick())
  return messages
}

/**
 * The same with each flag switched on but that of the ensemble, which has a recording of its own, a prior of the kind of two of the series,
 * another one of a lesser revision, and hours of the rain that drives the field.
 */
export function insightLog(): InputMessage[] {
  const random = seeded(78)
  const put: InputMessage[] = []
  const centre = Float64Array.from({ length: 24 }, (_, h) => (Math.abs(h - 12) - 6) / 4)
  for (const [i, message] of forecastLog().entries()) {
    const { timeMs } = message
    put.push(i === 0 ? { ...message, data: encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS.filter((flag) => flag !== Flag.ensemble)) } : message)
    for (const [at, revision] of [[5, 7], [9, 3], [400, 8]]) {
      if (i === at) put.push({ seq: 0, timeMs, data: encodePrior({ of: 'default\nfield\ntemperature', revision, scale: revision, groups: [{ centre, spread: 0.25, days: 9 }, { centre: centre.map((c) => -c), spread: 0.5, days: 2 }] }) })
    }
    const hour = Math.floor((timeMs - T0) / HOUR) - 1
    const driver = i < 500 ? 'field\nrain' : 'field\nwind'
    if (i > 1 && i < 840) put.push({ seq: 0, timeMs, data: encodeDriverHour({ tenant: 'default', device: 'field', metric: 'temperature', slot: 1, driver, hour: T0 + hour * HOUR, value: Math.round(16 * random()) / 4 }) })
    if (i % 90 === 50) put.push({ seq: 0, timeMs, data: encodeFeedback({ tenant: 'default', device: 'house', metric: 'power', ts: T0, value: 1, useful: i % 180 === 50 }) })
  }
  return put.map((message, i) => ({ ...message, seq: 3 * i + 1 }))
}

/**
 * Nine days of four series by ten minutes, with the ensemble and answers switched on from the beginning, and a fault of each kind in them:
 * spikes, a step, a drift, a broken day, another noise, a rest, and a silence.
 */
export function ensembleLog(): InputMessage[] {
  const random = seeded(78)
  const messages: InputMessage[] = []
  const put = (timeMs: number, data: Uint8Array) => messages.push({ seq: 3 * messages.length + 2, timeMs, data })
  const noise = () => random() + random() + random() - 1.5
  const day = (i: number) => Math.abs((i % 144) - 72) / 6
  put(T0, encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, [Flag.ageAtReceipt, Flag.ensemble, Flag.feedback]))
  for (let i = 0; i < 1_296; i++) {
    const ts = T0 + i * 10 * MINUTE
    const readings: Reading[] = [
      { device: 'house', metric: 'temperature', ts, value: 10 + (i >= 1_008 && i < 1_152 ? 6 : day(i)) + 0.2 * noise() },
      { device: 'house', metric: 'pressure', ts, value: 1_000 + noise() + (i === 500 || i === 900 ? 20 : 0) - (i === 700 ? 20 : 0) + (i >= 1_100 ? 15 : 0) },
      { device: 'field', metric: 'level', ts, value: 5 + 0.1 * noise() * (i >= 1_100 ? 12 : 1) + (i >= 800 && i < 1_100 ? Math.min(3, (i - 800) / 50) : 0) },
    ]
    if (i < 950 || i >= 1_000) readings.push({ device: 'field', metric: 'moisture', ts, value: i >= 600 && i < 700 ? 33 : 30 + noise() })
    put(ts + 2_000, blockOf(readings))
    if (i === 520) for (let n = 0; n < 3; n++) put(ts + 3_000, encodeFeedback({ tenant: 'default', device: 'house', metric: 'pressure', ts: T0 + 500 * 10 * MINUTE, value: 1, useful: n > 0 }))
  }
  for (let s = 1; s < 90; s++) put(T0 + 1_296 * 10 * MINUTE + s * 5_000, partitionActor.tick())
  return messages
}

/**
 * Ten days of two devices by ten minutes, with each flag of this version switched on from the beginning: one of three metrics, all of which are a little off
 * from the eighth day on, and one that is never more than two metrics wide.
 */
export function deviceLog(): InputMessage[] {
  const random = seeded(79)
  const messages: InputMessage[] = []
  const put = (timeMs: number, data: Uint8Array) => messages.push({ seq: 2 * messages.length + 1, timeMs, data })
  const noise = () => random() + random() + random() + random() - 2
  const quarter = (v: number) => Math.round(v * 400) / 400
  const day = (i: number) => Math.abs((i % 144) - 72) / 12
  put(T0, encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS))
  for (let i = 0; i < 1_440; i++) {
    const ts = T0 + i * 10 * MINUTE
    const off = i >= 1_100 ? 1.2 : 0
    const readings: Reading[] = ['temperature', 'humidity', 'wind'].map((metric, m) => ({ device: 'mast', metric, ts, value: quarter(20 + (m - 1) * day(i) + noise() + (m === 1 ? -off : off)) }))
    readings.push({ device: 'shed', metric: 'temperature', ts, value: quarter(15 + day(i) + noise()) })
    if (i % 100 > 50) readings.push({ device: 'shed', metric: 'humidity', ts, value: quarter(60 + noise()) })
    put(ts + 2_000, blockOf(readings))
  }
  for (let s = 1; s < 90; s++) put(T0 + 1_440 * 10 * MINUTE + s * 5_000, partitionActor.tick())
  return messages
}

/**
 * Two weeks of six devices of one kind by the hour, with each flag of this version switched on from the beginning, and what the kind did in each hour, told
 * behind it: one device drifts away from the eleventh day on, one rests on the twelfth, and on the thirteenth all of them cool.
 */
export function kinLog(): InputMessage[] {
  const random = seeded(80)
  const messages: InputMessage[] = []
  const put = (timeMs: number, data: Uint8Array) => messages.push({ seq: 3 * messages.length + 1, timeMs, data })
  const noise = () => random() + random() + random() - 1.5
  const quarter = (v: number) => Math.round(v * 400) / 400
  put(T0, encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS))
  const past: number[] = []
  let held = 0
  for (let h = 0; h < 336; h++) {
    const ts = T0 + h * HOUR + 20 * MINUTE
    const sound = Math.abs((h % 24) - 12) / 3 + 0.5 * noise() - (h >= 300 ? Math.min(9, (h - 300) / 2) : 0)
    past.push(sound)
    const readings: Reading[] = [0, 1, 2, 3, 4, 5].map((d) => ({ device: `probe-${d}`, metric: 'temperature', ts: ts + 1_000 * d, value: quarter(10 + d + sound * (1 + d / 40) + 0.1 * noise() + (d === 1 && h >= 250 ? (h - 250) / 20 : 0)) }))
    if (h < 280) held = readings[2].value
    else readings[2] = { ...readings[2], value: held }
    put(ts + 10_000, blockOf(readings))
    const before = [1, 2, 3, 4, 5, 6, 7].filter((day) => h - 1 - 24 * day >= 0).map((day) => past[h - 1 - 24 * day])
    if (before.length < 3) continue
    const course = { hour: T0 + (h - 1) * HOUR, members: 6, moved: h > 280 ? 5 : 6, deviation: past[h - 1] - before.reduce((a, b) => a + b, 0) / before.length, spread: 0.05 }
    const of = 'default\nprobe-#\ntemperature'
    // Every tenth comes twice, and every fiftieth with others, of which the partition has no series.
    for (let n = h % 10 === 0 ? 2 : 1; n > 0; n--) put(ts + 12_000, encodeCourses([...(h % 50 === 0 ? [{ ...course, of: 'default\nmast\nwind' }] : []), { ...course, of }]))
  }
  for (let s = 1; s < 90; s++) put(T0 + 336 * HOUR + s * 5_000, partitionActor.tick())
  return messages
}

/**
 * Five days of four series by ten minutes that begin one after the other, with each flag of this version switched on from the beginning, of which three are
 * of a kind that has traits to lend; each has a spike early in it.
 */
export function loanLog(): InputMessage[] {
  const random = seeded(81)
  const messages: InputMessage[] = []
  const put = (timeMs: number, data: Uint8Array) => messages.push({ seq: 2 * messages.length + 3, timeMs, data })
  const noise = () => random() + random() + random() + random() - 2
  const quarter = (v: number) => Math.round(v * 400) / 400
  const day = (i: number) => Math.abs((i % 144) - 72) / 12 - 3
  const groups = [{ centre: Float64Array.from({ length: 24 }, (_, h) => (Math.abs(h - 12) - 6) / 3.5), spread: 0.25, days: 9 }]
  const traits = Float64Array.of(0.65, 2.25, 1.5, 2.5, 3.5, 1.25, 1.75, 0.875, 0.5, 0.5, 0.375, 10 * MINUTE, 0.25, 0.125)
  put(T0, encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS))
  for (const revision of [2, 1]) put(T0, encodePrior({ of: 'default\nprobe-#\ntemperature', revision, scale: 1.75 / revision, groups, traits }))
  for (let i = 0; i < 720; i++) {
    const ts = T0 + i * 10 * MINUTE
    const value = (from: number) => quarter(15 + day(i) + noise() + (i === from + 40 ? 8 : 0))
    const readings: Reading[] = [{ device: 'probe-1', metric: 'temperature', ts, value: value(0) }]
    if (i >= 30) readings.push({ device: 'shed', metric: 'temperature', ts, value: value(30) })
    for (const [n, from] of [[2, 200], [3, 560]]) if (i >= from) readings.push({ device: `probe-${n}`, metric: 'temperature', ts, value: value(from) })
    put(ts + 2_000, blockOf(readings))
  }
  for (let s = 1; s < 90; s++) put(T0 + 720 * 10 * MINUTE + s * 5_000, partitionActor.tick())
  return messages
}

/**
 * Four hours of three probes by the half-minute, with what rules go by switched on from the beginning, and rules of every sort
 * over them that are changed and taken back, people who answer their alerts, silences, and a value that flaps.
 */
export function ruleLog(): InputMessage[] {
  const random = seeded(79)
  const messages: InputMessage[] = []
  const put = (timeMs: number, data: Uint8Array) => messages.push({ seq: 3 * messages.length + 1, timeMs, data })
  const rule = (timeMs: number, id: string, revision: number, document: object | null) => put(timeMs, encodeRule({ tenant: 'default', id, revision, body: document === null ? null : JSON.stringify(parseRule(document).rule) }))
  const select = { metric: 'soil' }
  put(T0, encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, [Flag.ageAtReceipt, Flag.forecasts, Flag.feedback, Flag.rules]))
  rule(T0, 'dry', 1, { name: 'Too dry', select, when: { below: 12, clear: 14 }, for: '2m', steps: [{ severity: 'critical', when: { below: 8 } }], labels: { crop: 'maize' }, message: '{labels.crop}: {what}' })
  rule(T0, 'silent', 2, { select: { metric: 'soil', prefix: 'field/' }, when: { any: [{ silent: '5m' }, { silent: 'learned' }] } })
  rule(T0, 'night', 3, { select, when: { rises: 6, within: '10m' }, schedule: { zone: 'Europe/Vienna', from: '22:00', to: '02:30' } })
  rule(T0, 'wet', 4, { select, when: { all: [{ deviates: '20%', from: '15m' }, { metric: 'rain', above: 0 }, { not: { metric: 'rain', above: 9 } }] }, flapping: { count: 3, within: '10m' } })
  rule(T0, 'odd', 5, { select, when: { anomaly: 0.5, hold: '2m' } })
  rule(T0, 'soon', 6, { select, when: { forecast: { below: 12 }, within: '6h' } })
  const quarter = (v: number) => Math.round(v * 4) / 4
  for (let i = 0; i < 480; i++) {
    const ts = T0 + i * 30_000
    const readings: Reading[] = []
    for (const [d, device] of ['field/a', 'field/b', 'yard'].entries()) {
      if (device === 'field/b' && i % 120 > 95) continue
      const jump = i % 160 === 155 ? 40 : 0
      readings.push({ device, metric: 'soil', ts: ts - d * 1_000, value: quarter(Math.abs(((i >> (d + 1)) % 40) - 20) + 2 * random() + jump) })
      if (i % 3 === 0) readings.push({ device, metric: 'rain', ts, value: random() < 0.6 ? 0 : quarter(12 * random()) })
    }
    put(ts + 500, blockOf(readings))
    if (i % 120 === 100) put(ts + 600, partitionActor.tick())
    if (i === 200) rule(ts + 700, 'dry', 7, { select: { metric: 'soil', devices: ['field/a', 'field/b'] }, when: { below: 14 } })
    if (i === 200) rule(ts + 700, 'dry', 6, { select, when: { below: 99 } })
    if (i === 400) rule(ts + 700, 'silent', 8, null)
    if (i % 40 !== 39) continue
    // Whoever answers names an alert that a straight run has told; most are of another time, and of no effect.
    const alerts = toldOf(messages).filter((a) => a.device === 'field/a')
    for (const [n, { id }] of alerts.slice(-2).entries()) put(ts + 800, encodeAction({ tenant: 'default', device: 'field/a', metric: 'soil', alert: id, action: (i + n) % 80 < 41 ? 'ack' : 'resolve', by: 'ann', note: n === 0 ? '' : 'seen' }))
  }
  for (let s = 1; s < 400; s++) put(T0 + 480 * 30_000 + s * 2_000, partitionActor.tick())
  return messages
}

/** Five hours of one probe by the half-minute whose value goes up and down, a rule that eases, and people who put its alerts aside and take them up again. */
export function shelfLog(): InputMessage[] {
  const messages: InputMessage[] = []
  const put = (timeMs: number, data: Uint8Array) => messages.push({ seq: 3 * messages.length + 1, timeMs, data })
  put(T0, encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, [Flag.ageAtReceipt, Flag.rules]))
  const { rule } = parseRule({ name: 'Too dry', select: { metric: 'soil' }, when: { below: 12, clear: 14 }, steps: [{ severity: 'critical', when: { below: 8, clear: 9 } }], eases: true, reopen: '2m', flapping: { count: 8, within: '20m' } })
  put(T0, encodeRule({ tenant: 'default', id: 'dry', revision: 1, body: JSON.stringify(rule) }))
  for (let i = 0; i < 600; i++) {
    const ts = T0 + i * 30_000
    put(ts + 500, blockOf([{ device: 'field/a', metric: 'soil', ts, value: 6 + ((i * 7) % 13) + (i % 50 > 40 ? 6 : 0) }]))
    if (i % 9 !== 5) continue
    const [last] = toldOf(messages).slice(-1)
    const action = (['shelve', 'ack', 'unshelve', 'shelve', 'resolve', 'shelve'] as const)[(i / 9) % 6 | 0]
    if (last !== undefined) put(ts + 800, encodeAction({ tenant: 'default', device: 'field/a', metric: 'soil', alert: last.id, action, by: 'ann', note: '', ...(action === 'shelve' ? { until: ts + (2 + (i % 4)) * 150_000 } : {}) }))
  }
  for (let s = 1; s < 400; s++) put(T0 + 600 * 30_000 + s * 2_000, partitionActor.tick())
  return messages
}

/** The alerts of a log so far. */
function toldOf(messages: readonly InputMessage[]): { id: string; device: string }[] {
  const state = partitionActor.create()
  const effects = partitionActor.effects()
  for (const message of messages) partitionActor.step(state, message, effects)
  return effects.alerts.map(({ id, series }) => ({ id, device: effects.series[series].device }))
}

export function goldenLog(seed = 2_026): InputMessage[] {
  const random = seeded(seed)
  const messages: InputMessage[] = []
  const held: Reading[] = []
  let seq = 0
  const put = (timeMs: number, data: Uint8Array) => messages.push({ seq: (seq += 1 + Math.floor(random() * 9)), timeMs, data })
  const noise = () => (random() + random() + random() - 1.5) * 0.8
  const quarter = (v: number) => Math.round(v * 400) / 400
  let drift = 15
  for (let i = 0; i < 3_086; i++) {
    const now = T0 + 11 * MINUTE + i * STEP_MS + (i > 1_500 ? 20 * MINUTE : 0)
    const stepped = i % 97 === 0 ? now - 4_000 : now
    drift += noise() * 0.01
    const readings: Reading[] = []
    for (const device of ['field-1/a', 'field-1/b', 'field-2/doubles']) {
      const spike = i % 811 === 700 ? 9 : 0
      readings.push({ device, metric: 'soil', ts: now - Math.floor(random() * 900), value: quarter(drift + noise() + spike) })
    }
    const stuck = i > 2_000 && i < 2_200
    if (i < 1_000 || i > 1_100) readings.push({ device: 'field-1/a', metric: 'ec', ts: now, value: stuck ? 1.5 : quarter(1.5 + noise()) })
    readings.push({ device: 'ahead', metric: 'soil', ts: now + 7 * MINUTE, value: quarter(20 + noise()) })
    if (i < 900 || i > 2_500) {
      readings.push({ device: 'silent', metric: 'rain', ts: now - 50, value: random() < 0.95 ? 0 : quarter(random() * 1e6) })
    }
    held.push({ device: 'late', metric: 'soil', ts: now - Math.floor(random() * 30_000), value: quarter(-drift + noise()) })
    if (random() < 0.01) readings.push(...held.splice(0))
    if (i % 3 === 0) readings.push(...readings.filter((r) => r.device === 'field-2/doubles'))
    const keyed: KeyedRows[] = i % 10 < 2 ? [{ hash: Math.floor(i / 10).toString(16).padStart(32, '0'), from: 0, to: 2 }] : []
    put(stepped, blockOf(readings, keyed, i % 50 === 49 ? 'other' : 'default'))
    if (i % 400 === 399) {
      const retentionMs = i > 2_000 ? 30 * MINUTE : 0
      put(now, encodeSettings({ latenessMs: 1_000 * (1 + (i % 7)), idleMs: 10_000 * (1 + (i % 5)), retentionMs }))
    }
    if (i % 123 === 7) put(now, encodeRejects({ tenant: 'default', counts: [['field-1/a', 2]], samples: [['no number', '{"value":"x"}']] }))
    if (i % 333 === 8) put(now, Uint8Array.of(0xc1, i % 256))
    if (i % 5 === 0) put(now + 1_000, partitionActor.tick())
  }
  const end = messages[messages.length - 1].timeMs
  for (let s = 1; s < 400; s++) put(end + s * 1_000, partitionActor.tick())
  return messages
}
