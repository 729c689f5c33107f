/** What a snapshot holds of a partition as a whole: settings, clocks, keys and flags in its first piece; what refers to series, and what is known of kinds, in its last. */

import { toBytes, toFloat64 } from '../../../runtime/codec.ts'
import { TRAITS } from '../../reading/input.ts'
import { DAY_HOURS } from '../../reading/window.ts'
import { Driven } from '../drivers/driven.ts'
import { assertKnown, Flag } from '../flags.ts'
import { LogTime } from '../log-time.ts'
import { readRules, writeRules } from '../rules/snapshot.ts'
import { PartitionState } from '../state.ts'
import { FACTOR_MAX, FACTOR_MIN } from '../tuning.ts'
import { isText, must } from './wire.ts'
import type { Wire } from './wire.ts'

export function writeFirst({ settings, time, accepted, malformed, keys }: PartitionState): Pick<Wire, 'settings' | 'numbers' | 'keys'> {
  const hashes: string[] = []
  const seqs: number[] = []
  const times: number[] = []
  for (const [hash, key] of keys.entries()) {
    hashes.push(hash)
    seqs.push(key.seq)
    times.push(key.atMs)
  }
  return {
    settings: [settings.latenessMs, settings.idleMs, settings.retentionMs],
    numbers: [time.logMs, time.activityMs, accepted, malformed],
    keys: [hashes, toBytes(new Float64Array(seqs)), toBytes(new Float64Array(times))],
  }
}

/** The state of a first piece, without its series. Throws `OperatingError` `version` on a flag that is not `known`. */
export function readFirst(wire: Wire, known: readonly number[]): PartitionState {
  const numbers = [...wire.settings!, ...wire.numbers!]
  must(numbers.length === 7 && numbers.every(Number.isFinite), 'its settings and clocks must be numbers')
  const [latenessMs, idleMs, retentionMs, logMs, activityMs, accepted, malformed] = numbers
  const time = new LogTime()
  time.logMs = logMs
  time.activityMs = activityMs
  const state = new PartitionState(time)
  state.accepted = accepted
  state.malformed = malformed
  state.settings = { latenessMs, idleMs, retentionMs }
  const flags = wire.v >= 2 ? wire.flags! : []
  must(Array.isArray(flags) && flags.every(Number.isInteger) && flags.length > 0 === wire.v >= 2, 'it must name its flags')
  assertKnown(flags, known, 'snapshot')
  for (const flag of flags) state.switchOn(flag)
  const [hashes, seqs, times] = [wire.keys![0], toFloat64(wire.keys![1]), toFloat64(wire.keys![2])]
  must(Array.isArray(hashes) && hashes.every(isText) && hashes.length === seqs.length && hashes.length === times.length, 'it must hold all of each key')
  for (let i = 0; i < hashes.length; i++) state.keys.restore(hashes[i], { seq: seqs[i], atMs: times[i] })
  return state
}

export function writeLast(state: PartitionState): Pick<Wire, 'courses' | 'tuning' | 'driven' | 'priors' | 'rules'> {
  const { courses, tuning, priors, driven, rules } = state
  const out: Pick<Wire, 'courses' | 'tuning' | 'driven' | 'priors' | 'rules'> = {}
  if (state.flags.has(Flag.kin)) out.courses = courses.entries().map((c) => [c.of, c.hour, c.members, c.moved, c.deviation, c.spread])
  if (tuning.size > 0) out.tuning = toBytes(new Float64Array(tuning.entries()))
  if (priors.size > 0) {
    out.priors = priors.entries().map((p) => {
      const groups = p.groups.map((g): [Uint8Array, number, number] => [toBytes(g.centre), g.spread, g.days])
      return p.traits === undefined ? [p.of, p.revision, p.scale, groups] : [p.of, p.revision, p.scale, groups, toBytes(p.traits)]
    })
  }
  if (driven.size > 0) {
    const inOrder = [...driven].sort(([a], [b]) => a - b)
    out.driven = inOrder.map(([id, of]) => [id, of.slots.map((slot) => slot.name), toBytes(Float64Array.from(of.numbers()))])
  }
  if (rules.size > 0) out.rules = writeRules(rules)
  return out
}

/** Its series must be there already. */
export function readLast(wire: Wire, state: PartitionState): void {
  if (wire.tuning !== undefined) readTuning(toFloat64(wire.tuning), state)
  for (const [id, names, numbers] of wire.driven ?? []) {
    must(Number.isInteger(id) && id >= 0 && id < state.series.length && Array.isArray(names) && names.every(isText), 'it must name the series that are driven')
    const driven = new Driven()
    driven.restore(names, toFloat64(numbers))
    state.driven.set(id, driven)
  }
  for (const [of, revision, scale, groups, traits] of wire.priors ?? []) {
    const sound = typeof of === 'string' && Number.isSafeInteger(revision) && scale > 0 && groups.every(([centre]) => toFloat64(centre).length === DAY_HOURS) && (traits === undefined || toFloat64(traits).length === TRAITS)
    must(sound, 'what it knows of kinds must be whole')
    // Copies: a view would keep the whole piece.
    const own = groups.map(([centre, spread, days]) => ({ centre: toFloat64(centre).slice(), spread, days }))
    state.priors.learn({ of, revision, scale, groups: own, ...(traits === undefined ? {} : { traits: toFloat64(traits).slice() }) })
  }
  for (const [of, hour, members, moved, deviation, spread] of wire.courses ?? []) {
    must(typeof of === 'string' && [hour, members, moved, deviation, spread].every(Number.isFinite), 'what it knows of the hours of kinds must be whole')
    state.courses.learn({ of, hour, members, moved, deviation, spread })
  }
  if (wire.rules !== undefined) readRules(wire.rules, state)
}

function readTuning(entries: Float64Array, state: PartitionState): void {
  must(entries.length % 2 === 0, 'it must hold the factor of each series that was answered')
  for (let i = 0; i < entries.length; i += 2) {
    const [series, factor] = [entries[i], entries[i + 1]]
    must(Number.isInteger(series) && series >= 0 && series < state.series.length && factor >= FACTOR_MIN && factor <= FACTOR_MAX, 'its factors must be of its series')
    state.tuning.restore(series, factor)
  }
}
