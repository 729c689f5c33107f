/**
 * Whether the input log that is there is the one that a position speaks of (I10).
 *
 * Never is a message that someone was told is stored skipped as already read: a stream that was made anew is read from its first
 * message, and a log that lost what was already read stops its partition, until a person decides.
 *
 * - ID1 Nothing is concluded from what one answer about a replicated stream does not show (`StreamInfo.replicas`): it is asked again, for
 *   longer than a server that is cut off goes on believing that it leads.
 */

import type { Clock } from './clock.ts'
import { OperatingError } from './errors.ts'
import { RETRY_MIN_MS, STALE_LEADER_MS } from './limits.ts'
import type { JournalHeader, Position } from './journal.ts'
import type { Log, StreamInfo } from './log.ts'

export type Identity =
  /** `target`: last sequence that a replay up to the position can expect to read. */
  | { readonly kind: 'same'; readonly info: StreamInfo; readonly target: number }
  | { readonly kind: 'new-generation'; readonly info: StreamInfo }

/**
 * The stream as it is told once it shows `seq`; or as it is, where it does not show it in time, or has no other copy that might. `told` is
 * what is known of it already.
 */
export async function infoShowing(log: Log, clock: Clock, stream: string, seq: number, told?: StreamInfo): Promise<StreamInfo> {
  const deadlineMs = clock.monotonic() + STALE_LEADER_MS
  let info = told ?? (await log.info(stream))
  for (let pauseMs = RETRY_MIN_MS; ; pauseMs = Math.min(1_000, 2 * pauseMs)) {
    if (info.lastSeq >= seq || (info.replicas ?? 1) === 1 || clock.monotonic() >= deadlineMs) return info
    await clock.sleep(pauseMs)
    info = await log.info(stream)
  }
}

/**
 * Compares `position`, reached by reading `subject`, with `stream`. Throws `OperatingError` `identity` where the stream is the same
 * creation, but shorter than the position, or holds another message there.
 */
export async function identify(log: Log, clock: Clock, stream: string, subject: string, position: Position): Promise<Identity> {
  let info = await log.info(stream)
  if (info.created !== position.created) return { kind: 'new-generation', info }
  if (info.lastSeq < position.seq) info = await infoShowing(log, clock, stream, position.seq, info)
  if (info.created !== position.created) return { kind: 'new-generation', info }
  if (position.seq === 0) return { kind: 'same', info, target: 0 }
  if (info.lastSeq < position.seq) {
    throw lost(stream, subject, `end at sequence ${position.seq} or later`, `its last sequence is ${info.lastSeq}`)
  }
  let message = await log.at(stream, position.seq)
  if (message === null && (info.replicas ?? 1) > 1) {
    // Another server may have begun to lead between the two questions.
    await infoShowing(log, clock, stream, position.seq)
    message = await log.at(stream, position.seq)
  }
  // A message that was purged can't be compared; what is left of the subject before it ends the replay.
  if (message === null) return { kind: 'same', info, target: Math.min(position.seq, (await log.last(stream, subject))?.seq ?? 0) }
  if (message.subject !== subject || message.timeMs !== position.timeMs) {
    const [wanted, found] = [position.timeMs, message.timeMs].map((ms) => new Date(ms).toISOString())
    const must = `hold a message of ${wanted} on ${subject} at sequence ${position.seq}`
    throw lost(stream, subject, must, `the one there is of ${found} on ${message.subject}`)
  }
  return { kind: 'same', info, target: position.seq }
}

/**
 * Whether nothing of the stream was ever purged. Its first sequence alone does not tell: partitions share a stream and are purged one by one, so
 * that it may begin with a message of another one.
 */
export function isUnpurged(info: StreamInfo): boolean {
  return info.messages === info.lastSeq
}

/** Whether a partition's input is held from its first message on. None is purged before two snapshots of it are named (J1 of janitor.ts). */
export function holdsBeginning(info: StreamInfo, newest: Pick<JournalHeader, 'snapshots'>): boolean {
  return newest.snapshots.length < 2 || isUnpurged(info)
}

function lost(stream: string, subject: string, must: string, is: string): OperatingError {
  return new OperatingError(
    'identity',
    `Cannot go on with ${subject} as stream ${stream} must ${must}: ${is}. The log lost messages that were already processed, as a ` +
      `power cut can do. Restore the stream from a backup; or delete it and make it anew, which starts a new generation, and send ` +
      `again what was not yet processed.`,
  )
}
