/**
 * Devices and what they send: readings that are late, ahead, doubled, of equal times, invalid; requests that are repeated until answered.
 *
 * Owns the account: what was acknowledged must be in the log. A request whose answer never came is sent again as it is, to any edge, like
 * a device that does as the API says; only one that is given up may be there or not.
 */

import type { Clock } from '../../../runtime/clock.ts'
import type { Options } from './options.ts'
import { nameOf } from './oracle.ts'
import type { Row } from './oracle.ts'

/** Where requests go: resolves true once acknowledged, false where it was refused and may be sent again. */
export interface Ingest {
  post(tenant: string, body: Buffer, key: string | null): Promise<boolean>
}

export interface Account {
  /** Names of the valid readings of every acknowledged request. */
  readonly acknowledged: Set<string>
  requests: number
  retries: number
  /** Requests that wait for their acknowledgement. */
  waiting: number
}

const ANSWER_WITHIN_MS = 5_000
const RETRY_MS = 300

export class Clients {
  readonly account: Account = { acknowledged: new Set(), requests: 0, retries: 0, waiting: 0 }
  #options: Options
  #clock: Clock
  #draw: () => number
  #edge: () => Ingest | null
  #sent: Row[] = []
  #done: { tenant: string; body: Buffer; key: string }[] = []
  #keys = 0

  /** `edge` gives one that a request may go to now, or null where none is up. */
  constructor(options: Options, { clock, draw, edge }: { clock: Clock; draw: () => number; edge: () => Ingest | null }) {
    this.#options = options
    this.#clock = clock
    this.#draw = draw
    this.#edge = edge
  }

  /** Sends one request, or now and then one again that was acknowledged already. */
  request(): void {
    const { tenants } = this.#options
    if (this.#done.length > 0 && this.#has('resent')) {
      const again = this.#pick(this.#done)
      void this.#deliver(again.tenant, again.body, again.key, [])
      return
    }
    const tenant = this.#pick(tenants)
    const rows = Array.from({ length: 1 + this.#upTo(this.#has('large') ? 60 : 6) }, () => this.#row(tenant))
    const items: object[] = rows.map(({ device, metric, ts, value }) => ({ device, metric, ts, value }))
    if (this.#has('invalid')) items.splice(this.#upTo(items.length), 0, { device: 'no such name', metric: 'a', value: 1 })
    const key = this.#has('keyed') ? `key-${++this.#keys}` : null
    void this.#deliver(tenant, Buffer.from(JSON.stringify(items)), key, rows)
  }

  async #deliver(tenant: string, body: Buffer, key: string | null, rows: readonly Row[]): Promise<void> {
    this.account.requests++
    this.account.waiting++
    for (let tries = 0; ; tries++) {
      const edge = this.#edge()
      const unanswered = this.#clock.sleep(ANSWER_WITHIN_MS).then(() => false)
      if (edge !== null && (await Promise.race([edge.post(tenant, body, key), unanswered]))) break
      this.account.retries++
      await this.#clock.sleep(RETRY_MS)
    }
    for (const row of rows) this.account.acknowledged.add(nameOf(row))
    if (key !== null && this.#done.length < 50) this.#done.push({ tenant, body, key })
    this.account.waiting--
  }

  #row(tenant: string): Row {
    if (this.#sent.length > 0 && this.#has('doubled')) {
      const again = this.#pick(this.#sent)
      return { ...again, tenant }
    }
    const now = Math.floor(this.#clock.now())
    let ts = now - this.#upTo(900)
    if (this.#has('late')) ts -= this.#upTo(180_000)
    if (this.#has('veryLate')) ts -= this.#upTo(30 * 3_600_000)
    if (this.#has('ahead')) ts += this.#upTo(this.#pick([20_000, 300_000, 20 * 3_600_000]))
    if (this.#has('equalTimes')) ts -= ts % 1_000
    const value = this.#has('equalTimes') ? this.#upTo(4) : Math.round(this.#draw() * 1e6) / 1e4 - 20
    const row = { tenant, device: `probe-${this.#upTo(this.#options.devices)}`, metric: `m${this.#upTo(this.#options.metrics)}`, ts, value }
    if (this.#sent.length < 200) this.#sent.push(row)
    else this.#sent[this.#upTo(200)] = row
    return row
  }

  #has(habit: keyof Options['habits']): boolean {
    return this.#draw() < (this.#options.habits[habit] ?? 0)
  }

  #upTo(n: number): number {
    return Math.floor(this.#draw() * n)
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#upTo(list.length)]
  }
}
