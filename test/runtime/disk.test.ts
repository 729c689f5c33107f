import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codeOf, systemDisk } from '../../runtime/disk.ts'
import { MemoryDisk } from '../../runtime/memory-disk.ts'
import type { DiskView } from '../../runtime/memory-disk.ts'
import { settle } from '../support/manual-clock.ts'
import { seeded } from '../support/random.ts'
import { diskConformance } from './disk.conformance.ts'

diskConformance('the machine’s own files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-disk-'))
  return { disk: systemDisk, folder, close: () => rm(folder, { recursive: true }) }
})

diskConformance('memory', async () => {
  const disk = new MemoryDisk().open()
  await disk.makeFolder('/data')
  return { disk, folder: '/data', close: async () => {} }
})

const bytes = (s: string) => new TextEncoder().encode(s)
const textOf = (found: Uint8Array | null) => (found === null ? null : new TextDecoder().decode(found))

/** All files under `/data` after a power cut drawn from `seed`, as one text each. */
async function afterCut(prepare: (disk: DiskView, machine: MemoryDisk) => Promise<unknown>, seed: number): Promise<Record<string, string>> {
  const machine = new MemoryDisk()
  const before = machine.open()
  await before.makeFolder('/data/in')
  await prepare(before, machine)
  machine.powerCut(seeded(seed))
  const disk = machine.open()
  const files: Record<string, string> = {}
  for (const folder of ['/data', '/data/in']) {
    for (const name of (await disk.list(folder)) ?? []) {
      const found = await disk.read(`${folder}/${name}`)
      if (found !== null) files[`${folder}/${name}`] = textOf(found)!
    }
  }
  return files
}

/** What 200 power cuts leave, each different outcome once. */
async function outcomes(prepare: (disk: DiskView, machine: MemoryDisk) => Promise<unknown>): Promise<Record<string, string>[]> {
  const seen = new Map<string, Record<string, string>>()
  for (let seed = 0; seed < 200; seed++) {
    const files = await afterCut(prepare, seed)
    seen.set(JSON.stringify(files), files)
  }
  return [...seen.values()]
}

describe('the machine’s own files', () => {
  it('may be made such that no one can write them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'weir-disk-'))
    await systemDisk.write(join(folder, 'a'), bytes('x'))
    await systemDisk.makeReadOnly(join(folder, 'a'))
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o444)
    await rm(folder, { recursive: true })
  })
})

describe('a power cut', () => {
  it('leaves a file whose content and folder were synced as it is, and its folder', async () => {
    const kept = await outcomes(async (disk) => {
      await disk.write('/data/in/a', bytes('content'))
      await disk.syncFile('/data/in/a')
      await disk.syncFolder('/data/in')
    })
    expect(kept).toEqual([{ '/data/in/a': 'content' }])
  })

  it('may take the name of a file whose folder was not synced, and only that', async () => {
    const kept = await outcomes(async (disk) => {
      await disk.write('/data/a', bytes('content'))
      await disk.syncFile('/data/a')
    })
    expect(kept).toHaveLength(2)
    expect(kept).toEqual(expect.arrayContaining([{}, { '/data/a': 'content' }]))
  })

  it('may leave of content that was not synced the old, none, a beginning, an empty end, or all', async () => {
    const kept = await outcomes(async (disk) => {
      await disk.write('/data/a', bytes('old'))
      await disk.syncFile('/data/a')
      await disk.syncFolder('/data')
      await disk.write('/data/a', bytes('newer'))
    })
    const contents = kept.map((files) => files['/data/a'])
    for (const content of contents) expect('old' === content || 'newer'.startsWith(content.replace(/\0+$/, ''))).toBe(true)
    expect(contents).toEqual(expect.arrayContaining(['old', 'newer', 'new', '', 'ne\0\0\0']))
  })

  it('undoes or keeps each change of a name that was not synced, by itself', async () => {
    const kept = await outcomes(async (disk) => {
      for (const name of ['a', 'b']) {
        await disk.write(`/data/${name}`, bytes(name))
        await disk.syncFile(`/data/${name}`)
      }
      await disk.syncFolder('/data')
      await disk.rename('/data/a', '/data/c')
      await disk.remove('/data/b')
    })
    expect(kept.map((files) => Object.keys(files).map((path) => path.slice(6)).join('')).sort()).toEqual(['a', 'ab', 'bc', 'c'])
  })

  it('leaves a move whose new folder was synced, though the old name may come back; synced there as well, it is gone', async () => {
    const move = async (disk: DiskView) => {
      await disk.write('/data/a', bytes('x'))
      await disk.syncFile('/data/a')
      await disk.syncFolder('/data')
      await disk.rename('/data/a', '/data/in/b')
    }
    expect((await outcomes(move)).map((files) => Object.keys(files)).sort()).toEqual([['/data/a'], ['/data/in/b']])
    const half = await outcomes(async (disk) => (await move(disk), await disk.syncFolder('/data/in')))
    expect(half.map((files) => Object.keys(files)).sort()).toEqual([['/data/a', '/data/in/b'], ['/data/in/b']])
    const whole = await outcomes(async (disk) => (await move(disk), await disk.syncFolder('/data/in'), await disk.syncFolder('/data')))
    expect(whole).toEqual([{ '/data/in/b': 'x' }])
  })

  it('kills every process of the machine, and by the same draws leaves the same', async () => {
    const machine = new MemoryDisk()
    const view = machine.open()
    machine.powerCut(seeded(1))
    expect(view.dead).toBe(true)
    const prepare = async (disk: DiskView) => {
      for (let i = 0; i < 20; i++) await disk.write(`/data/${i}`, bytes('content of a file'))
    }
    expect(await afterCut(prepare, 5)).toEqual(await afterCut(prepare, 5))
    expect(await afterCut(prepare, 5)).not.toEqual(await afterCut(prepare, 6))
  })
})

describe('a process on a disk in memory', () => {
  it('that is dead reaches nothing, gets no answer, and holds no lock', async () => {
    const machine = new MemoryDisk()
    const [mine, other] = [machine.open(), machine.open()]
    await mine.makeFolder('/data')
    const release = mine.lock('/data/lock')!
    expect(other.lock('/data/lock')).toBeNull()
    mine.die()
    let answered = false
    void mine.write('/data/a', bytes('x')).finally(() => (answered = true))
    await settle()
    expect(answered).toBe(false)
    expect(await other.list('/data')).toEqual([])
    expect(other.lock('/data/lock')).not.toBeNull()
    release()
    expect(machine.open().lock('/data/lock')).toBeNull()
  })

  it('passes two points a call: at the first it dies before it acts, at the second before it is answered', async () => {
    for (const point of [3, 4]) {
      const machine = new MemoryDisk()
      const view = machine.open()
      view.dieAt(point)
      await view.makeFolder('/data')
      expect(view.points).toBe(2)
      let answered = false
      void view.write('/data/a', bytes('x')).finally(() => (answered = true))
      await settle()
      expect(answered).toBe(false)
      expect(await machine.open().list('/data')).toEqual(point === 3 ? [] : ['a'])
    }
  })
})

describe('faults of a disk in memory', () => {
  async function made(): Promise<{ machine: MemoryDisk; disk: DiskView }> {
    const machine = new MemoryDisk()
    const disk = machine.open()
    await disk.makeFolder('/data')
    return { machine, disk }
  }

  it('refuse what the hook names, by operation and path: a full disk leaves half of a file', async () => {
    const { machine, disk } = await made()
    const asked: string[] = []
    machine.faults = (operation, path) => {
      asked.push(`${operation} ${path}`)
      return path === '/data/b' ? 'full' : path === '/data/c' ? 'io' : null
    }
    await disk.write('/data/a', bytes('abcdef'))
    await expect(disk.write('/data/b', bytes('abcdef'))).rejects.toSatisfy((error) => codeOf(error) === 'ENOSPC')
    await expect(disk.rename('/data/a', '/data/c')).rejects.toSatisfy((error) => codeOf(error) === 'EIO')
    expect(asked).toEqual(['write /data/a', 'write /data/b', 'rename /data/c'])
    machine.faults = null
    expect(textOf(await disk.read('/data/b'))).toBe('abc')
    expect(await disk.list('/data')).toEqual(['a', 'b'])
  })

  it('content whose sync failed is not made lasting by a later sync, but by being written again', async () => {
    const failed = async (disk: DiskView, machine: MemoryDisk) => {
      await disk.write('/data/a', bytes('content'))
      await disk.syncFolder('/data')
      machine.faults = () => 'io'
      await disk.syncFile('/data/a').catch(() => {})
      machine.faults = null
    }
    const again = await outcomes(async (disk, machine) => (await failed(disk, machine), await disk.syncFile('/data/a')))
    expect(again.map((files) => files['/data/a'])).toContain('')
    const rewritten = await outcomes(async (disk, machine) => (await failed(disk, machine), await disk.write('/data/a', bytes('content')), await disk.syncFile('/data/a')))
    expect(rewritten).toEqual([{ '/data/a': 'content' }])
  })

  it('harm a file where it lies, before and after a power cut', async () => {
    const { machine, disk } = await made()
    for (const name of ['lost', 'torn', 'flipped'] as const) {
      await disk.write(`/data/${name}`, bytes('abcd'))
      await disk.syncFile(`/data/${name}`)
      await disk.syncFolder('/data')
      machine.harm(`/data/${name}`, name)
    }
    expect(textOf(await disk.read('/data/torn'))).toBe('ab')
    machine.powerCut(() => 0)
    const after = machine.open()
    expect(await after.list('/data')).toEqual(['flipped', 'torn'])
    expect(textOf(await after.read('/data/torn'))).toBe('ab')
    expect(textOf(await after.read('/data/flipped'))).toBe('abbd')
    expect(() => machine.harm('/data/none', 'torn')).toThrow(RangeError)
  })
})
