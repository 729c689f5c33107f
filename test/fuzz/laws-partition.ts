/** Laws of the partition actor as a whole, of its snapshots, and of its parts: sketch, windows' summaries, detector; and of who hears a stranger on the bus. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeRule } from '../../actors/alert/rule.ts'
import { partitionActor } from '../../actors/partition/actor.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import { Flag, FLAGS } from '../../actors/partition/flags.ts'
import { DETECTOR_FIELDS, observe } from '../../actors/partition/series/detector.ts'
import { Bins, keyOf, valueOf } from '../../actors/partition/series/sketch.ts'
import { SummaryPool } from '../../actors/partition/series/summary.ts'
import { MinuteWindow } from '../../actors/partition/series/minute-window.ts'
import { REPORT } from '../../actors/partition/series/ensemble/calibration.ts'
import { judge } from '../../actors/partition/series/ensemble/ensemble.ts'
import { judgement, sentenceOf } from '../../actors/partition/series/ensemble/judgement.ts'
import { makeSlab, SEEN } from '../../actors/partition/series/ensemble/layout.ts'
import { reasonOf, verdict } from '../../actors/partition/series/verdict.ts'
import { piecesOf, restoring } from '../../actors/partition/snapshot/snapshot.ts'
import { decodeInput, encodeBlock, encodeSettings } from '../../actors/reading/input.ts'
import { pack } from '../../runtime/codec.ts'
import { OperatingError } from '../../runtime/errors.ts'
import { Membership } from '../../runtime/membership.ts'
import { ownersOf } from '../../runtime/ownership.ts'
import { NOW_MS } from '../actors/reading/read.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { anyBytes, edits, mutate, refusedOr } from './bytes.ts'
import { law } from './law.ts'
import type { Law } from './law.ts'
import { block, inputBytes, misfits } from './laws-log.ts'
import { ts, value } from './readings.ts'

/** A block whose times lie around the log's, so that windows open, close and are late. */
const near = fc.tuple(block, fc.array(fc.integer({ min: -200_000, max: 90_000 }), { minLength: 8, maxLength: 8 })).map(([b, lags]) => encodeBlock({ ...b, ts: b.ts.map((_, i) => NOW_MS + lags[i]) }))
/** A message that switches on what this version does not know is another matter (test/simulation/upgrade.test.ts). */
function isOfThisVersion(bytes: Uint8Array): boolean {
  const input = refusedOr(bytes, decodeInput, RangeError)
  return input?.kind !== 'settings' || input.flags.every((flag) => FLAGS.includes(flag))
}

const message = fc.oneof(
  { weight: 8, arbitrary: near },
  { weight: 2, arbitrary: inputBytes },
  { weight: 2, arbitrary: fc.constant(partitionActor.tick()) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(9_000), fc.nat(90_000)).map(([latenessMs, idleMs]) => encodeSettings({ latenessMs, idleMs, retentionMs: 0 })) },
  { weight: 1, arbitrary: fc.nat(100_000).map((retentionMs) => encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs }, FLAGS)) },
  { weight: 1, arbitrary: anyBytes },
  { weight: 1, arbitrary: misfits.filter(isOfThisVersion) },
  { weight: 2, arbitrary: fc.tuple(near, edits).map(([b, list]) => mutate(b, list)) },
)
const told = fc.array(fc.tuple(message, fc.integer({ min: -4_000, max: 100_000 })), { minLength: 1, maxLength: 10 })

type State = ReturnType<typeof partitionActor.create>

/** Steps through messages, committing after each; gives what was said. */
function step(state: State, messages: readonly (readonly [Uint8Array, number])[], from = { seq: 0, timeMs: NOW_MS }): Uint8Array[] {
  return messages.map(([data, laterMs]) => {
    from.seq += 3
    from.timeMs += laterMs
    const effects = partitionActor.effects()
    const before = Buffer.from(data)
    partitionActor.step(state, { seq: from.seq, timeMs: from.timeMs, data }, effects)
    assert(before.equals(data), 'a message must not be changed')
    return partitionActor.encode(effects, state)
  })
}

function isNoRule(body: string): boolean {
  try {
    decodeRule(body)
    return false
  } catch {
    return true
  }
}

const isFinite = (numbers: Iterable<number>) => [...numbers].every(Number.isFinite)
const values = fc.array(value, { minLength: 1, maxLength: 60 })

const summaryOf = (list: readonly number[]) => {
  const minute = new MinuteWindow(0)
  list.forEach((v, i) => minute.add(i, v + 0))
  const summary = new SummaryPool().take(0)
  minute.summarize(summary)
  return summary
}
const FIELDS = ['id', 'role', 'url', 'runtime', 'pid', 'startedAt', 'partitions', 'flags']
const STRANGER = { id: 'x', role: 'worker', url: null, runtime: 'node', pid: 1, startedAt: 1, partitions: [{ partition: 0, epoch: 1, seq: 1 }], flags: [1] }

export const partitionLaws: Law[] = [
  law('no message stops a partition, and every row of a block has its fate', 60, [told], (messages) => {
    const state = partitionActor.create()
    let accepted = 0
    let malformed = 0
    const flags = new Set<number>()
    for (const [data] of messages) {
      const input = refusedOr(data, decodeInput, RangeError)
      // What only later versions can read is, until the log says that all of them can, what nobody can read.
      if (input === null || (input.kind === 'feedback' && !flags.has(Flag.feedback)) || (input.kind === 'prior' && !flags.has(Flag.fleet)) || (input.kind === 'hour' && !flags.has(Flag.drivers)) || (input.kind === 'courses' && !flags.has(Flag.kin)) || ((input.kind === 'rule' || input.kind === 'action') && !flags.has(Flag.rules)) || (input.kind === 'rule' && input.body !== null && isNoRule(input.body))) malformed++
      else if (input.kind === 'settings') input.flags.forEach((flag) => flags.add(flag))
      else if (input.kind === 'block') accepted += input.row.length
    }
    for (const payload of step(state, messages)) {
      const { windows, fates } = decodeEffects(payload)
      for (const w of windows) assert(w.count >= 1 && w.min <= w.p50 && w.p50 <= w.max && w.min <= w.first && w.last <= w.max, JSON.stringify(w))
      for (const f of fates) {
        const rows = [...f.duplicate, ...f.expired, ...f.old]
        assert.equal(new Set(rows).size, rows.length, 'a row has one fate')
      }
    }
    assert.deepEqual({ accepted: state.accepted, malformed: state.malformed }, { accepted, malformed })
  }),
  law('a snapshot that was read is written as the same bytes, and goes on to the same story', 60, [told, told], (before, after) => {
    const state = partitionActor.create()
    const at = { seq: 0, timeMs: NOW_MS }
    step(state, before, at)
    const bytes = partitionActor.snapshot(state)
    const restored = refusedOr(bytes, partitionActor.restore)!
    assert(Buffer.from(partitionActor.snapshot(restored)).equals(bytes), 'the same bytes')
    const twin = { ...at }
    assert.deepEqual(step(restored, after, twin), step(state, after, at))
    assert(Buffer.from(partitionActor.snapshot(restored)).equals(partitionActor.snapshot(state)))
  }),
  law('a changed snapshot is refused, or is a state that goes on', 60, [told, edits, told], (before, list, after) => {
    const state = partitionActor.create()
    step(state, before)
    const restored = refusedOr(mutate(partitionActor.snapshot(state), list), partitionActor.restore, RangeError, OperatingError)
    if (restored === null) return
    step(restored, after)
    partitionActor.snapshot(restored)
  }),
  law('a snapshot in pieces of which one was changed is refused, or is a state that goes on; unchanged it is the state that was written', 60, [told, edits, fc.nat(), told], (before, list, at, after) => {
    const state = partitionActor.create()
    step(state, [[encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS), 0], ...before])
    const pieces = Array.from(piecesOf(state, 2), (piece) => piece.slice())
    const read = (some: readonly Uint8Array[]) => {
      const whole = restoring(FLAGS)
      for (const piece of some) whole.take(piece)
      return whole.done()
    }
    assert(Buffer.from(partitionActor.snapshot(read(pieces))).equals(partitionActor.snapshot(state)))
    const changed = at % pieces.length
    const restored = refusedOr(mutate(pieces[changed], list), (bytes) => read(pieces.map((piece, i) => (i === changed ? bytes : piece))), RangeError, OperatingError)
    if (restored === null) return
    step(restored, after)
    partitionActor.snapshot(restored)
  }),
  law('bytes of nobody are no snapshot', 20, [fc.oneof(anyBytes, misfits)], (bytes) => {
    assert.equal(refusedOr(bytes, partitionActor.restore, RangeError, OperatingError), null)
  }),
  law('a value lies within 1 % of its bin', 120, [value], (v) => {
    const got = valueOf(keyOf(v))
    assert(Math.abs(got - v) <= 0.01 * Math.abs(v), `${v} ${got}`)
    assert.equal(keyOf(-v), 0 - keyOf(v))
  }),
  law('greater values have no lesser bins', 60, [value, value], (a, b) => {
    if (a < b) assert(keyOf(a) <= keyOf(b))
  }),
  law('bins that are merged are those of all values', 60, [values, values], (a, b) => {
    const filled = (list: readonly number[]) => {
      const bins = new Bins()
      bins.fill(Float64Array.from(list).sort(), list.length)
      return bins
    }
    const seen = (bins: Bins) => bins.keys.slice(0, bins.length).map((key, i) => [key, bins.counts[i]])
    const merged = filled(a)
    merged.merge(filled(b))
    assert.deepEqual(seen(merged), seen(filled([...a, ...b])))
  }),
  law('summaries that are merged are that of all readings', 60, [values, values], (a, b) => {
    const merged = new SummaryPool().take(0)
    merged.absorb(summaryOf(a))
    merged.absorb(summaryOf(b))
    const all = [...a, ...b].map((v) => v + 0).sort((x, y) => x - y)
    assert.deepEqual([merged.count, merged.min, merged.max], [all.length, all[0], all.at(-1)])
    for (const percent of [50, 95, 99]) assert.equal(merged.percentile(percent), all[Math.max(1, Math.ceil((percent * all.length) / 100)) - 1])
    assert(merged.stddev() >= 0 || all.length === 1)
  }),
  law('the detector keeps finite numbers and says sound verdicts, whatever it sees', 60, [fc.array(fc.tuple(ts, value), { minLength: 1, maxLength: 60 }), fc.integer({ min: 0, max: 90 })], (list, calm) => {
    const slab = new Float64Array(DETECTOR_FIELDS)
    const observed = [...Array.from({ length: calm }, (_, i) => [NOW_MS + i * 1_000, i % 7] as const), ...list]
    for (const [at, v] of observed) {
      const found = observe(slab, 0, at, v)
      assert(isFinite(slab), `${[...slab]}`)
      if (!found) continue
      assert(verdict.score >= 0.5 && verdict.score < 1 && verdict.lower <= verdict.expected && verdict.expected <= verdict.upper, JSON.stringify(verdict))
      assert(reasonOf(v).length < 300)
    }
  }),
  law('the ensemble keeps finite numbers, names and bands, whatever it sees', 60, [fc.array(fc.tuple(ts, value), { minLength: 1, maxLength: 60 }), fc.integer({ min: 0, max: 400 })], (list, calm) => {
    const slab = makeSlab(1)
    const observed = [...Array.from({ length: calm }, (_, i) => [NOW_MS + i * 1_000_000, i % 7] as const), ...list]
    for (const [at, v] of observed) {
      judge(slab, 0, at, v)
      const { score } = judgement
      assert(score >= 0 && score < 1 && judgement.lower <= judgement.expected && judgement.expected <= judgement.upper, JSON.stringify(judgement))
      if (score >= REPORT) assert(/^.{10,300}$/.test(sentenceOf(v)) && !/NaN|undefined/.test(sentenceOf(v)), sentenceOf(v))
    }
    assert(isFinite(slab.doubles.subarray(0, SEEN / 2)), `${[...slab.doubles]}`)
    assert(slab.singles.subarray(SEEN).every((n) => !(Math.abs(n) > 3.5e38)), `${[...slab.singles]}`)
  }),
  law('a stranger on the bus is no member, or one that can be shared with', 40, [fc.oneof(anyBytes, fc.tuple(fc.constantFrom(...FIELDS), fc.jsonValue({ maxDepth: 2 })).map(([f, v]) => pack(['beat', { ...STRANGER, [f]: v }])), edits.map((list) => mutate(pack(['hello', STRANGER]), list)))], (bytes) => {
    const clock = new ManualClock({ seed: 1 })
    let hear: (data: Uint8Array, subject: string) => void = () => {}
    const bus = { send: () => {}, listen: (_: string, on: typeof hear) => ((hear = on), () => {}) }
    const self = { ...STRANGER, id: 'self', role: 'worker', runtime: 'node' } as const
    const membership = new Membership({ bus, clock, self })
    membership.start()
    hear(bytes, 'weir.members.worker.x')
    hear(bytes, 'weir.members.worker.x')
    const ids = membership.view('worker').map((m) => m.id)
    assert(ids.every((id) => typeof id === 'string') && ownersOf(16, ids).size === 16)
    for (const m of membership.view('worker')) for (const p of m.partitions) assert(Number.isSafeInteger(p.partition))
    membership.stop()
  }),
]
