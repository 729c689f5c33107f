/** Recorded logs of own actors, told several ways: straight through, by owners that crash and resume, and on Deno. */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { seeded } from '../support/random.ts'
import { COMMIT_MESSAGES, commitsOf, hashOfCommits, OwnOwner, ownRecordings, ownRetold } from './own.ts'
import { OWN_LOGS } from './own-log.ts'

const kept = ownRecordings()

describe('the recorded log of an own actor', () => {
  test('is kept of the farm, and of one with everything that an actor may do', () => {
    expect(kept.map(({ name }) => name)).toEqual(Object.keys(OWN_LOGS))
    for (const { told } of kept) expect(Math.min(told.rows, told.alerts)).toBeGreaterThan(3)
  })

  test.each(kept)('tells what it told, to the last bit, from the beginning and from its snapshot: $name', (recording) => {
    const { actor, messages, snapshot, told } = recording
    expect(ownRetold(recording)).toEqual({ commits: told.commits, rest: told.rest })
    expect(createHash('sha256').update(snapshot).digest('hex')).toBe(told.snapshot)
    const owner = new OwnOwner(actor)
    commitsOf(owner, messages.slice(0, told.snapshotAt))
    expect(Buffer.from(owner.snapshot()).equals(snapshot)).toBe(true)
  })

  test.each(kept)('tells the same where owner after owner resumes from an old snapshot, replays in silence, and crashes: $name', ({ actor, messages, told }) => {
    const random = seeded(41)
    const snapshots: { at: number; bytes: Uint8Array | null }[] = [{ at: 0, bytes: null }]
    const commits: Uint8Array[] = []
    const total = Math.ceil(messages.length / COMMIT_MESSAGES)
    while (commits.length < total) {
      const from = snapshots[Math.floor(random() * snapshots.length)]
      const owner = new OwnOwner(actor, from.bytes)
      owner.commit(messages.slice(from.at, commits.length * COMMIT_MESSAGES))
      const until = Math.min(total, commits.length + 1 + Math.floor(random() * 25))
      commits.push(...commitsOf(owner, messages.slice(commits.length * COMMIT_MESSAGES, until * COMMIT_MESSAGES)))
      snapshots.push({ at: until * COMMIT_MESSAGES, bytes: owner.snapshot() })
      if (snapshots.length > 2) snapshots.shift()
      // What came after the last commit dies with its owner.
      owner.commit(messages.slice(until * COMMIT_MESSAGES, until * COMMIT_MESSAGES + 5))
    }
    expect(hashOfCommits(commits)).toBe(told.commits)
  })

  test('tells the same on Deno, to the last bit, where it asks its engine for no function whose last bits are its own', () => {
    const root = join(import.meta.dirname, '../..')
    const onDeno = execFileSync(join(root, 'node_modules/.bin/deno'), ['run', '-A', join(import.meta.dirname, 'own.ts')], { cwd: root, encoding: 'utf8' })
    const told = JSON.parse(onDeno) as object[]
    expect(told).toEqual(kept.filter(({ name }) => OWN_LOGS[name].onAnyEngine).map(({ name, told: { commits, rest } }) => ({ name, commits, rest })))
    expect(told.length).toBeGreaterThan(0)
  })
})
