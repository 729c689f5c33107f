import { expect, test } from 'vitest'
import { refusal } from '../../runtime/nats-answers.ts'
import { missingUntil } from '../../runtime/nats-buckets.ts'
import type { NatsClient } from '../../runtime/nats-client.ts'

/** A client whose server's leader has `lastSeq` as the last message of whatever is asked for; it notes what is asked. */
function leaderWith(lastSeq: number): { client: NatsClient; asked: unknown[] } {
  const asked: unknown[] = []
  const api = async (verb: string, body: unknown) => {
    asked.push([verb, body])
    if (lastSeq === 0) throw refusal('ask', { code: 404, err_code: 10037 })
    return { message: { subject: '$KV.b.k', seq: lastSeq, data: '', time: '2026-01-01T00:00:00Z' } }
  }
  return { client: { api } as unknown as NatsClient, asked }
}

test('what a lagging replica does not show of a bucket is waited for, by the word of its leader', async () => {
  const { client, asked } = leaderWith(12)
  expect(await missingUntil(client, 'KV_b', { pending: 0, lastSeq: 15, replicas: 3 }, 9, '$KV.b.k')).toBe(12)
  expect(asked).toEqual([['STREAM.MSG.GET.KV_b', { last_by_subj: '$KV.b.k' }]])
})

test('a bucket is read to its end where its leader has no more of what is read, or nothing of it', async () => {
  expect(await missingUntil(leaderWith(9).client, 'KV_b', { pending: 0, lastSeq: 15, replicas: 3 }, 9)).toBe(0)
  expect(await missingUntil(leaderWith(0).client, 'KV_b', { pending: 0, lastSeq: 15, replicas: 3 }, 0)).toBe(0)
})

test('nobody is asked where one server keeps the bucket, or its last message has come', async () => {
  const { client, asked } = leaderWith(20)
  expect(await missingUntil(client, 'KV_b', { pending: 0, lastSeq: 15, replicas: 1 }, 9)).toBe(0)
  expect(await missingUntil(client, 'KV_b', { pending: 0, lastSeq: 15, replicas: 3 }, 15)).toBe(0)
  expect(asked).toEqual([])
})
