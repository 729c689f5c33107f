import { describe, expect, test } from 'vitest'
import { leaderless, refusal } from '../../runtime/nats-answers.ts'

describe('what servers of a cluster answer', () => {
  test('is worth another try while a server is away that replicas need, and is not where there can be no replicas', () => {
    const peers = refusal('ask', { code: 400, err_code: 10005, description: 'no suitable peers for placement, peer offline' })
    expect([peers.code, peers.retry]).toEqual(['unavailable', true])
    const alone = refusal('ask', { code: 500, err_code: 10074, description: 'replicas > 1 not supported in non-clustered mode' })
    expect([alone.code, alone.retry]).toEqual(['config', false])
  })

  test('about a stream that nobody leads is no answer, and about any other is one', () => {
    expect(leaderless('STREAM.INFO.RESULTS', { cluster: {} })).toMatchObject({ code: 'unavailable', retry: true })
    expect(leaderless('STREAM.INFO.RESULTS', { cluster: { leader: 'n1' } })).toBeNull()
    expect(leaderless('STREAM.INFO.RESULTS', {})).toBeNull()
    expect(leaderless('CONSUMER.CREATE.RESULTS.x', { cluster: {} })).toBeNull()
  })
})
