/**
 * When readings come: the usual interval, and silences that are longer than it ever is.
 *
 * - Y1 A silence is news by how many usual intervals it holds, as if readings came at random: of e^−n of all silences so many.
 * - Y2 It must be twice as long as any lately: a pause that comes each night is not news.
 * - Y3 Readings that come out of order say nothing.
 */

import { COUNT, INTERVAL, INTERVAL_RECORD, LAST_TS } from './layout.ts'
import type { Slab } from './layout.ts'
import { keepOf } from './records.ts'
import { seen } from './seen.ts'

const RATE = 0.02
/** In usual intervals: what one silence can teach. */
const CUT = 4
const FROM = 8
const RECORD_KEEP = keepOf(1_000)
const RECORD_TIMES = 2

/** Learns when this reading came. True where the silence before it is longer than any lately. */
export function passTime({ doubles: d, singles }: Slab, at: number): boolean {
  seen.silence = 0
  const gap = seen.ts - d[at + LAST_TS]
  if (!(gap > 0)) return false
  let isRecord = false
  const usual = singles[2 * at + INTERVAL]
  const count = singles[2 * at + COUNT]
  const record = singles[2 * at + INTERVAL_RECORD] * RECORD_KEEP
  if (usual > 0 && count > FROM) {
    seen.silence = gap / usual
    isRecord = gap > RECORD_TIMES * record
  }
  singles[2 * at + INTERVAL] = usual === 0 ? gap : usual + Math.max(RATE, seen.least) * (Math.min(gap, CUT * usual) - usual)
  singles[2 * at + INTERVAL_RECORD] = gap > record ? gap : record
  return isRecord
}
