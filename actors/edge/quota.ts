/**
 * Quotas: readings a second, of a tenant and of a key.
 *
 * A bucket that fills at the quota's rate and holds a second's worth. A request passes while there is anything in it and takes out
 * what it holds, even into debt: so a batch larger than the bucket is not refused for ever, and the rate still holds on average.
 */

import type { Clock } from '../../runtime/clock.ts'
import { QUOTAS_MAX } from '../../runtime/limits.ts'
import type { Principal } from '../../runtime/keys.ts'

interface Bucket {
  level: number
  atMs: number
}

export class Quotas {
  readonly #clock: Clock
  /** Readings a second of a tenant; null for no bound. */
  readonly #perTenant: number | null
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: { clock: Clock; perTenant: number | null }) {
    this.#clock = options.clock
    this.#perTenant = options.perTenant
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
    if (this.#perTenant !== null) this.#bucket(`t ${principal.tenant}`, this.#perTenant).level -= readings
    if (principal.quota !== undefined) this.#bucket(`k ${principal.id}`, principal.quota).level -= readings
  }

  #waitS(name: string, rate: number): number {
    const { level } = this.#bucket(name, rate)
    return level > 0 ? 0 : Math.max(1, Math.ceil(-level / rate))
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
}
