/** The journal of a partition, as its readers put it together. */

import { describe, expect, test } from 'vitest'
import { pack } from '../../runtime/codec.ts'
import { decodeJournal, encodeJournal, JournalReader } from '../../runtime/journal.ts'
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

  test('never puts parts of two commits together, though what ended the one and began the other is gone', () => {
    const second = { first: 3 }
    const messages: [JournalHeader, string][] = [[header('part', 0), 'a'], [{ ...header('part', 1), ...second }, 'y'], [{ ...header('commit', 1), ...second }, 'z']]
    expect(read(messages)).toEqual([null, null, 'refused'])
    const other: [JournalHeader, string][] = [[header('part', 0), 'a'], [{ ...header('commit', 1), ...second }, 'z'], [header('commit', 0), 'whole']]
    expect(read(other)).toEqual([null, 'refused', 'whole'])
    const older: [JournalHeader, string][] = [[header('part', 0, 1), 'a'], [header('commit', 1, 2), 'z']]
    expect(read(older)).toEqual([null, 'refused'])
  })

  test('takes a part that is read twice once, and bytes with the wrong things within for no message', () => {
    const twice: [JournalHeader, string][] = [[header('part', 0), 'a'], [header('part', 1), 'b'], [header('commit', 2), 'c']]
    const reader = new JournalReader()
    const accept = (i: number) => reader.accept({ seq: i + 1, timeMs: 1, data: encodeJournal(twice[i][0], new TextEncoder().encode(twice[i][1])) })
    expect([accept(0), accept(1), accept(0), accept(1)]).toEqual([null, null, null, null])
    expect(new TextDecoder().decode((accept(2) as { commit: { payload: Uint8Array } }).commit.payload)).toBe('abc')
    for (const strange of [[1], [1, {}, new Uint8Array(1)], [1, { ...header('commit', 0), position: null }, new Uint8Array(1)], [1, header('commit', 0), 'text'], 7, null]) {
      expect(() => decodeJournal(pack(strange))).toThrow(RangeError)
    }
  })
})
