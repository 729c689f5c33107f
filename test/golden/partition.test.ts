/** One recorded log, told several ways: straight through, by two owners who crash again and again, resumed by three, and on Deno. */

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { partitionActor } from '../../actors/partition/actor.ts'
import { seeded } from '../actors/partition/harness.ts'
import { goldenLog, ruleLog, shelfLog } from './partition-log.ts'
import { drive, Story, straight } from './story.ts'

const messages = goldenLog()
const told = straight(messages)
/** That of a farm, one of rules with their alerts, and one of alerts that are put aside. */
const LOGS = [{ log: 'a farm', messages, told }, { log: 'rules', messages: ruleLog(), told: straight(ruleLog()) }, { log: 'a shelf', messages: shelfLog(), told: straight(shelfLog()) }]

describe('the recorded log of a partition', () => {
  test('tells the story that was recorded', () => {
    const { windows, anomalies, fates, end } = told
    const counts = { windows: windows.length, anomalies: anomalies.length, fates: fates.length }
    expect({ ...counts, end, hash: told.hash() }).toMatchInlineSnapshot(`
      {
        "anomalies": 8,
        "end": "{"accepted":20626,"pending":0,"logTimeMs":1767249455000}",
        "fates": 1255,
        "hash": "08c5404c608eebf64c8c73262948d039995ccc3793bfffdc62cad5edaef6d316",
        "windows": 4390,
      }
    `)
  })

  test.each(LOGS)('tells the same when two owners take turns and crash: each replays in silence from an old snapshot to the last commit, $log', ({ messages, told }) => {
    const story = new Story()
    const random = seeded(41)
    const snapshots = [{ at: 0, bytes: partitionActor.snapshot(partitionActor.create()) }]
    let committed = 0
    while (committed < messages.length) {
      const from = snapshots[Math.floor(random() * snapshots.length)]
      const state = partitionActor.restore(from.bytes)
      const silence = partitionActor.effects()
      for (const m of messages.slice(from.at, committed)) partitionActor.step(state, m, silence)
      const until = Math.min(messages.length, committed + 1 + Math.floor(random() * 400))
      drive(state, messages.slice(committed, until), 1 + Math.floor(random() * 30), story)
      // What came after the last commit dies with its owner.
      const lost = partitionActor.effects()
      snapshots.push({ at: until, bytes: partitionActor.snapshot(state) })
      if (snapshots.length > 2) snapshots.shift()
      for (const m of messages.slice(until, until + 20)) partitionActor.step(state, m, lost)
      committed = until
    }
    expect(story).toEqual(told)
  })

  test.each(LOGS)('tells the same when three owners resume it one after the other, each with commits of its own size, $log', ({ messages, told }) => {
    const story = new Story()
    const third = Math.ceil(messages.length / 3)
    let state = partitionActor.create()
    for (let owner = 0; owner < 3; owner++) {
      state = drive(state, messages.slice(owner * third, (owner + 1) * third), [1, 77, 100_000][owner], story)
      state = partitionActor.restore(partitionActor.snapshot(state))
    }
    expect(story).toEqual(told)
  })

  test('tells the same on Deno, to the last bit', () => {
    const root = join(import.meta.dirname, '../..')
    const deno = join(root, 'node_modules/.bin/deno')
    const onDeno = execFileSync(deno, ['run', '-A', join(import.meta.dirname, 'story.ts')], { cwd: root, encoding: 'utf8' })
    expect(onDeno.trim()).toBe(told.hash())
  })
})
