/**
 * Who is the notifier: of all processes that could be, the one that is there for longest. Another takes over when it is gone.
 *
 * Owns whose turn it is, and beginning and ending terms. That only decides who tries: two at once do no harm (keeper.ts, P2).
 */

import type { Clock } from '../../runtime/clock.ts'
import { ErrorCode, isOperating } from '../../runtime/errors.ts'
import { RETRY_MAX_MS, RETRY_MIN_MS } from '../../runtime/limits.ts'
import type { Membership } from '../../runtime/membership.ts'
import type { FollowerLogger } from '../store/follow.ts'
import type { Notifier } from './notifier.ts'

/** So long a newcomer listens for others before it begins. */
const LISTEN_MS = 100

export interface OfficeOptions {
  readonly membership: Pick<Membership, 'self' | 'view' | 'update' | 'onChange' | 'onAbsence'>
  readonly open: () => Promise<Notifier>
  readonly clock: Clock
  readonly logger: FollowerLogger
}

export class Office {
  /** Rejects where it can't go on at all. */
  readonly failed: Promise<never>
  readonly #options: OfficeOptions
  #fail: (error: unknown) => void = () => {}
  #notifier: Notifier | null = null
  #state: 'starting' | 'standing-by' | 'active' = 'starting'
  #ending = new AbortController()
  #term = new AbortController()
  #changed: () => void = () => {}
  #offs: (() => void)[] = []
  #loop: Promise<void> = Promise.resolve()

  constructor(options: OfficeOptions) {
    this.#options = options
    this.failed = new Promise<never>((_, reject) => (this.#fail = reject))
    this.failed.catch(() => {})
  }

  get state() {
    return this.#state
  }

  /** The term that is on, where this one has it. */
  get notifier(): Notifier | null {
    return this.#notifier
  }

  start(): void {
    const { membership, clock } = this.#options
    this.#offs = [
      membership.onChange(() => this.#look()),
      // Whoever was taken for dead is a newcomer when it wakes.
      membership.onAbsence(() => {
        membership.update({ startedAt: clock.now() })
        this.#term.abort()
        // The others may have slept as well, and begun anew later.
        this.#changed()
      }),
    ]
    this.#loop = this.#serve().catch((error) => this.#fail(error))
  }

  async stop(): Promise<void> {
    for (const off of this.#offs) off()
    this.#ending.abort()
    this.#term.abort()
    this.#changed()
    await this.#loop
  }

  #isFirst(): boolean {
    const { membership } = this.#options
    const [first] = membership.view('notifier').sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1))
    return first === undefined || first.id === membership.self.id
  }

  #look(): void {
    if (!this.#isFirst()) this.#term.abort()
    this.#changed()
  }

  async #serve(): Promise<void> {
    const { clock, logger, open } = this.#options
    const { signal } = this.#ending
    await clock.sleep(LISTEN_MS, signal)
    let pauseMs = RETRY_MIN_MS
    while (!signal.aborted) {
      if (!this.#isFirst()) {
        this.#state = 'standing-by'
        await new Promise<void>((resolve) => (this.#changed = resolve))
        continue
      }
      this.#term = new AbortController()
      const over = new Promise<'over'>((resolve) => this.#term.signal.addEventListener('abort', () => resolve('over')))
      let store = true
      try {
        this.#notifier = await open()
        await this.#notifier.start()
        this.#state = 'active'
        pauseMs = RETRY_MIN_MS
        if (!signal.aborted) await Promise.race([over, this.#notifier.failed])
      } catch (error) {
        store = false
        if (!isOperating(error) || !(error.retry || error.code === ErrorCode.conflict)) throw error
        logger.warn({ code: error.code }, `the notifier begins anew: ${error.message}`)
      } finally {
        const last = this.#notifier
        this.#notifier = null
        await last?.stop({ store })
      }
      if (store) continue
      await clock.sleep(pauseMs, signal)
      pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS)
    }
  }
}
