/**
 * Golden logs three ways: straight through; two owners, the first of which is killed at each of its await points in turn; and one kill after
 * another until three owners and more have had a share. What readers of the results see is the same, to the byte of the effects.
 */

import { describe, expect, it } from 'vitest'
import { oracle, stage } from '../support/stage.ts'
import type { Stage } from '../support/stage.ts'

const BOUNDS = { commitPartBytes: 300, commitResultsMax: 12, replayCostMs: 0.25, quietCostMs: 0.03 }
const SCRIPT = ['a', 'many 5', 'urgent b', 'quiet c', 'big 900', 'd', 'many 20', 'wait', 'e', 'f', 'urgent g', 'h', 'quiet i', 'j', 'big 400', 'k']

/** Tells the script in portions, so that commits, snapshots and reading overlap. */
async function tell(s: Stage): Promise<void> {
  for (let i = 0; i < SCRIPT.length; i += 3) {
    await s.say(SCRIPT.slice(i, i + 3))
    await s.clock.advance(60)
  }
  await s.clock.advance(1_500)
}

function expectGolden(s: Stage): void {
  const wanted = oracle(s.world.messages('READINGS_0'))
  const { results, commits } = s.told()
  expect(results).toEqual(wanted.results)
  expect([commits.at(-1)!.count, commits.at(-1)!.hash]).toEqual([wanted.state.count, wanted.state.hash])
}

/** Await points that a host passes when nothing goes wrong. */
async function pointsOfAll(): Promise<number> {
  const s = await stage()
  const connection = s.world.connect()
  const host = s.host('a', { connection, bounds: BOUNDS })
  await tell(s)
  await s.covered()
  await host.stop()
  expectGolden(s)
  return connection.points
}

describe('results of a partition', () => {
  it('are the same straight through, and with a first owner that dies at any of its await points', async () => {
    const points = await pointsOfAll()
    expect(points).toBeGreaterThan(60)
    for (let point = 1; point <= points; point++) {
      const s = await stage()
      const connection = s.world.connect()
      connection.dieAt(point)
      const first = s.host('a', { connection, bounds: BOUNDS })
      await tell(s)
      void first.stop()
      const second = s.host('b', { bounds: BOUNDS })
      await s.covered()
      expectGolden(s)
      expect(second.phase.kind).toBe('running')
      expect(second.state).toEqual(oracle(s.world.messages('READINGS_0')).state)
      await second.stop()
    }
  })

  it('are the same where owner after owner dies, and the last of them resumes', async () => {
    const points = await pointsOfAll()
    for (let seed = 1; seed <= 40; seed++) {
      const s = await stage({ seed })
      const lives = 2 + (seed % 3)
      for (let life = 0; life < lives; life++) {
        const connection = s.world.connect()
        connection.dieAt(1 + Math.floor(s.clock.random() * (points / lives)))
        s.host(`owner${life}`, { connection, bounds: BOUNDS })
        await s.say(SCRIPT.slice(life * 4, life * 4 + 4))
        await s.clock.advance(200)
      }
      const last = s.host('last', { bounds: BOUNDS })
      await s.say(SCRIPT.slice(lives * 4))
      await s.covered()
      expectGolden(s)
      await last.stop()
    }
  })

  it('are the same where owners that live on believe to own it, one after another, while answers are lost', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const s = await stage({ seed })
      s.world.publishFault = (subject) =>
        subject.startsWith('results') && s.clock.random() < 0.15 ? (['lost-ack', 'lost', 'unavailable'] as const)[Math.floor(s.clock.random() * 3)] : null
      const hosts = []
      for (let i = 0; i < SCRIPT.length; i += 2) {
        const connection = s.world.connect()
        hosts.push(s.host(`owner${i}`, { connection, bounds: BOUNDS }))
        await s.say(SCRIPT.slice(i, i + 2))
        await s.clock.advance(Math.floor(s.clock.random() * 400))
        if (s.clock.random() < 0.5) connection.cut()
        if (s.clock.random() < 0.3) await s.clock.advance(2_500)
        if (s.clock.random() < 0.7) connection.heal()
      }
      s.world.publishFault = null
      s.world.restartServer()
      hosts.push(s.host('last', { bounds: BOUNDS }))
      await s.covered()
      await s.clock.advance(10_000)
      expectGolden(s)
      expect(hosts.filter((h) => h.phase.kind === 'running').length).toBeLessThanOrEqual(1)
      expect(hosts.filter((h) => h.phase.kind === 'failed')).toEqual([])
      await Promise.all(hosts.map((h) => h.stop()))
    }
  })
})
