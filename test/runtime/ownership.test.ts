import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ownersOf } from '../../runtime/ownership.ts'

const ids = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,12}$/), { minLength: 1, maxLength: 12 })
const partitions = fc.integer({ min: 1, max: 128 })

describe('the owners of partitions', () => {
  it('are one member for each partition, whatever the order in which members are named', () => {
    fc.assert(
      fc.property(partitions, ids, (count, members) => {
        const owners = ownersOf(count, members)
        expect([...owners.keys()]).toEqual(Array.from({ length: count }, (_, p) => p))
        for (const owner of owners.values()) expect(members).toContain(owner)
        expect(ownersOf(count, members.toReversed())).toEqual(owners)
      }),
    )
  })

  it('change only to a member that joins, which takes its share and nothing else moves', () => {
    fc.assert(
      fc.property(partitions, ids, fc.stringMatching(/^[A-Z]{1,8}$/), (count, members, joiner) => {
        const before = ownersOf(count, members)
        const after = ownersOf(count, [...members, joiner])
        for (const [partition, owner] of after) if (owner !== before.get(partition)) expect(owner).toBe(joiner)
      }),
    )
  })

  it('change only where a member that leaves was one', () => {
    fc.assert(
      fc.property(partitions, ids, (count, members) => {
        const before = ownersOf(count, members)
        const after = ownersOf(count, members.slice(1))
        for (const [partition, owner] of before) if (owner !== members[0]) expect(after.get(partition)).toBe(owner)
      }),
    )
  })

  it('have shares that are even on the whole', () => {
    const members = ['w1-0a1b', 'w2-22fe', 'w3-9c01', 'w4-77aa']
    const shares = members.map((member) => [...ownersOf(1_024, members).values()].filter((owner) => owner === member).length)
    for (const share of shares) expect(Math.abs(share - 256)).toBeLessThan(64)
    let alone = 0
    for (let i = 0; i < 200; i++) if (new Set(ownersOf(16, [`worker-1-${i}`, `worker-2-${i * 7}`]).values()).size === 1) alone++
    expect(alone).toBe(0)
  })

  it('are none where nobody is there', () => {
    expect(ownersOf(8, []).size).toBe(0)
  })

  it('passes a partition that its owner can not host to the one that would own it without that member, and moves no other', () => {
    const members = ['a', 'b', 'c']
    const owners = ownersOf(64, members)
    const without = (id: string) => ownersOf(64, members.filter((m) => m !== id))
    const partition = [...owners].find(([, id]) => id === 'b')![0]
    const moved = ownersOf(64, members, (id, p) => id === 'b' && p === partition)
    expect(moved).toEqual(new Map([...owners].map(([p, id]) => [p, p === partition ? without('b').get(p)! : id])))
    expect(ownersOf(64, members, (_, p) => p === 3).has(3)).toBe(false)
  })
})
