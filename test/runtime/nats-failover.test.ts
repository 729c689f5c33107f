import { beforeEach, describe, expect, test } from 'vitest'
import { Failover } from '../../runtime/nats-failover.ts'
import type { Kind } from '../../runtime/nats-failover.ts'
import { ManualClock } from '../support/manual-clock.ts'

let clock: ManualClock
let inCluster: boolean
let probes: number
let moves: number[]
let failover: Failover

beforeEach(() => {
  clock = new ManualClock()
  inCluster = true
  probes = 0
  moves = []
  failover = new Failover({ clock, inCluster: () => inCluster, probe: () => probes++, move: () => moves.push(clock.monotonic()) })
})

/** One of a kind fails every two seconds, by a time-out of two seconds. */
async function failing(kind: Kind, ms: number): Promise<void> {
  const untilMs = clock.monotonic() + ms
  while (clock.monotonic() < untilMs) {
    const sentMs = clock.monotonic()
    await clock.advance(2_000)
    failover.failed(kind, sentMs)
  }
}

describe('a connection', () => {
  test.for<Kind>(['publish', 'api'])('leaves a server of a cluster where nothing of kind %s succeeds for longer than an election', async (kind) => {
    await failing(kind, 8_000)
    expect(moves).toEqual([])
    await failing(kind, 2_000)
    expect(moves).toEqual([10_000])
  })

  test('stays where anything of that kind succeeds, and where the other kind alone does not save it', async () => {
    for (let i = 0; i < 20; i++) {
      await failing('publish', 4_000)
      failover.answered('publish')
    }
    expect(moves).toEqual([])
    for (let i = 0; i < 3; i++) {
      await failing('publish', 4_000)
      failover.answered('api')
    }
    expect(moves.length).toBe(1)
  })

  test('stays at a server that is the only one', async () => {
    inCluster = false
    await failing('publish', 60_000)
    expect(moves).toEqual([])
    expect(probes).toBe(0)
  })

  test('waits longer from move to move where no server can serve, and as long as ever after a calm', async () => {
    await failing('publish', 10_000 + 20_000 + 40_000 + 80_000 + 80_000)
    expect(moves).toEqual([10_000, 30_000, 70_000, 150_000, 230_000])
    await clock.advance(300_000)
    failover.answered('publish')
    await failing('publish', 10_000)
    expect(moves.at(-1)).toBe(540_000)
  })

  test('that asks nothing asks something now and then, so that a silent server is noticed', async () => {
    await clock.advance(10_000)
    expect(probes).toBeGreaterThanOrEqual(3)
    const before = probes
    for (let i = 0; i < 10; i++) {
      await clock.advance(1_000)
      failover.answered('api')
    }
    expect(probes).toBe(before)
    failover.close()
    await clock.advance(10_000)
    expect(probes).toBe(before)
  })
})
