import { describe, expect, it } from 'vitest'
import type { SnapshotRef } from '../../runtime/journal.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { parseSnapshotName, readSnapshot, restoreNewest, snapshotName, sweepSnapshots, writeSnapshot } from '../../runtime/snapshots.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { seeded } from '../support/random.ts'

const actor = {
  name: 'toy',
  snapshotVersion: 3,
  restoring: () => {
    const pieces: Uint8Array[] = []
    return { take: (piece: Uint8Array) => void pieces.push(new Uint8Array(piece)), done: () => pieces }
  },
}

async function store() {
  const world = new MemoryWorld({ clock: new ManualClock() })
  const objects = await world.connect().objects('snapshots')
  const write = (pieces: Uint8Array[], at: { partition?: number; epoch?: number; seq?: number } = {}) =>
    writeSnapshot(objects, {
      actor: 'toy',
      version: 3,
      partition: at.partition ?? 0,
      epoch: at.epoch ?? 1,
      position: { created: 'c', seq: at.seq ?? 10, timeMs: 5 },
      pieces,
      count: pieces.length,
    })
  /** The pieces of a whole one, else null. */
  const read = async (ref: SnapshotRef, as: { name: string; snapshotVersion: number } = actor) => {
    const pieces: Uint8Array[] = []
    return (await readSnapshot(objects, ref, as, (piece) => pieces.push(new Uint8Array(piece)))) ? pieces : null
  }
  return { world, objects, write, read }
}

describe('a snapshot', () => {
  it('gives back the pieces that it was made of, whether they can be compressed or not, however many and large they are', async () => {
    const { write, read } = await store()
    const random = seeded(7)
    for (const sizes of [[0], [1], [1_023], [1_024], [100_000], [700_000], [0, 0], [1, 1_023, 1_024], [700_000, 3, 300_000]]) {
      for (const content of [() => 7, () => random() * 256]) {
        const pieces = sizes.map((size) => Uint8Array.from({ length: size }, content))
        const got = (await read(await write(pieces)))!
        expect(got.map((piece) => piece.byteLength)).toEqual(sizes)
        expect(Buffer.compare(Buffer.concat(got), Buffer.concat(pieces))).toBe(0)
      }
    }
  })

  it('is smaller than what can be compressed', async () => {
    const { objects, write } = await store()
    for (const count of [1, 3]) {
      const ref = await write(Array.from({ length: count }, () => new Uint8Array(500_000)))
      expect((await objects.get(ref.name))!.byteLength).toBeLessThan(5_000)
    }
  })

  it('is not read where a single bit of it differs, wherever that is, nor where an end of it is missing or something follows', async () => {
    const { objects, write, read } = await store()
    for (const sizes of [[200], [90, 100, 40]]) {
      const ref = await write(sizes.map((size) => new Uint8Array(size).fill(3)))
      const whole = (await objects.get(ref.name))!
      for (let at = 0; at < whole.byteLength; at++) {
        const harmed = whole.slice()
        harmed[at] ^= 1 << (at % 8)
        await objects.put(ref.name, harmed)
        expect(await read(ref)).toBeNull()
        await objects.put(ref.name, whole.subarray(0, at))
        expect(await read(ref)).toBeNull()
      }
      await objects.put(ref.name, Buffer.concat([whole, whole.subarray(-60)]))
      expect(await read(ref)).toBeNull()
    }
  })

  it('is read at the pace of who reads it: bit by bit, none before the wait behind the one before is over', async () => {
    const { objects, write } = await store()
    const random = seeded(3)
    const ref = await write([new Uint8Array(50_000).fill(1), Uint8Array.from({ length: 9_000 }, () => random() * 256)])
    const story: string[] = []
    const pace = (work: () => void) => {
      work()
      story.push('worked')
      return Promise.resolve().then(() => void story.push('waited'))
    }
    expect(await readSnapshot(objects, ref, actor, () => void story.push('piece'), pace)).toBe(true)
    const turns = story.filter((word) => word !== 'piece')
    expect(turns.length).toBeGreaterThan(6)
    expect(turns.every((word, i) => word === (i % 2 === 0 ? 'worked' : 'waited'))).toBe(true)
    expect(story.filter((word) => word === 'piece')).toHaveLength(2)
  })

  it('whose pieces end with an error is none, and the error is told', async () => {
    const { objects } = await store()
    const about = { actor: 'toy', version: 3, partition: 0, epoch: 1, position: { created: 'c', seq: 10, timeMs: 5 }, count: 2 }
    const pieces = async function* () {
      yield new Uint8Array(10)
      throw new TypeError('no more of it')
    }
    await expect(writeSnapshot(objects, { ...about, pieces: pieces() })).rejects.toThrow('no more of it')
    expect(await objects.list()).toEqual([])
  })

  it('is read by its own version and later ones, and by an earlier one neither read nor taken for damaged', async () => {
    const { objects, write, read } = await store()
    for (const pieces of [[Uint8Array.of(1)], [Uint8Array.of(1), Uint8Array.of(2)]]) {
      const ref = await write(pieces)
      for (const snapshotVersion of [3, 4]) expect(await read(ref, { name: 'toy', snapshotVersion })).toEqual(pieces)
      const former = { ...actor, snapshotVersion: 2 }
      await expect(read(ref, former)).rejects.toMatchObject({ code: 'version', retry: false })
      await expect(restoreNewest(objects, [ref, ref], former)).rejects.toThrow(/must be at most 2: current value is 3/)
    }
  })

  it('is not read as that of another actor or position', async () => {
    const { write, read } = await store()
    for (const pieces of [[Uint8Array.of(1)], [Uint8Array.of(1), Uint8Array.of(2)]]) {
      const ref = await write(pieces)
      expect(await read(ref, { name: 'other', snapshotVersion: 3 })).toBeNull()
      expect(await read({ ...ref, position: { ...ref.position, created: 'd' } })).toBeNull()
      expect(await read({ ...ref, position: { ...ref.position, seq: 11 } })).toBeNull()
    }
  })

  it('is named by actor, partition, epoch and sequence', () => {
    const name = snapshotName('toy', { partition: 3, epoch: 12, position: { created: 'c', seq: 456, timeMs: 0 } })
    expect(name).toBe('toy.3.12.456')
    expect(parseSnapshotName('toy', name)).toEqual({ partition: 3, epoch: 12, seq: 456 })
    for (const other of ['toy.3.12', 'toys.3.12.456', 'toy.3.12.x', 'toy.3.12.456.7']) expect(parseSnapshotName('toy', other)).toBeNull()
  })
})

describe('the newest whole snapshot', () => {
  it('is restored; one that is absent, harmed, or refused by the actor is passed over and told of', async () => {
    const { world, objects, write } = await store()
    const refs: SnapshotRef[] = []
    for (const seq of [40, 30, 20, 10]) refs.push(await write([Uint8Array.of(seq), Uint8Array.of(seq)], { seq }))
    world.harmObject('snapshots', refs[0].name, 'lost')
    world.harmObject('snapshots', refs[1].name, 'flipped')
    const told: string[] = []
    const picky = {
      ...actor,
      restoring: () => {
        let first = 0
        const take = ([byte]: Uint8Array) => {
          if (byte === 20) throw new RangeError('not this one')
          first = byte
        }
        return { take, done: () => first }
      },
    }
    expect(await restoreNewest(objects, refs, picky, (ref) => told.push(ref.name))).toEqual({ ref: refs[3], state: 10 })
    expect(told).toEqual(refs.slice(0, 3).map((r) => r.name))
    expect(await restoreNewest(objects, [], picky)).toBeNull()
  })
})

describe('the sweep', () => {
  it('deletes what is older than all that is kept, of the one partition, and leaves what may be on its way', async () => {
    const { objects, write } = await store()
    const keep: SnapshotRef[] = []
    await write([Uint8Array.of(1)], { epoch: 1, seq: 900 })
    await write([Uint8Array.of(1)], { epoch: 2, seq: 5 })
    keep.push(await write([Uint8Array.of(1)], { epoch: 2, seq: 10 }), await write([Uint8Array.of(1)], { epoch: 3, seq: 2 }))
    await write([Uint8Array.of(1)], { epoch: 2, seq: 11 })
    await write([Uint8Array.of(1)], { epoch: 4, seq: 1 })
    await write([Uint8Array.of(1)], { partition: 1, epoch: 1, seq: 1 })
    expect(await sweepSnapshots(objects, { actor: 'toy', partition: 0, keep })).toBe(2)
    expect((await objects.list()).sort()).toEqual(['toy.0.2.10', 'toy.0.2.11', 'toy.0.3.2', 'toy.0.4.1', 'toy.1.1.1'])
    expect(await sweepSnapshots(objects, { actor: 'toy', partition: 0, keep: [] })).toBe(0)
  })
})
