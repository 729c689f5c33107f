/**
 * The partition's two clocks, both driven by the log alone (I2).
 *
 * - Log time is the greatest timestamp seen: a log clock that steps back makes it stand still.
 * - The activity clock adds up the time that passed while messages came, at most `QUIET_STEP_MAX_MS` for one gap, so that an
 *   outage or a step of the log's clock does not age every series at once.
 */

import { QUIET_STEP_MAX_MS } from '../../runtime/limits.ts'

export class LogTime {
  /** Greatest timestamp of a message, epoch ms; 0 before the first. */
  logMs = 0
  /** Reading of the activity clock, ms from the partition's first message. */
  activityMs = 0

  /** Takes over the time of the next message. Answers whether either clock moved. */
  advance(timeMs: number): boolean {
    if (!(timeMs > this.logMs) || timeMs === Infinity) return false
    if (this.logMs > 0) this.activityMs += Math.min(timeMs - this.logMs, QUIET_STEP_MAX_MS)
    this.logMs = timeMs
    return true
  }
}
