/**
 * Quotas: readings a second, of a tenant and of a key, over all edges together.
 *
 * A bucket that fills at the quota's rate and holds a second's worth. A request passes while there is anything in it and takes out
 * what it holds, even into debt: so a batch larger than the bucket is not refused for ever, and the rate still holds on average.
 *
 * Each edge keeps buckets of its own, and tells the others every QUOTA_TELL_MS what it let in; they take that out of theirs. So a sender
 * has its whole quota wherever it sends, through one edge or through all of them.
 *
 * - Q1 What was let in is told once, and taken out of every bucket of that name once. What several edges let in before they heard of each
 *   other becomes debt of all of them.
 * - Q2 An edge that hears nobody, as the servers are away, counts for itself.
 *
 * Messages of `weir.quotas`, in msgpack: `[edge, [[name, readings a second, readings let in] …]]`.
 */

import type { Clock } from '../../runtime/clock.ts'
import { pack, unpack } from '../../runtime/codec.ts'
import { QUOTA_TELL_MS, QUOTAS_MAX } from '../../runtime/limits.ts'
import type { Bus } from '../../runtime/log.ts'
import type { Principal } from '../../runtime/keys.ts'

const SUBJECT = 'weir.quotas'

interface Bucket {
  level: number
  atMs: number
}

export class Quotas {
  readonly #clock: Clock
  readonly #bus: Bus
  readonly #id: string
  /** Readings a second of a tenant; null for no bound. */
  readonly #perTenant: number | null
  readonly #buckets = new Map<string, Bucket>()
  /** Let in and not yet told, by name. */
  #untold = new Map<string, { rate: number; readings: number }>()
  #cancelTell: (() => void) | null = null
  readonly #stopListening: () => void

  constructor(options: { clock: Clock; bus: Bus; perTenant: number | null }) {
    this.#clock = options.clock
    this.#bus = options.bus
    this.#id = options.clock.nonce()
    this.#perTenant = options.perTenant
    this.#stopListening = options.bus.listen(SUBJECT, (data) => this.#hear(data))
  }

  /** Seconds until `principal` may send again, 0 for now. */
  waitS(principal: Principal): number {
    let waitS = 0
    if (this.#perTenant !== null) waitS = Math.max(waitS, this.#waitS(`t ${principal.tenant}`, this.#perTenant))
    if (principal.quota !== undefined) waitS = Math.max(waitS, this.#waitS(`k ${principal.id}`, principal.quota))
    return waitS
  }

  /** Counts readings that were taken. */
  take(principal: Principal, readings: number): void {
    if (this.#perTenant !== null) this.#take(`t ${principal.tenant}`, this.#perTenant, readings)
    if (principal.quota !== undefined) this.#take(`k ${principal.id}`, principal.quota, readings)
  }

  /** Tells what is untold, and hears no more. */
  close(): void {
    this.#tell()
    this.#stopListening()
  }

  #waitS(name: string, rate: number): number {
    const { level } = this.#bucket(name, rate)
    return level > 0 ? 0 : Math.max(1, Math.ceil(-level / rate))
  }

  #take(name: string, rate: number, readings: number): void {
    this.#bucket(name, rate).level -= readings
    this.#untold.set(name, { rate, readings: (this.#untold.get(name)?.readings ?? 0) + readings })
    if (this.#untold.size >= QUOTAS_MAX) this.#tell()
    else this.#cancelTell ??= this.#clock.after(QUOTA_TELL_MS, () => this.#tell())
  }

  #bucket(name: string, rate: number): Bucket {
    const nowMs = this.#clock.monotonic()
    let bucket = this.#buckets.get(name)
    if (bucket === undefined) {
      if (this.#buckets.size >= QUOTAS_MAX) this.#buckets.clear()
      bucket = { level: rate, atMs: nowMs }
      this.#buckets.set(name, bucket)
    }
    bucket.level = Math.min(rate, bucket.level + ((nowMs - bucket.atMs) * rate) / 1000)
    bucket.atMs = nowMs
    return bucket
  }

  #tell(): void {
    this.#cancelTell?.()
    this.#cancelTell = null
    if (this.#untold.size === 0) return
    this.#bus.send(SUBJECT, pack([this.#id, Array.from(this.#untold, ([name, { rate, readings }]) => [name, rate, readings])]))
    this.#untold = new Map()
  }

  #hear(data: Uint8Array): void {
    for (const [name, told, readings] of read(data, this.#id)) {
      // The quota of a tenant is each edge's own setting; that of a key is the key's.
      const rate = name.startsWith('t ') ? this.#perTenant : told
      if (rate !== null) this.#bucket(name, rate).level -= readings
    }
  }
}

/** What another edge let in; nothing where the message is this edge's own, or can't be read. */
function read(data: Uint8Array, self: string): (readonly [name: string, rate: number, readings: number])[] {
  try {
    const [edge, told] = unpack<[unknown, unknown]>(data)
    if (edge === self || !Array.isArray(told)) return []
    return told.filter((each) => Array.isArray(each) && typeof each[0] === 'string' && each[1] > 0 && each[2] > 0)
  } catch {
    return []
  }
}
