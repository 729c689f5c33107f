/**
 * The disk port in memory, with faults that a test switches on.
 *
 * Owns one machine's disk: what its processes see, what of that would outlast a power cut, and the faults of the disk itself. Processes
 * open it as views; the death of one is in memory-disk-view.ts. Leaves what the port promises to disk.ts.
 *
 * The picture is a desk beside a filing cabinet: everybody works on the desk (`live`), a sync files one thing away (`lasting`), and a power
 * cut clears the desk. What was on its way between the two may or may not have arrived.
 *
 * - V1 Deterministic: the same calls and draws give the same answers in the same order. Nothing here waits for more than microtasks.
 * - V2 A fault only does what a real disk can do: refuse, fill up in the middle of a file, lose or tear what was not synced, flip a bit.
 * - V3 Every change of a name that was not synced is kept or undone by a draw of its own. A move across two folders lasts as a whole once
 *   either is synced, but for the old name: that may come back until its own folder is synced.
 */

import { posix } from 'node:path'
import { DiskView } from './memory-disk-view.ts'

export { DiskView } from './memory-disk-view.ts'

export type DiskOperation = 'makeFolder' | 'list' | 'read' | 'size' | 'write' | 'syncFile' | 'syncFolder' | 'rename' | 'remove' | 'removeAll' | 'makeReadOnly'

/** `full`: rejects with ENOSPC, and a write leaves the first half of the file. `io`: rejects with EIO; content whose sync failed so is lost to later syncs. */
export type DiskFault = 'full' | 'io'

/** A file's content, under whatever name. */
interface Content {
  bytes: Uint8Array
  /** As a power cut finds it at the least; null: never synced. */
  synced: Uint8Array | null
  readOnly: boolean
  /** A sync of these bytes has failed: the system has dropped them from what it will ever write. */
  dropped: boolean
}

/** A change of names that is not lasting yet. */
type Change =
  | { readonly kind: 'link' | 'unlink'; readonly path: string; readonly content: Content }
  | { readonly kind: 'move'; readonly from: string; readonly to: string; readonly content: Content }
  | { readonly kind: 'removeFolder'; readonly path: string }

const EMPTY = new Uint8Array(0)

export class MemoryDisk {
  /** Asked for each call that reaches the disk, with the path that it changes or asks for (of a rename the new name); null: it goes well. */
  faults: ((operation: DiskOperation, path: string) => DiskFault | null) | null = null

  #live = new Map<string, Content>()
  #lasting = new Map<string, Content>()
  #folders = new Set<string>(['/', '.'])
  #lastingFolders = new Set<string>(['/', '.'])
  #changes: Change[] = []
  #views = new Set<DiskView>()
  #locks = new Map<string, { readonly view: DiskView }>()

  /** The disk as one process sees it. */
  open(): DiskView {
    const view = new DiskView(this)
    this.#views.add(view)
    return view
  }

  // Faults ------------------------------------------------------------------------------------------------------------------

  /** The machine loses power: every process on it dies, and of what was not synced `random`, in [0, 1), draws what is left. */
  powerCut(random: () => number): void {
    for (const view of this.#views) view.die()
    this.#views.clear()
    for (const change of this.#changes) if (random() < 0.5) this.#settle(change)
    this.#changes = []
    this.#live = new Map(this.#lasting)
    this.#folders = new Set(this.#lastingFolders)
    const seen = new Set<Content>()
    for (const path of [...this.#live.keys()].sort()) {
      const content = this.#live.get(path)!
      if (seen.has(content)) continue
      seen.add(content)
      if (content.bytes !== content.synced) content.bytes = content.synced = leftOf(content, random)
      content.dropped = false
    }
  }

  /** Damages a file where it lies: gone, cut in half, or with one bit of its middle flipped. */
  harm(path: string, how: 'lost' | 'torn' | 'flipped'): void {
    const at = clean(path)
    const content = this.#live.get(at)
    if (content === undefined) throw new RangeError(`Cannot harm ${path} as it must be a file: there is none`)
    if (how === 'lost') {
      this.#live.delete(at)
      this.#lasting.delete(at)
      this.#changes = this.#changes.filter((change) => change.kind === 'removeFolder' || change.content !== content)
      return
    }
    const harmed = how === 'torn' ? content.bytes.slice(0, content.bytes.length >>> 1) : content.bytes.slice()
    if (how === 'flipped' && harmed.length > 0) harmed[harmed.length >>> 1] ^= 1
    content.synced = content.bytes === content.synced ? harmed : content.synced
    content.bytes = harmed
  }

  // For views ---------------------------------------------------------------------------------------------------------------

  /** Gives the lock of that name to a process, once; null where one that lives holds it. */
  lock(name: string, view: DiskView): (() => void) | null {
    if (this.#locks.get(name)?.view.dead === false) return null
    const mine = { view }
    this.#locks.set(name, mine)
    return () => {
      if (this.#locks.get(name) === mine) this.#locks.delete(name)
    }
  }

  /** Throws where the hook wants a fault; a write that finds no room is done by half. */
  meet(operation: DiskOperation, path: string, bytes?: Uint8Array): void {
    const fault = this.faults?.(operation, path) ?? null
    if (fault === null) return
    if (fault === 'full' && bytes !== undefined) this.write(path, bytes.subarray(0, bytes.length >>> 1))
    const content = this.#live.get(clean(path))
    if (fault === 'io' && operation === 'syncFile' && content !== undefined) content.dropped = true
    throw fault === 'full' ? failure('ENOSPC', 'no space left on device', operation, path) : failure('EIO', 'i/o error', operation, path)
  }

  makeFolder(path: string): void {
    for (let at = clean(path); ; at = posix.dirname(at)) {
      if (this.#live.has(at)) throw failure('EEXIST', 'file already exists', 'makeFolder', at)
      this.#folders.add(at)
      this.#lastingFolders.add(at)
      this.#changes = this.#changes.filter((change) => change.kind !== 'removeFolder' || change.path !== at)
      if (posix.dirname(at) === at) return
    }
  }

  list(path: string): string[] | null {
    const folder = clean(path)
    if (!this.#folders.has(folder)) return null
    const all = [...this.#live.keys(), ...this.#folders]
    return all.filter((at) => at !== folder && posix.dirname(at) === folder).map((at) => posix.basename(at)).sort()
  }

  read(path: string): Uint8Array | null {
    return this.#live.get(clean(path))?.bytes.slice() ?? null
  }

  size(path: string): number | null {
    return this.#live.get(clean(path))?.bytes.length ?? null
  }

  write(path: string, bytes: Uint8Array): void {
    const at = clean(path)
    this.#assertFolder('write', at)
    const known = this.#live.get(at)
    if (known?.readOnly === true) throw failure('EACCES', 'permission denied', 'write', path)
    if (known !== undefined) {
      known.bytes = bytes.slice()
      known.dropped = false
      return
    }
    const content: Content = { bytes: bytes.slice(), synced: null, readOnly: false, dropped: false }
    this.#live.set(at, content)
    this.#changes.push({ kind: 'link', path: at, content })
  }

  syncFile(path: string): void {
    const content = this.#found('syncFile', path)
    if (!content.dropped) content.synced = content.bytes
  }

  syncFolder(path: string): void {
    const folder = clean(path)
    if (!this.#folders.has(folder)) throw failure('ENOENT', 'no such file or directory', 'syncFolder', path)
    const left: Change[] = []
    for (const change of this.#changes) {
      const touched = change.kind === 'move' ? [change.from, change.to] : [change.path]
      if (!touched.some((at) => posix.dirname(at) === folder)) left.push(change)
      else if (change.kind === 'move' && posix.dirname(change.from) !== folder) {
        this.#lasting.set(change.to, change.content)
        left.push({ kind: 'unlink', path: change.from, content: change.content })
      } else this.#settle(change)
    }
    this.#changes = left
  }

  rename(from: string, to: string): void {
    const content = this.#found('rename', from)
    const target = clean(to)
    this.#assertFolder('rename', target)
    this.#live.delete(clean(from))
    this.#live.set(target, content)
    this.#changes.push({ kind: 'move', from: clean(from), to: target, content })
  }

  remove(path: string): void {
    const content = this.#found('remove', path)
    this.#live.delete(clean(path))
    this.#changes.push({ kind: 'unlink', path: clean(path), content })
  }

  removeAll(path: string): void {
    const at = clean(path)
    const within = (other: string) => other === at || other.startsWith(`${at}/`)
    for (const file of [...this.#live.keys()].filter(within)) this.remove(file)
    for (const folder of [...this.#folders].filter(within).sort().reverse()) {
      this.#folders.delete(folder)
      this.#changes.push({ kind: 'removeFolder', path: folder })
    }
  }

  makeReadOnly(path: string): void {
    this.#found('makeReadOnly', path).readOnly = true
  }

  /** Makes a change last. A name that means another content by now is left alone. */
  #settle(change: Change): void {
    if (change.kind === 'link') this.#lasting.set(change.path, change.content)
    else if (change.kind === 'move') {
      if (this.#lasting.get(change.from) === change.content) this.#lasting.delete(change.from)
      this.#lasting.set(change.to, change.content)
    } else if (change.kind === 'unlink') {
      if (this.#lasting.get(change.path) === change.content) this.#lasting.delete(change.path)
    } else {
      const holds = [...this.#lasting.keys(), ...this.#lastingFolders].some((at) => at.startsWith(`${change.path}/`))
      if (!holds) this.#lastingFolders.delete(change.path)
    }
  }

  #found(operation: DiskOperation, path: string): Content {
    const content = this.#live.get(clean(path))
    if (content === undefined) throw failure('ENOENT', 'no such file or directory', operation, path)
    return content
  }

  #assertFolder(operation: DiskOperation, path: string): void {
    if (!this.#folders.has(posix.dirname(path))) throw failure('ENOENT', 'no such file or directory', operation, path)
  }
}

function clean(path: string): string {
  return posix.normalize(path).replace(/(.)\/$/, '$1')
}

/** What a power cut leaves of bytes that were not synced: those before, some of them, all at their length but with an empty end, or all. */
function leftOf({ bytes, synced }: Content, random: () => number): Uint8Array {
  const how = random()
  if (how < 0.25) return synced ?? EMPTY
  if (how >= 0.75) return bytes
  const length = Math.floor(random() * bytes.length)
  if (how < 0.5) return bytes.slice(0, length)
  const left = new Uint8Array(bytes.length)
  left.set(bytes.subarray(0, length))
  return left
}

function failure(code: string, what: string, operation: DiskOperation, path: string): Error {
  return Object.assign(new Error(`${code}: ${what}, ${operation} '${path}'`), { code })
}
