import { describe, expect, it } from 'vitest'
import { pack } from '../../runtime/codec.ts'
import { ABSENT_AFTER_MS, DEAD_AFTER_MS, HEARTBEAT_MS } from '../../runtime/limits.ts'
import { Membership, sayByeFor, watchMembers } from '../../runtime/membership.ts'
import type { Member, MemberRole } from '../../runtime/membership.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import type { MemoryConnection } from '../../runtime/memory-log.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'

function group() {
  const clock = new ManualClock()
  const world = new MemoryWorld({ clock })
  const member = (id: string, role: MemberRole = 'worker', connection: MemoryConnection = world.connect(), own: ManualClock = clock) => {
    const self: Member = { id, role, url: null, runtime: 'node', pid: 1, startedAt: 0, partitions: [] }
    return { connection, membership: new Membership({ bus: connection.bus, clock: own, self, connected: () => connection.connected() }) }
  }
  const ids = (m: { membership: Membership }, role: MemberRole = 'worker') => m.membership.view(role).map((x) => x.id)
  return { clock, world, member, ids }
}

describe('membership', () => {
  it('takes nobody for a member who lacks a part of one, and goes on', async () => {
    const g = group()
    const a = g.member('a')
    a.membership.start()
    const whole = { id: 'x', role: 'worker', url: null, runtime: 'node', pid: 1, startedAt: 1, partitions: [] }
    const words = [{}, 7, { ...whole, id: undefined }, { ...whole, partitions: 3 }, { ...whole, partitions: [{}] }, { ...whole, role: 'king' }, { ...whole, flags: 'all' }, { ...whole, cannot: [null] }]
    for (const word of words) g.world.connect().bus.send('weir.members.worker.x', pack(['beat', word]))
    g.world.connect().bus.send('weir.members.worker.x', Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff))
    await settle()
    expect(g.ids(a)).toEqual(['a'])
    g.world.connect().bus.send('weir.members.worker.x', pack(['beat', whole]))
    await settle()
    expect(g.ids(a)).toEqual(['a', 'x'])
  })

  it('tells who listens of a member that knows other flags, or can no longer host a partition', async () => {
    const g = group()
    const [a, b] = [g.member('a'), g.member('b')]
    for (const m of [a, b]) m.membership.start()
    await settle()
    const seen: unknown[] = []
    a.membership.onChange(() => seen.push(a.membership.view('worker').map((m) => [m.flags, m.cannot])[1]))
    for (const patch of [{ flags: [1] }, { flags: [1] }, { cannot: [3] }, { cannot: [3] }]) {
      b.membership.update(patch)
      await settle()
    }
    expect(seen).toEqual([[[1], undefined], [[1], [3]]])
  })

  it('shows a newcomer everyone, and everyone the newcomer, within a round trip', async () => {
    const g = group()
    const [a, b, c] = [g.member('a'), g.member('b'), g.member('c', 'store')]
    for (const m of [a, b, c]) m.membership.start()
    await settle()
    for (const m of [a, b, c]) {
      expect(g.ids(m)).toEqual(['a', 'b'])
      expect(g.ids(m, 'store')).toEqual(['c'])
    }
  })

  it('shows a member that says bye to nobody any more, at once', async () => {
    const g = group()
    const [a, b] = [g.member('a'), g.member('b')]
    for (const m of [a, b]) m.membership.start()
    await settle()
    let changes = 0
    a.membership.onChange(() => changes++)
    b.membership.stop()
    await settle()
    expect(g.ids(a)).toEqual(['a'])
    expect(g.ids(b)).toEqual([])
    expect(changes).toBe(1)
  })

  it('lets a third say bye for a member that it saw die', async () => {
    const g = group()
    const [a, b] = [g.member('a'), g.member('b-1')]
    for (const m of [a, b]) m.membership.start()
    await settle()
    b.connection.die()
    sayByeFor(g.world.connect().bus, 'worker', 'b-1')
    await settle()
    expect(g.ids(a)).toEqual(['a'])
  })

  it('counts a silent member that still has its connection as dead after its time, and not before it missed two heartbeats', async () => {
    const g = group()
    const [a, b] = [g.member('a'), g.member('b')]
    for (const m of [a, b]) m.membership.start()
    await g.clock.advance(10 * HEARTBEAT_MS)
    b.connection.cut()
    await g.clock.advance(2 * HEARTBEAT_MS)
    expect(g.ids(a)).toEqual(['a', 'b'])
    await g.clock.advance(DEAD_AFTER_MS - HEARTBEAT_MS)
    expect(g.ids(a)).toEqual(['a'])
  })

  it('counts a member as gone once a heartbeat is overdue and its connection is gone, and not before', async () => {
    const g = group()
    const [a, b, c] = ['a', 'b', 'c'].map((id) => g.member(id))
    for (const m of [a, b, c]) m.membership.start()
    await g.clock.advance(10 * HEARTBEAT_MS)
    b.connection.die()
    await g.clock.advance(ABSENT_AFTER_MS - HEARTBEAT_MS)
    expect(g.ids(a)).toEqual(['a', 'b', 'c'])
    await g.clock.advance(HEARTBEAT_MS + HEARTBEAT_MS / 4)
    for (const m of [a, c]) expect(g.ids(m)).toEqual(['a', 'c'])
  })

  it('leaves a member whose connection comes back in time alone, and all of them where the server was away', async () => {
    const g = group()
    g.world.cutIsNoticed = true
    const [a, b] = [g.member('a'), g.member('b')]
    for (const m of [a, b]) {
      m.connection.onReconnect(() => m.membership.refresh())
      m.membership.start()
    }
    await g.clock.advance(10 * HEARTBEAT_MS)
    let changes = 0
    for (const m of [a, b]) m.membership.onChange(() => changes++)
    b.connection.cut()
    await g.clock.advance(ABSENT_AFTER_MS - HEARTBEAT_MS)
    b.connection.heal()
    await g.clock.advance(10 * HEARTBEAT_MS)
    g.world.killServer()
    await g.clock.advance(10 * HEARTBEAT_MS)
    a.connection.heal()
    await g.clock.advance(DEAD_AFTER_MS - HEARTBEAT_MS)
    expect(g.ids(a)).toEqual(['a', 'b'])
    b.connection.heal()
    await g.clock.advance(10 * HEARTBEAT_MS)
    expect(changes).toBe(0)
  })

  it('is told that it was away so long that the others gave it up, before it says anything else', async () => {
    const g = group()
    const own = new ManualClock()
    const a = g.member('a', 'worker', g.world.connect(), own)
    const b = g.member('b')
    for (const m of [a, b]) m.membership.start()
    const told: string[] = []
    a.membership.onAbsence(() => told.push(`absent, said ${spoken}`))
    let spoken = 0
    await settle()
    const watcher = g.world.connect()
    watcher.bus.listen('weir.members.worker.a', () => spoken++)
    own.sleepThrough(60_000)
    await own.advance(HEARTBEAT_MS)
    await settle()
    expect(told).toEqual(['absent, said 0'])
    expect(spoken).toBeGreaterThan(0)
  })

  it('does not take its own absence for the others’: who was stopped, or cut off, still sees them when it is back', async () => {
    const g = group()
    const own = new ManualClock()
    const a = g.member('a', 'worker', g.world.connect(), own)
    const b = g.member('b')
    for (const m of [a, b]) m.membership.start()
    await settle()
    // Stopped for a minute: its timers run late, and what others said meanwhile is not yet read.
    a.connection.cut()
    own.advance(0)
    await settle()
    await own.advance(60_000)
    expect(g.ids(a)).toEqual(['a', 'b'])
    a.connection.heal()
    await g.clock.advance(HEARTBEAT_MS)
    await own.advance(DEAD_AFTER_MS)
    expect(g.ids(a)).toEqual(['a', 'b'])
  })

  it('takes back a member that was declared dead and speaks again', async () => {
    const g = group()
    const [a, b] = [g.member('a'), g.member('b')]
    for (const m of [a, b]) m.membership.start()
    await settle()
    sayByeFor(a.connection.bus, 'worker', 'b')
    await settle()
    expect(g.ids(a)).toEqual(['a'])
    await g.clock.advance(HEARTBEAT_MS)
    expect(g.ids(a)).toEqual(['a', 'b'])
  })

  it('tells what a member owns, and that it changed', async () => {
    const g = group()
    const [a, b] = [g.member('a'), g.member('b')]
    for (const m of [a, b]) m.membership.start()
    await settle()
    let changes = 0
    a.membership.onChange(() => changes++)
    b.membership.update({ partitions: [{ partition: 3, epoch: 7, seq: 100 }], url: 'http://127.0.0.1:1' })
    await settle()
    expect(a.membership.view('worker')[1]).toMatchObject({ id: 'b', url: 'http://127.0.0.1:1', partitions: [{ partition: 3, epoch: 7, seq: 100 }] })
    expect(changes).toBe(1)
    await g.clock.advance(5 * HEARTBEAT_MS)
    expect(changes).toBe(1)
  })

  it('is not moved by bytes that are no member, and can be watched by one who is none', async () => {
    const g = group()
    const a = g.member('a')
    a.membership.start()
    const seen: string[] = []
    const watcher = g.world.connect()
    const stop = watchMembers(watcher.bus, (member) => seen.push(member.id))
    watcher.bus.send('weir.members.worker.x', new Uint8Array([193, 0, 1]))
    watcher.bus.send('weir.members.worker.x', pack('hello'))
    watcher.bus.send('weir.members.worker.x', pack(['beat', null]))
    g.member('b').membership.start()
    await settle()
    expect(g.ids(a)).toEqual(['a', 'b'])
    expect(seen).toContain('b')
    stop()
  })
})
