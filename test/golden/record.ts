/**
 * `node test/golden/record.ts NAME golden|flagged|forecast|insight|ensemble|device|kin|loan|rule`: keeps a log, a snapshot from its midst, and what this version tells of both, under
 * `history/NAME`. To be run once for each version before its successor changes what a log leads to; what a release wrote is never written again.
 *
 * `node test/golden/record.ts NAME again` keeps the log that is there, and writes anew what this version tells of it: for what no release has told.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { zstdCompressSync } from 'node:zlib'
import { partitionActor } from '../../actors/partition/actor.ts'
import type { InputMessage } from '../../runtime/actor.ts'
import { pack, unpack } from '../../runtime/codec.ts'
import { COMMIT_MESSAGES, commitsOf, HISTORY, recordings } from './history.ts'
import * as logs from './partition-log.ts'
import { drive, Story } from './story.ts'

/** Stretches of the log that hold something of everything, and are small; the last of them is quiet to its end. */
const STRETCHES = [[0, 500], [2_440, 2_640], [-160]] as const

const [name, which] = process.argv.slice(2)
const again = () => [...recordings().find((kept) => kept.version === name)!.messages]
const { flaggedLog, forecastLog, insightLog, ensembleLog, deviceLog, kinLog, loanLog, ruleLog, shelfLog } = logs as { [name in 'flaggedLog' | 'forecastLog' | 'insightLog' | 'ensembleLog' | 'deviceLog' | 'kinLog' | 'loanLog' | 'ruleLog' | 'shelfLog']?: () => InputMessage[] }
const make = { golden: logs.goldenLog, flagged: flaggedLog, forecast: forecastLog, insight: insightLog, ensemble: ensembleLog, device: deviceLog, kin: kinLog, loan: loanLog, rule: ruleLog, shelf: shelfLog, again }[which as 'golden' | 'flagged' | 'forecast' | 'insight' | 'ensemble' | 'device' | 'kin' | 'loan' | 'rule' | 'shelf' | 'again']
if (name === undefined || make === undefined) {
  console.error('Cannot record as there must be a name and one of golden, flagged, forecast, insight, ensemble, device, kin, loan, rule, shelf, again')
  process.exit(2)
}
const whole = make()
const messages = which === 'golden' || which === 'flagged' ? STRETCHES.flatMap(([from, to]) => whole.slice(from, to)) : whole
const snapshotAt = 40 * COMMIT_MESSAGES

const story = new Story()
const rest = new Story()
const state = drive(partitionActor.create(), messages.slice(0, snapshotAt), COMMIT_MESSAGES, story)
const snapshot = partitionActor.snapshot(state)
drive(state, messages.slice(snapshotAt), COMMIT_MESSAGES, story)
drive(partitionActor.restore(snapshot), messages.slice(snapshotAt), COMMIT_MESSAGES, rest)
const { v: snapshotVersion, flags = [] } = unpack<{ v: number; flags?: number[] }>(snapshot)
const snapshotHash = createHash('sha256').update(snapshot).digest('hex')
const told = { story: story.hash(), rest: rest.hash(), commits: commitsOf(messages), snapshot: snapshotHash, snapshotAt, snapshotVersion, flags }

const folder = join(HISTORY, name)
mkdirSync(HISTORY, { recursive: true })
if (which !== 'again') mkdirSync(folder)
if (which !== 'again') writeFileSync(join(folder, 'log.bin'), zstdCompressSync(pack(messages.map((m) => [m.seq, m.timeMs, m.data]))))
writeFileSync(join(folder, 'snapshot.bin'), zstdCompressSync(snapshot))
writeFileSync(join(folder, 'told.json'), `${JSON.stringify(told, null, 2)}\n`)
console.log(`${messages.length} messages, ${story.windows.length} windows, ${story.fates.length} fates, ${story.forecasts.length} forecasts, ${story.alerts.length} events of alerts: ${JSON.stringify(told)}`)
