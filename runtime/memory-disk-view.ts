/**
 * A disk in memory as one process sees it, and how that process dies.
 *
 * Owns the moments of a call: a point to die at before it reaches the disk and one before its answer comes back, as memory-connection.ts
 * has them. Leaves what a call does to memory-disk.ts.
 */

import type { Disk } from './disk.ts'
import type { DiskOperation, MemoryDisk } from './memory-disk.ts'
import { Mortal, never } from './memory-mortal.ts'

export class DiskView extends Mortal implements Disk {
  #disk: MemoryDisk

  constructor(disk: MemoryDisk) {
    super()
    this.#disk = disk
  }

  /** Takes a lock that ends with this process; null where it is taken, by this process or another. The answer lets go of it. */
  lock(name: string): (() => void) | null {
    return this.#disk.lock(name, this)
  }

  makeFolder(path: string): Promise<void> {
    return this.#perform('makeFolder', path, () => this.#disk.makeFolder(path))
  }

  list(path: string): Promise<string[] | null> {
    return this.#perform('list', path, () => this.#disk.list(path))
  }

  read(path: string): Promise<Uint8Array | null> {
    return this.#perform('read', path, () => this.#disk.read(path))
  }

  size(path: string): Promise<number | null> {
    return this.#perform('size', path, () => this.#disk.size(path))
  }

  write(path: string, bytes: Uint8Array): Promise<void> {
    return this.#perform('write', path, () => this.#disk.write(path, bytes), bytes)
  }

  syncFile(path: string): Promise<void> {
    return this.#perform('syncFile', path, () => this.#disk.syncFile(path))
  }

  syncFolder(path: string): Promise<void> {
    return this.#perform('syncFolder', path, () => this.#disk.syncFolder(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#perform('rename', to, () => this.#disk.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.#perform('remove', path, () => this.#disk.remove(path))
  }

  removeAll(path: string): Promise<void> {
    return this.#perform('removeAll', path, () => this.#disk.removeAll(path))
  }

  makeReadOnly(path: string): Promise<void> {
    return this.#perform('makeReadOnly', path, () => this.#disk.makeReadOnly(path))
  }

  async #perform<T>(operation: DiskOperation, path: string, act: () => T, bytes?: Uint8Array): Promise<T> {
    await this.#point()
    let answer: T
    try {
      this.#disk.meet(operation, path, bytes)
      answer = act()
    } catch (error) {
      // A process that is dead learns of no error either.
      await this.#point()
      throw error
    }
    await this.#point()
    return answer
  }

  async #point(): Promise<void> {
    this.passPoint()
    if (this.dead) await never()
    await Promise.resolve()
    // It may have been killed while the call was on its way.
    if (this.dead) await never()
  }
}
