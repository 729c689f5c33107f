/**
 * What buckets of values and of objects have in common: they are streams in the wire format of NATS' own (ADR-8 and ADR-20), so that
 * the `nats kv` and `nats object` tools read them; and they go through the client's publish and the one reader, so that they recover
 * from a server's death as the logs do.
 */

import { ErrorCode, OperatingError } from './errors.ts'
import type { BucketOptions } from './log.ts'
import type { NatsClient } from './nats-client.ts'
import { NatsReader } from './nats-reader.ts'
import type { Present, ReadMessage } from './nats-reader.ts'
import { ensureStream, storedMessage, streamInfo } from './nats-streams.ts'

/** The next message of a bucket's present content must come within this. */
const STALLED_MS = 5_000

/** Makes the bucket's stream where there is none, unless told not to. */
export async function openBucket(
  client: NatsClient,
  name: string,
  subjects: string[],
  options: BucketOptions,
  more: object,
): Promise<void> {
  if (options.create === false) return void (await streamInfo(client, name))
  await ensureStream(client, {
    name,
    subjects,
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    num_replicas: options.replicas ?? 1,
    max_bytes: -1,
    max_msgs: -1,
    allow_rollup_hdrs: true,
    allow_direct: true,
    ...more,
  })
}

/**
 * Whether a reader that was given everything up to `seenSeq`, and is told that nothing is pending, has all that was there: the replica that
 * serves it may lag, so its stream's leader is asked where there are several. 0: it has; else the sequence up to which it must go on.
 */
export async function missingUntil(client: NatsClient, stream: string, present: Present, seenSeq: number, subject = '>'): Promise<number> {
  if (present.replicas === 1 || seenSeq >= present.lastSeq) return 0
  const last = (await storedMessage(client, stream, { last_by_subj: subject }))?.seq ?? 0
  return last > seenSeq ? last : 0
}

/** Reads what the stream holds at the start of the call: until nothing is pending, or `count` messages have come. It waits for what `onMessage` promises. */
export async function readPresent(
  client: NatsClient,
  stream: string,
  selection: { subject: string; fromSeq: number; count?: number } | undefined,
  onMessage: (message: ReadMessage) => void | Promise<void>,
): Promise<void> {
  let left = selection?.count ?? Infinity
  if (left === 0) return
  const { subject, fromSeq = 1 } = selection ?? {}
  let present: Present = { pending: 0, lastSeq: 0, replicas: 1 }
  let seenSeq = 0
  let untilSeq = Infinity
  let failure: unknown = null
  const reader: NatsReader = new NatsReader(client, { stream, subject, fromSeq }, (found) => {
    present = found
    if (found.pending > 0) return
    missingUntil(client, stream, found, fromSeq - 1, subject).then(
      (seq) => {
        if (seq > 0) untilSeq = seq
        else if (seenSeq === 0) void reader.close()
      },
      (error) => {
        failure = error
        void reader.close()
      },
    )
  })
  let stalled = false
  const stall = (): void => {
    stalled = true
    void reader.close()
  }
  let cancel = client.clock.after(STALLED_MS, stall)
  try {
    for await (const message of reader) {
      cancel()
      const pause = onMessage(message)
      if (pause instanceof Promise) await pause
      seenSeq = message.seq
      if (--left === 0 || seenSeq >= present.lastSeq || seenSeq >= untilSeq) return
      if (message.pending === 0 && untilSeq === Infinity) {
        const seq = await missingUntil(client, stream, present, seenSeq, subject)
        if (seq === 0) return
        untilSeq = seq
      }
      cancel = client.clock.after(STALLED_MS, stall)
    }
  } finally {
    cancel()
  }
  if (failure !== null) throw failure
  if (stalled || client.closed) throw new OperatingError(ErrorCode.timeout, `Cannot read ${stream}: nothing came for ${STALLED_MS} ms`)
}
