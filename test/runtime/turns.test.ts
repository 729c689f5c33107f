import { expect, it } from 'vitest'
import type { Clock } from '../../runtime/clock.ts'
import { TURN_MS } from '../../runtime/limits.ts'
import { inputSubject } from '../../runtime/topology.ts'
import { turnOf } from '../../runtime/turns.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'
import { stage } from '../support/stage.ts'
import { bytesOf, toyActor } from '../support/toy-actor.ts'

const STEP_MS = TURN_MS * 0.75
const PARTITIONS = 8
const EACH = 6

it('partitions of one process that all have messages step for one turn together, then timers run, and none is left behind', async () => {
  const s = await stage({ partitions: PARTITIONS })
  let worked = 0
  const { clock } = s
  // A process whose steps take time.
  const busy: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() + worked,
    sleep: (ms, signal) => clock.sleep(ms, signal),
    after: (ms, run) => clock.after(ms, run),
    random: () => clock.random(),
    nonce: (bytes) => clock.nonce(bytes),
  }
  const steps = new Array<number>(PARTITIONS).fill(0)
  const hosts = steps.map((_, partition) => {
    const actor = toyActor({
      onStep: () => {
        steps[partition]++
        worked += STEP_MS
      },
    })
    return s.host(`h${partition}`, { partition, clock: busy, actor })
  })
  await s.clock.until(() => hosts.every((host) => host.phase.kind === 'running'))
  for (let n = 0; n < EACH; n++) {
    for (let p = 0; p < PARTITIONS; p++) await s.producer.log.publish(inputSubject(p), bytesOf(`m${n}`))
  }
  const total = () => steps.reduce((a, b) => a + b, 0)
  let before = 0
  for (let turn = 0; total() < PARTITIONS * EACH; turn++) {
    expect(turn).toBeLessThan(PARTITIONS * EACH)
    await settle()
    const inTurn = total() - before
    before = total()
    expect(inTurn).toBeGreaterThan(0)
    // The last step of a turn begins before it is over.
    expect(inTurn * STEP_MS).toBeLessThanOrEqual(TURN_MS + STEP_MS)
    expect(Math.max(...steps) - Math.min(...steps)).toBeLessThanOrEqual(2)
    await s.clock.advance(0)
  }
  await Promise.all(hosts.map((host) => host.stop()))
})

it('a turn is one for a clock, is over after its time, and begins anew once it was waited for', async () => {
  const clock = new ManualClock()
  const turn = turnOf(clock)
  expect(turnOf(clock)).toBe(turn)
  expect(turnOf(new ManualClock())).not.toBe(turn)
  turn.spent(TURN_MS)
  expect(turn.isOver).toBe(false)
  turn.spent(1)
  expect(turn.isOver).toBe(true)
  const waited = turn.next()
  await clock.advance(0)
  await waited
  expect(turn.isOver).toBe(false)
})
