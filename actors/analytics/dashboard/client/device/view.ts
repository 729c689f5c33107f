/**
 * What of a device is in view: the place that the address names, the range that fits while none is chosen, and the time that the charts span.
 *
 * Invariant: of a place without a span of its own, everything follows the present.
 */

import type { KnownSeries } from './known-series.ts'
import { fittingRange, rangeSpan, readPlace, withAhead } from './place.ts'
import type { Place, RangeName, Span } from './place.ts'

export class DeviceView {
  place: Place = readPlace(new URLSearchParams())
  readonly #known: KnownSeries
  /** Until when something is expected of what is drawn; 0 where nothing is. */
  readonly #expectedUntil: () => number
  #fitting: RangeName | null = null

  constructor(known: KnownSeries, expectedUntil: () => number) {
    this.#known = known
    this.#expectedUntil = expectedUntil
  }

  /** Takes the range that fits what is known of the device now. */
  fit(): void {
    this.#fitting = fittingRange(this.#known.rhythm())
  }

  /** Of a device of which nothing is known yet no range fits. */
  unfit(): void {
    this.#fitting = null
  }

  /** For a device whose first reading has just come. */
  fitFirst(): void {
    this.#fitting ??= '1h'
  }

  get range(): RangeName {
    return this.place.range ?? this.#fitting ?? '1h'
  }

  /** Whether it follows the present. */
  get open(): boolean {
    return this.place.zoom === null
  }

  /** The time of what was measured. */
  measured(): Span {
    return this.place.zoom ?? rangeSpan(this.range, this.#known.rhythm(), Date.now())
  }

  /** What the charts show: what was measured, and what is expected beyond it. */
  span(): Span {
    return this.open && this.place.ahead ? withAhead(this.measured(), this.#expectedUntil(), Date.now()) : this.measured()
  }

  /** How far beyond now the charts would reach if all were expected. */
  aheadMs(): number {
    const now = Date.now()
    return withAhead(this.measured(), Infinity, now).to - now
  }

  metrics(): string[] {
    return this.#known.metrics(this.place.metrics)
  }
}
