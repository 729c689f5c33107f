/**
 * One run of the simulator: faults first, then everything heals, and within bounded virtual time all must have come to what a batch
 * computation over the input says.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { isOwn, partitionFor, partitionOf } from '../../../runtime/topology.ts'
import { assertLake } from './lake.ts'
import type { Deed, Options } from './options.ts'
import { compute, nothing } from './oracle.ts'
import type { Expected } from './oracle.ts'
import { SimSystem } from './system.ts'

/**
 * Virtual time within which everything comes to rest once it is healed: beside lateness and idle time, the minutes of devices that are a little
 * ahead, which close one after another.
 */
const REST_WITHIN_MS = 400_000
const AHEAD_MS = 300_000
/** What wakes a series does so within this of its time. */
const WHEEL_MS = 2_000
/** Nothing written for so long is rest. */
const STILL_MS = 5_000
const DAY_MS = 86_400_000

export interface Outcome {
  readonly readings: number
  readonly counts: Readonly<Record<string, number>>
  readonly deeds: Readonly<Partial<Record<Deed, number>>>
  /** Of everything that was stored: the same options give the same. */
  readonly hash: string
}

/** Runs to the end. Throws with what was broken; `system.told` then says what was done. */
export async function run(options: Options, onSystem: (system: SimSystem) => void = () => {}): Promise<Outcome> {
  const system = await SimSystem.start(options)
  onSystem(system)
  const deeds: Partial<Record<Deed, number>> = {}
  const bag = Object.entries(options.deeds).flatMap(([deed, weight]) => Array<Deed>(weight).fill(deed as Deed))
  const nights = new Set(Array.from({ length: options.nights }, (_, n) => Math.floor(((n + 1) * options.steps) / (options.nights + 1))))
  const hash = createHash('sha256')
  const { onStored } = system.world
  system.world.onStored = (message) => {
    hash.update(`${message.subject} ${message.seq} ${message.timeMs} `).update(message.data)
    onStored!(message)
  }

  for (let step = 0; step < options.steps; step++) {
    if (nights.has(step)) system.clock.stepWall(DAY_MS)
    for (let i = system.upTo(4); i > 0; i--) system.clients.request()
    if (bag.length > 0 && system.chance(0.7)) {
      const deed = system.pick(bag)
      deeds[deed] = (deeds[deed] ?? 0) + 1
      system.told.push(`${step}:${deed}`)
      await system.deeds[deed]()
    }
    system.rules?.step(step)
    system.own?.step(step)
    await system.clock.advance(Math.floor(system.draw() ** 2 * options.stepMs))
    system.supervise()
    if (system.broken) throw system.broken
  }

  system.told.push('heal')
  system.heal()
  await rest(system)
  const expected = checkLog(system)
  for (const name of options.own) await system.ownLaw!.assertPure(name)
  const { latenessMs, idleMs } = options.settings
  const closedUntilMs = ({ tenant, device }: { tenant: string; device: string }) => {
    return system.recorder.partition(partitionFor(system.topology, tenant, device)).logTimeMs - latenessMs - idleMs - WHEEL_MS
  }
  for (const store of system.stores) await store.checkParts()
  for (const store of system.stores) assertLake(await store.shown(), { expected, anomalies: system.recorder.anomalies, alerts: system.recorder.alerts, own: system.ownLaw?.rows ?? [], closedUntilMs })
  return { readings: expected.readings.size, counts: system.counts, deeds, hash: hash.digest('hex') }
}

/** Until every request is acknowledged, every partition quiet, and nothing more is written by anyone. */
async function rest(system: SimSystem): Promise<void> {
  const { clock, options, recorder } = system
  const { latenessMs, idleMs } = options.settings
  const withinMs = REST_WITHIN_MS + latenessMs + 2 * idleMs + 2 * options.skewMs + (options.habits.ahead === undefined ? 0 : AHEAD_MS)
  const limitMs = clock.monotonic() + withinMs
  let before = -1
  let sinceMs = clock.monotonic()
  while (clock.monotonic() - sinceMs < STILL_MS) {
    await clock.advance(500)
    system.supervise()
    if (system.broken) throw system.broken
    const messages = system.inputMessages + recorder.commits
    const why = messages === before ? system.restless() : 'messages are still written'
    before = messages
    if (why === null) continue
    sinceMs = clock.monotonic()
    if (sinceMs > limitMs) assert.fail(`not at rest after ${withinMs} ms: ${system.restless() ?? why}`)
  }
}

/** Whether the logs hold what they must; gives what the input says. */
function checkLog(system: SimSystem): Expected {
  const { recorder, clients, options } = system
  for (let p = 0; p < options.partitions; p++) recorder.assertPure(p)
  const expected = nothing()
  for (const [subject, messages] of recorder.input) if (!isOwn(partitionOf(subject))) compute(messages, expected)
  for (const name of clients.account.acknowledged) {
    assert.ok(expected.readings.has(name) || expected.expiredNames.has(name), `${name} was acknowledged and is not in the log`)
  }
  return expected
}
