/** The laws of the disk port, run by every implementation of it. A law speaks only of what disk.ts promises while the machine runs. */

import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { codeOf } from '../../runtime/disk.ts'
import type { Disk } from '../../runtime/disk.ts'

export interface ConformedDisk {
  disk: Disk
  /** A folder that is there and empty. */
  folder: string
  close(): Promise<void>
}

const bytes = (s: string) => new TextEncoder().encode(s)
const textOf = (found: Uint8Array | null) => (found === null ? null : new TextDecoder().decode(found))
const code = (asked: Promise<unknown>) => asked.then(() => 'none', codeOf)

export function diskConformance(name: string, open: () => Promise<ConformedDisk>): void {
  describe(`the disk port, ${name}`, () => {
    let disk: Disk
    let folder: string
    let close: () => Promise<void>
    beforeEach(async () => ({ disk, folder, close } = await open()))
    afterEach(() => close())
    const at = (...names: string[]) => join(folder, ...names)
    const put = (path: string, text: string) => disk.write(path, bytes(text))

    it('gives back what was written last, whole, and its size', async () => {
      await put(at('a'), 'long before')
      await put(at('a'), 'now')
      expect(textOf(await disk.read(at('a')))).toBe('now')
      expect(await disk.size(at('a'))).toBe(3)
      await put(at('a'), '')
      expect(await disk.read(at('a'))).toHaveLength(0)
      expect(await disk.size(at('a'))).toBe(0)
    })

    it('keeps what was written, whatever becomes of the bytes that were handed over or given back', async () => {
      const mine = bytes('abc')
      await disk.write(at('a'), mine)
      mine[0] = 0
      ;(await disk.read(at('a')))![1] = 0
      expect(textOf(await disk.read(at('a')))).toBe('abc')
    })

    it('says null of a file and of a folder that is not there', async () => {
      expect(await disk.read(at('none'))).toBeNull()
      expect(await disk.size(at('none'))).toBeNull()
      expect(await disk.size(at('none', 'deeper'))).toBeNull()
      expect(await disk.list(at('none'))).toBeNull()
      expect(await disk.size(folder)).toBeNull()
    })

    it('lists files and folders by name, sorted, and those of one folder only', async () => {
      await disk.makeFolder(at('b'))
      await put(at('c'), '')
      await put(at('a'), '')
      await put(at('b', 'within'), '')
      expect(await disk.list(folder)).toEqual(['a', 'b', 'c'])
      expect(await disk.list(at('b'))).toEqual(['within'])
    })

    it('makes a folder and those above it, and one that is there stays as it is', async () => {
      await disk.makeFolder(at('x', 'y', 'z'))
      await put(at('x', 'y', 'file'), 'f')
      await disk.makeFolder(at('x', 'y'))
      expect(await disk.list(at('x', 'y'))).toEqual(['file', 'z'])
    })

    it('moves a file under another name, in place of the one that was there', async () => {
      await disk.makeFolder(at('to'))
      await put(at('a'), 'new')
      await put(at('to', 'b'), 'old')
      await disk.rename(at('a'), at('to', 'b'))
      expect(await disk.list(folder)).toEqual(['to'])
      expect(textOf(await disk.read(at('to', 'b')))).toBe('new')
    })

    it('removes one file, or all under a name, and nothing beside it', async () => {
      for (const path of [at('a'), at('ab'), at('b')]) await put(path, 'x')
      await disk.makeFolder(at('f', 'g'))
      await put(at('f', 'g', 'h'), 'x')
      await put(at('f', 'h'), 'x')
      await disk.remove(at('b'))
      await disk.removeAll(at('f'))
      await disk.removeAll(at('a'))
      await disk.removeAll(at('never there'))
      expect(await disk.list(folder)).toEqual(['ab'])
      expect(await disk.list(at('f'))).toBeNull()
    })

    it('syncs files and folders that are there, a file that no one may write as well', async () => {
      await put(at('a'), 'x')
      await disk.makeReadOnly(at('a'))
      await disk.syncFile(at('a'))
      await disk.rename(at('a'), at('b'))
      await disk.syncFolder(folder)
      expect(textOf(await disk.read(at('b')))).toBe('x')
    })

    it('refuses with ENOENT what needs a file or a folder that is not there', async () => {
      const none = at('none')
      expect(await code(disk.rename(none, at('b')))).toBe('ENOENT')
      expect(await code(disk.remove(none))).toBe('ENOENT')
      expect(await code(disk.syncFile(none))).toBe('ENOENT')
      expect(await code(disk.syncFolder(none))).toBe('ENOENT')
      expect(await code(disk.makeReadOnly(none))).toBe('ENOENT')
      expect(await code(put(at('none', 'a'), 'x'))).toBe('ENOENT')
      await put(at('a'), 'x')
      expect(await code(disk.rename(at('a'), at('none', 'a')))).toBe('ENOENT')
      expect(await disk.list(folder)).toEqual(['a'])
    })
  })
}
