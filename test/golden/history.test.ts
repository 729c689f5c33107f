/** What older versions wrote is read by this one, and leads to what it led to. */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { partitionActor, partitionActorKnowing } from '../../actors/partition/actor.ts'
import { FLAGS } from '../../actors/partition/flags.ts'
import { decodeInput, encodeSettings } from '../../actors/reading/input.ts'
import { recordings, retold, storyOf } from './history.ts'

const kept = recordings()

function withoutFlags(data: Uint8Array): Uint8Array {
  try {
    const input = decodeInput(data)
    return input.kind === 'settings' ? encodeSettings(input.settings) : data
  } catch {
    return data
  }
}

describe('a log and a snapshot of an older version', () => {
  test('are kept of the version without flags, and of each flag that there is', () => {
    expect(kept.some(({ told }) => told.flags.length === 0 && told.snapshotVersion === 1)).toBe(true)
    for (const flag of FLAGS) expect(kept.some(({ told }) => told.flags.includes(flag))).toBe(true)
  })

  test.each(kept)('tell what they told: $version', (recording) => {
    const { messages, snapshot, told } = recording
    expect(retold(recording)).toEqual({ story: told.story, rest: told.rest, commits: told.commits })
    // The snapshot that was stored is the state of the log that leads to it, to the last byte.
    expect(createHash('sha256').update(snapshot).digest('hex')).toBe(told.snapshot)
    const state = partitionActor.create()
    storyOf(state, messages.slice(0, told.snapshotAt))
    expect(partitionActor.snapshot(state)).toEqual(partitionActor.snapshot(partitionActor.restore(snapshot)))
    expect([...state.flags]).toEqual(told.flags)
  })

  test.each(kept.filter(({ told }) => told.flags.length > 0))('is refused by a version that does not know its flags: $version', ({ messages, snapshot, told }) => {
    const former = partitionActorKnowing(FLAGS.filter((flag) => !told.flags.includes(flag)))
    expect(() => former.restore(snapshot)).toThrow(/must switch on none but the flags .* that this version of Weir knows/)
    const state = former.create()
    const effects = former.effects()
    expect(() => messages.forEach((m) => former.step(state, m, effects))).toThrow(/^Cannot go on with the partition as its log /)
    expect([...state.flags]).toEqual([])
  })

  test.each(kept.filter(({ told }) => told.flags.length > 0))('would tell something else without its flags, before its snapshot and behind it: $version', ({ messages, told }) => {
    const without = messages.map((m) => ({ ...m, data: withoutFlags(m.data) }))
    expect(storyOf(partitionActor.create(), without.slice(0, told.snapshotAt))).not.toBe(storyOf(partitionActor.create(), messages.slice(0, told.snapshotAt)))
    const state = partitionActor.create()
    storyOf(state, without.slice(0, told.snapshotAt))
    expect(storyOf(state, messages.slice(told.snapshotAt))).not.toBe(told.rest)
  })

  test('tell the same on Deno, to the last bit', () => {
    const root = join(import.meta.dirname, '../..')
    const onDeno = execFileSync(join(root, 'node_modules/.bin/deno'), ['run', '-A', join(import.meta.dirname, 'history.ts')], { cwd: root, encoding: 'utf8' })
    expect(JSON.parse(onDeno)).toEqual(kept.map(({ version, told: { story, rest, commits } }) => ({ version, story, rest, commits })))
  })
})
