/** The journal of a partition, as its readers put it together. */

import { describe, expect, test } from 'vitest'
import { encodeJournal, JournalReader } from '../../runtime/journal.ts'
import type { JournalHeader } from '../../runtime/journal.ts'

const header = (kind: JournalHeader['kind'], part: number, epoch = 1): JournalHeader => {
  return { kind, part, epoch, partition: 0, owner: 'w', nonce: `${kind}${part}`, position: { created: 'c', seq: 1, timeMs: 1 }, snapshots: [] }
}

/** What a reader makes of the messages from the `from`th on. */
function read(messages: readonly [JournalHeader, string][], from = 0): (string | null)[] {
  const reader = new JournalReader()
  return messages.slice(from).map(([head, text], i) => {
    try {
      const given = reader.accept({ seq: from + i + 1, timeMs: 1, data: encodeJournal(head, new TextEncoder().encode(text)) })
      return given === null ? null : 'claim' in given ? 'claim' : new TextDecoder().decode(given.commit.payload)
    } catch {
      return 'refused'
    }
  })
}

describe('a reader of the journal', () => {
  test('puts a commit together from its parts, and voids parts at a claim', () => {
    const torn: [JournalHeader, string][] = [[header('part', 0), 'x'], [header('claim', 0, 2), ''], [header('part', 0, 2), 'a'], [header('part', 1, 2), 'b'], [header('commit', 2, 2), 'c']]
    expect(read(torn)).toEqual([null, 'claim', null, null, 'abc'])
  })

  test('refuses a commit whose first parts were gone before it began, and gives the next one', () => {
    const messages: [JournalHeader, string][] = [[header('part', 0), 'a'], [header('part', 1), 'b'], [header('commit', 2), 'c'], [header('commit', 0), 'whole']]
    expect(read(messages, 1)).toEqual([null, 'refused', 'whole'])
    expect(read(messages, 2)).toEqual(['refused', 'whole'])
  })
})
