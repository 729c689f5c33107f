/** The life of an alert is explained by what its rule knew at each step of it, and is told again to the last bit; what is purged is said to be. */

import { beforeAll, describe, expect, it } from 'vitest'
import { parseRule } from '../../../actors/alert/document.ts'
import { partitionActor } from '../../../actors/partition/actor.ts'
import { decodeAlerts } from '../../../actors/partition/effects.ts'
import { FLAGS } from '../../../actors/partition/flags.ts'
import { encodeAction, encodeRule, encodeSettings } from '../../../actors/reading/input.ts'
import { isAlertId, jsonOfAlert, wordsOfAlert } from '../../../actors/replay/alert-words.ts'
import { explainAlert } from '../../../actors/replay/explain-alert.ts'
import type { AlertExplanation } from '../../../actors/replay/explain-alert.ts'
import { PartitionHost } from '../../../runtime/host.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { inputSubject, RESULTS, resultsSubject, topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { quietLogger } from '../../support/quiet-logger.ts'
import { blockOf, MINUTE, T0 } from '../partition/harness.ts'
import { commitsOf } from './world.ts'

const topology = topologyOf(2)
const RULE = {
  name: 'Dry and warm', select: { metric: 'moisture' }, when: { all: [{ below: 12, clear: 14 }, { metric: 'temperature', above: 20 }] }, for: '121s',
  steps: [{ severity: 'critical', when: { below: 8 } }], flapping: { count: 9 }, schedule: { zone: 'UTC' },
}
let world: MemoryWorld
let id: string

/** Minutes of moisture of a device; its temperature is 25 from minute 3 on. One block a minute holds both, and another device's. */
const MOISTURE = [15, 13, 11, 11, 11, 11, 11, 7, 7, 15, 15, 10, 10, 10, 10, 15]

/** Partition 1 is told by two hosts one after another, of which the first dies. Each 60 messages there is a snapshot. */
beforeAll(async () => {
  const clock = new ManualClock()
  world = new MemoryWorld({ clock })
  const producer = world.connect()
  for (const p of [0, 1]) await producer.log.ensureStream({ name: `READINGS_${p}`, subjects: [inputSubject(p)], replicas: 1, bytesMax: -1 })
  await producer.log.ensureStream({ name: RESULTS, subjects: [resultsSubject(0), resultsSubject(1)], replicas: 1, bytesMax: -1 })
  const { logger } = quietLogger()
  let connection = world.connect()
  const hostOf = () => new PartitionHost({ connection, actor: partitionActor, topology, partition: 1, owner: 'o', settings: null, clock, logger, bounds: { replayMessageMs: 1, replayCostMs: 60, quietCostMs: 1e9 } })
  let host = hostOf()
  const send = async (data: Uint8Array, timeMs: number) => {
    world.timeOffsetMs = timeMs - clock.now()
    await producer.log.publish(inputSubject(1), data)
    await clock.until(() => host.committed.seq === world.stream('READINGS_1').lastSeq, { what: 'it is committed' })
  }
  await send(encodeSettings({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 }, FLAGS), T0)
  await send(encodeRule({ tenant: 'default', id: 'dry', revision: 3, body: JSON.stringify(parseRule(RULE).rule) }), T0)
  for (const [minute, moisture] of MOISTURE.entries()) {
    const ts = T0 + minute * MINUTE
    const readings = [['e', 'moisture', 30], ['d', 'temperature', minute < 3 ? 18 : 25], ['d', 'moisture', moisture], ['d', 'moisture', moisture]] as const
    await send(blockOf(readings.map(([device, metric, value]) => ({ device, metric, ts, value }))), ts)
    // Ticks, as an owner would send them: the activity clock takes five seconds of a gap at most.
    for (let s = 4; s < 60; s += 4) await send(partitionActor.tick(), ts + s * 1_000)
    if (minute === 6) {
      connection.die()
      connection = world.connect()
      host = hostOf()
    }
    if (minute === 13) await send(encodeAction({ tenant: 'default', device: 'd', metric: 'moisture', alert: alerts()[0].id, action: 'ack', by: 'ann', note: 'on my way' }), ts + 58_000)
  }
  await host.stop()
  id = alerts()[0].id
})

const alerts = () => commitsOf(world).flatMap(({ payload }) => decodeAlerts(payload))
const ask = async (last = 4) => (await explainAlert({ connection: world.connect(), topology, clock: new ManualClock() }, id, last)) as AlertExplanation

describe('an explanation of an alert', () => {
  it('shows its whole life, and at each step what held, since when, and for how long it had to', async () => {
    expect(isAlertId(id)).toBe(true)
    const e = await ask()
    expect(e).toMatchObject({ id, partition: 1, series: { tenant: 'default', device: 'd', metric: 'moisture' }, unreachable: null })
    expect(e.events.map(({ row }) => row)).toEqual(alerts().map(({ series: _, ...row }) => row))
    expect(e.moments.map(({ event, same }) => [event.event, same])).toEqual(['opened', 'escalated', 'resolved', 'reopened', 'acknowledged', 'resolved'].map((event) => [event, true]))
    const [opened, escalated, resolved, reopened, acknowledged] = e.moments
    // Dry since minute 2, warm since minute 3, both for as long as it asks by the activity clock, told by the tick that made it so.
    const [dry, warm] = opened.leaves
    expect([dry, warm].map(({ held, value, since }) => [held, value, (since!.timeMs - T0) / MINUTE])).toEqual([['holds', 11, 2], ['holds', 25, 3]])
    expect(opened.message.what).toBe('a tick: time had passed')
    expect(opened.levels).toMatchObject([{ severity: 'warning', held: 'holds', forMs: 121_000 }, { severity: 'critical', held: 'does not hold', heldMs: null }])
    expect(opened.levels[0].heldMs).toBe(124_000)
    // Within the block that brought it: the condition holds since this message, before the rest of the block was looked at.
    expect(escalated.message.what).toBe('a block of 4 readings')
    expect(escalated.leaves[2]).toMatchObject({ held: 'holds', value: 7, since: { seq: escalated.message.seq } })
    expect(resolved.leaves.map(({ held }) => held)).toEqual(['does not hold', 'holds', 'does not hold'])
    expect(reopened.openings).toEqual([opened.event.at])
    expect(acknowledged).toMatchObject({ message: { what: 'what a person asked for: ack' }, event: { by: 'ann' } })
    // Each reading came twice.
    expect(e.readings.map(({ value, fate }) => [value, fate])).toEqual([[11, 'on time'], [11, 'duplicate'], [11, 'on time'], [11, 'duplicate']])
  })

  it('says so in words, and as an object', async () => {
    const e = await ask(1)
    const words = wordsOfAlert(e)
    expect(words).toContain(`${id}  default/d/moisture\n\n  rule                dry, revision 3: Dry and warm; comes back as the same alert within 1h; flaps at 9 openings within 1h\n`)
    expect(words).toMatch(/ {2}2026-01-01T00:05:04\.000Z {2}opened {7}warning {3}Moisture of d is 11, below 12 and its temperature is 25, above 20\. {2}commit \d+\n/)
    expect(words).toMatch(/\nOpened at message \d+ of READINGS_1, a tick: time had passed, log time 2026-01-01T00:05:04\.000Z\n/)
    expect(words).toMatch(/ {2}holds {15}moisture below 12, until no longer below 14: the last was 11, so since message \d+, 2026-01-01T00:02Z\n/)
    expect(words).toMatch(/ {2}does not hold {7}moisture below 8: the last was 11, so since message \d+, 2026-01-01T00:00Z\n/)
    expect(words).toMatch(/ {2}warning {13}step 1 of 2: holds, without a break for 2m4s, and asks for 2m1s\n {2}critical {12}step 2 of 2: does not hold\n {2}schedule {12}lets it raise something at this time\n {2}so {18}an alert is opened: there was none that it could be\n/)
    expect(words).toMatch(/so {18}it is the same alert again: \d+m\d*s? after what was told before, within 1h or while it is put aside\n/)
    expect(words).toContain('  so                  it is acknowledged by ann\n')
    expect(words).toMatch(/replayed {12}\d+ messages from the first message of the log: identical to what was committed, to the last bit$/)
    const json = JSON.parse(JSON.stringify(jsonOfAlert(e)))
    expect(json).toMatchObject({ kind: 'alert', id, rule: { name: 'Dry and warm', schedule: { zone: 'UTC' } }, replayed: { same: true } })
    expect(json.moments[0].conditions[0]).toMatchObject({ held: 'holds', value: 11, against: null, since: { logTime: '2026-01-01T00:02:00.000Z' } })
    expect(json.events).toHaveLength(6)
  })

  it('of an alert that there is not is none; where the log before is purged, what a snapshot still reaches is told, and the rest is said to be gone', async () => {
    expect(await explainAlert({ connection: world.connect(), topology, clock: new ManualClock() }, `${id}0`, 3)).toBe(null)
    const { snapshots } = commitsOf(world).at(-1)!.header
    const oldest = snapshots.at(-1)!.position.seq
    const { events } = await ask()
    expect(events[0].commit.to).toBeLessThan(oldest)
    expect(events.at(-1)!.commit.to).toBeGreaterThan(oldest)
    await world.connect().log.purge('READINGS_1', { beforeSeq: oldest })
    const e = await ask()
    expect(e.events).toEqual(events)
    expect(e.moments.length).toBeGreaterThan(0)
    expect(e.moments.length).toBeLessThan(events.length)
    expect(e.moments.every(({ same }) => same)).toBe(true)
    expect(wordsOfAlert(e)).toMatch(/What was known at the other events can't be made again: .*the log before is purged/)
    expect(wordsOfAlert(e)).toContain('so since before the replay began')
  })
})
