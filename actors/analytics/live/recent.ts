/**
 * What of the log was read for streams that resumed of late: the next run of them goes through the same again, and need not read it again.
 *
 * The picture is yesterday's papers in a waiting room: one copy, and whoever comes in the next minutes looks there first.
 *
 * - Y1 Of each stream one range is held without a gap: everything that the log had from `lo` to `hi`.
 * - Y2 It is bounded: at LIVE_RECENT_BYTES_MAX nothing is added, and each run reads on for itself. `clear` when nobody has resumed for a while.
 */

import { LIVE_RECENT_BYTES_MAX } from '../../../runtime/limits.ts'
import type { Events } from './events.ts'

/** A message; `events` null where it has none. */
export interface Kept {
  readonly seq: number
  readonly events: Events | null
  readonly bytes: number
}

interface Range {
  lo: number
  hi: number
  messages: Kept[]
}

/** What a message costs beside its bytes, which are held once as they came and once taken apart. */
const MESSAGE_BYTES = 512
export const costOf = ({ bytes }: Kept) => 2 * bytes + MESSAGE_BYTES

export class RecentLog {
  readonly #ranges: (Range | null)[]
  bytes = 0

  constructor(streams: number) {
    this.#ranges = new Array<Range | null>(streams).fill(null)
  }

  /** The first sequence from `seq` on that is held; Infinity where none is. */
  nextHeld(stream: number, seq: number): number {
    const range = this.#ranges[stream]
    return range === null || seq > range.hi ? Infinity : Math.max(seq, range.lo)
  }

  /** The messages from `from`, which is held, to `until` or to the end of what is held; and the end of that. */
  held(stream: number, from: number, until: number): { messages: readonly Kept[]; upTo: number } {
    const { hi, messages } = this.#ranges[stream]!
    const upTo = Math.min(hi, until)
    return { messages: messages.slice(indexOf(messages, from), indexOf(messages, upTo + 1)), upTo }
  }

  /** Adds what was read behind `afterSeq`, up to the message itself, where that goes on from what is held or nothing is. */
  append(stream: number, afterSeq: number, message: Kept): void {
    if (this.bytes >= LIVE_RECENT_BYTES_MAX) return
    const range = (this.#ranges[stream] ??= { lo: afterSeq + 1, hi: afterSeq, messages: [] })
    if (range.hi !== afterSeq) return
    range.messages.push(message)
    range.hi = message.seq
    this.bytes += costOf(message)
  }

  /** Adds all that the log has from `from` to before `beforeSeq`, where what is held begins there. */
  prepend(stream: number, from: number, beforeSeq: number, messages: readonly Kept[]): void {
    const range = this.#ranges[stream]
    if (range === null || range.lo !== beforeSeq) return
    range.messages = [...messages, ...range.messages]
    range.lo = from
    for (const message of messages) this.bytes += costOf(message)
  }

  clear(): void {
    this.#ranges.fill(null)
    this.bytes = 0
  }
}

/** Of the first message at `seq` or behind it. */
function indexOf(messages: readonly Kept[], seq: number): number {
  let low = 0
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (messages[middle].seq < seq) low = middle + 1
    else high = middle
  }
  return low
}
