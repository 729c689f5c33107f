/**
 * What the edge turned away, on its way to the ledger and the `rejects` view: exact counts a device, a bounded sample of texts.
 *
 * No answer waits for it. Requests' rejects gather for REJECTS_LINGER_MS in one message a tenant and partition; while the log is
 * away they gather on, and beyond REJECTS_DEVICES_MAX devices what comes is counted as lost, in the metrics and the log.
 */

import type { Clock } from '../../runtime/clock.ts'
import { REJECTS_DEVICES_MAX, REJECTS_LINGER_MS, REJECTS_SAMPLES_MAX } from '../../runtime/limits.ts'
import type { Connection } from '../../runtime/log.ts'
import { inputSubject, partitionFor } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import { encodeRejects } from '../reading/input.ts'
import type { RejectSample } from '../reading/validate.ts'

/** Pause before rejects that the log did not take are sent again, and how often while the process drains. */
const RETRY_MS = 1_000
const DRAIN_TRIES = 3

interface Pending {
  readonly tenant: string
  readonly partition: number
  readonly counts: Map<string, number>
  samples: RejectSample[]
}

export class RejectsLog {
  readonly #connection: Connection
  readonly #topology: Topology
  readonly #clock: Clock
  readonly #onLost: (count: number) => void
  readonly #pending = new Map<string, Pending>()
  #devices = 0
  #sending: Promise<void> | null = null
  #cancelTimer: (() => void) | null = null

  constructor(options: { connection: Connection; topology: Topology; clock: Clock; onLost: (count: number) => void }) {
    this.#connection = options.connection
    this.#topology = options.topology
    this.#clock = options.clock
    this.#onLost = options.onLost
  }

  /** Takes over the rejects of one request. */
  add(tenant: string, counts: ReadonlyMap<string, number>, samples: readonly RejectSample[]): void {
    for (const [device, count] of counts) {
      if (this.#devices >= REJECTS_DEVICES_MAX) {
        this.#onLost(count)
        continue
      }
      const pending = this.#of(tenant, device)
      if (!pending.counts.has(device)) this.#devices++
      pending.counts.set(device, (pending.counts.get(device) ?? 0) + count)
    }
    for (const sample of samples) {
      const pending = this.#of(tenant, sample.device)
      if (pending.samples.length < REJECTS_SAMPLES_MAX) pending.samples.push(sample)
    }
    this.#arm(REJECTS_LINGER_MS)
  }

  /** Sends what there is, with a few tries, and resolves. */
  async drain(): Promise<void> {
    for (let i = 0; i < DRAIN_TRIES; i++) {
      await this.#send()
      if (this.#pending.size === 0) break
      await this.#clock.sleep(RETRY_MS / 2)
    }
    this.#cancelTimer?.()
    for (const { counts } of this.#pending.values()) for (const count of counts.values()) this.#onLost(count)
    this.#pending.clear()
  }

  #of(tenant: string, device: string): Pending {
    const partition = partitionFor(this.#topology, tenant, device)
    const key = `${partition} ${tenant}`
    let pending = this.#pending.get(key)
    if (pending === undefined) {
      pending = { tenant, partition, counts: new Map(), samples: [] }
      this.#pending.set(key, pending)
    }
    return pending
  }

  #arm(ms: number): void {
    this.#cancelTimer ??= this.#clock.after(ms, () => {
      this.#cancelTimer = null
      void this.#send()
    })
  }

  async #send(): Promise<void> {
    // One round at a time, so that what a round gives back meets what came meanwhile and nothing overtakes it.
    while (this.#sending !== null) await this.#sending
    const round = this.#sendRound()
    this.#sending = round
    await round
    this.#sending = null
  }

  async #sendRound(): Promise<void> {
    const leaving = [...this.#pending.values()]
    this.#pending.clear()
    this.#devices = 0
    const back: Pending[] = []
    await Promise.all(
      leaving.map(async (pending) => {
        const bytes = encodeRejects({
          tenant: pending.tenant,
          counts: [...pending.counts],
          samples: pending.samples.map(({ reason, reading }) => [reason, reading] as const),
        })
        try {
          await this.#connection.log.publish(inputSubject(pending.partition), bytes)
        } catch {
          // Whatever the reason, the counts are still owed: they go back and are tried again.
          back.push(pending)
        }
      }),
    )
    for (const pending of back) this.add(pending.tenant, pending.counts, pending.samples)
    if (back.length > 0) {
      this.#cancelTimer?.()
      this.#cancelTimer = null
      this.#arm(RETRY_MS)
    }
  }
}
