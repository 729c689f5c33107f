/** What is put wrong on purpose: edits as (file, text that is there once, text in its place). */

import { TOLD_MUTATIONS } from './mutations-told.ts'
import type { Favours } from './options.ts'

export interface Mutation {
  /** What the fault is, as a reviewer would say it. */
  readonly what: string
  /** What the seeds that look for it have on, where it takes several things to come together. */
  readonly favours?: Favours
  /** The first seed that looks for it, where those before are known to miss it; 1 where it is left out. */
  readonly from?: number
  readonly edits: readonly (readonly [file: string, find: string, replace: string])[]
}

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'commit-without-expectation': {
    what: 'claims and commits are stored whatever the last message of the subject is',
    edits: [['runtime/journal-writer.ts', '{ expectLastSubjectSeq: this.#lastSeq }', '{}']],
  },
  'conflict-taken-for-success': {
    what: 'a writer whose message met a conflict believes that it landed',
    edits: [['runtime/journal-writer.ts', 'if (newest.nonce !== nonce) throw', 'if (newest.nonce === "") throw']],
  },
  'retry-without-a-look': {
    what: 'a message whose answer was lost is sent again without a look whether it landed',
    edits: [['runtime/journal-writer.ts', 'if (last && last.seq > this.#lastSeq) {', 'if (last && last.seq > this.#lastSeq && (this.#lastSeq = last.seq) < 0) {']],
  },
  'epoch-not-raised': {
    what: 'a claim keeps the epoch of the owner before',
    edits: [['runtime/journal-writer.ts', '(before?.epoch ?? 0) + 1', '(before?.epoch ?? 1)']],
  },
  'snapshot-position-early': {
    what: 'a snapshot says that it was taken one message earlier than it was',
    edits: [['runtime/snapshotter.ts', '{ ...about, pieces: made }', '{ ...about, pieces: made, position: { ...position, seq: position.seq - 1 } }']],
  },
  'snapshot-position-late': {
    what: 'a snapshot says that it was taken one message later than it was',
    from: 8,
    edits: [['runtime/snapshotter.ts', '{ ...about, pieces: made }', '{ ...about, pieces: made, position: { ...position, seq: position.seq + 1 } }']],
  },
  'replay-not-suppressed': {
    what: 'the first commit of a new owner carries again what it replayed',
    edits: [['runtime/committer.ts', 'this.#effects = this.#context.actor.effects()\n    this.#isAwaited', 'this.#isAwaited']],
  },
  'effects-lost-at-a-commit': {
    what: 'what is stepped while a commit is under way is not in the next one',
    edits: [['runtime/committer.ts', 'this.#measure(done)\n', 'this.#measure(done)\n        if (named) this.#effects = this.#context.actor.effects()\n']],
  },
  'first-part-not-sent': {
    what: 'a commit reaches readers without its first part',
    edits: [['runtime/journal-writer.ts', 'for (let part = 0; part < parts; part++) {', 'for (let part = 1; part < parts; part++) {']],
  },
  'acknowledged-too-early': {
    what: 'the edge answers before the log has',
    edits: [['actors/edge/batcher.ts', 'await this.#connection.log.publish(inputSubject(partition), bytes)', 'this.#connection.log.publish(inputSubject(partition), bytes).catch(() => {})']],
  },
  'failure-acknowledged': {
    what: 'the edge answers 202 for a block whose answer did not come',
    edits: [['actors/edge/batcher.ts', 'isOperating(error, ErrorCode.unavailable)) return error as Error', 'isOperating(error, ErrorCode.unavailable)) return null']],
  },
  'fenced-owner-goes-on': {
    what: 'an owner that was overtaken claims its partition back without a look at what was committed since',
    edits: [['runtime/journal-writer.ts', 'this.#position = before?.position ?? unclaimed', 'this.#position = this.#epoch > 2 ? { ...unclaimed, seq: 0 } : (before?.position ?? unclaimed)']],
  },
  'state-step-skipped': {
    what: 'the first message after a restored snapshot is not read',
    from: 17,
    edits: [['runtime/host.ts', 'fromSeq: this.#progress.at.seq + 1 })', 'fromSeq: this.#progress.at.seq + (this.#phase.kind === "replaying" && this.#progress.at.seq > 0 ? 2 : 1) })']],
  },
  'keys-not-in-snapshots': {
    what: 'a restored partition has forgotten the Idempotency-Keys',
    from: 17,
    edits: [['actors/partition/snapshot/rest.ts', 'for (const [hash, key] of keys.entries()) {', 'for (const [hash, key] of [] as [string, { seq: number; atMs: number }][]) {']],
  },
  'closed-windows-not-in-snapshots': {
    what: 'a restored series has forgotten what it closed',
    edits: [['actors/partition/snapshot/columns.ts', 'numbers[at] = s.closedUntilMs', 'numbers[at] = s.minutes === null ? s.closedUntilMs : s.minutes.start']],
  },
  'actor-reads-a-clock': {
    what: 'log time depends on how often the actor was asked, not on the log alone',
    edits: [['actors/partition/log-time.ts', 'export class LogTime {', 'let asked = 0\nexport class LogTime {'], ['actors/partition/log-time.ts', 'Math.min(timeMs - this.logMs, QUIET_STEP_MAX_MS)', 'Math.min(timeMs - this.logMs, QUIET_STEP_MAX_MS) + (asked++ % 3) * 700']],
  },
  'duplicates-kept': {
    what: 'a reading that is in its open minute already is counted again',
    edits: [['actors/partition/actor.ts', 'if (!minute.add(ts, value)) duplicate', 'if (!minute.add(ts, value) && value < -1e9) duplicate']],
  },
  'expired-readings-kept': {
    what: 'retention is not looked at',
    edits: [['actors/partition/actor.ts', 'else if (ts < oldestMs) expired', 'else if (ts < -oldestMs) expired']],
  },
  'idle-series-never-close': {
    what: 'windows of a quiet series stay open',
    edits: [['actors/partition/series/closing.ts', 'if (series.nextEndMs > passed) return', 'if (series.nextEndMs > -passed) return']],
  },
  'file-not-synced': {
    what: 'a file of the lake takes its name before its bytes are on the disk',
    from: 9,
    edits: [['actors/store/manifest.ts', 'await disk.syncFile(from)\n', '']],
  },
  'folder-not-synced': {
    what: 'a file counts as there before its name is on the disk',
    from: 10,
    edits: [['actors/store/manifest.ts', 'await disk.rename(from, to)\n  await disk.syncFolder(dirname(to))', 'await disk.rename(from, to)']],
  },
  'manifest-before-segment': {
    what: 'a manifest says that it covers what came while its segment was written',
    favours: { sealRowsMax: 20, deeds: { storeKillSoon: 3 } },
    from: 25,
    edits: [['actors/store/writer.ts', '[], changed)\n    this.#seals++', '[], { ...changed, ...this.#follower.positions() })\n    this.#seals++']],
  },
  'sweep-looks-at-one-manifest': {
    what: 'segments of the older manifests, to which a start may go back, are swept',
    favours: { keepSupersededMs: 0, sealIntervalMs: 10_000, stepMs: 10_000, deeds: { merge: 40, harmManifest: 20, harmSegment: 20 } },
    from: 102,
    edits: [['actors/store/manifest.ts', 'const versions = await keptVersions(lakeDir, disk)\n  const named', 'const versions = (await keptVersions(lakeDir, disk)).slice(0, 1)\n  const named']],
  },
  'late-readings-dropped': {
    what: 'the store takes every old reading for a duplicate',
    edits: [['actors/store/settle.ts', 'for (const o of late) kinds[row[o]] = KIND_LATE', '']],
  },
  'lake-not-asked': {
    what: 'old readings are compared with their seal alone, not with the lake',
    edits: [['actors/store/settle.ts', 'first.filter((o) => !known.has(o))', 'first.filter((o) => !known.has(-o - 1))']],
  },
  'owned-windows-forgotten': {
    what: 'a store that starts again does not know which windows are its own',
    edits: [['actors/store/owned.ts', 'owned.add(', '((_: unknown, __: unknown, ___: unknown) => {})(']],
  },
  'computed-row-not-newer': {
    what: "a window that the store computed has the version of the actor's row",
    edits: [['actors/store/recompute.ts', 'version: version[o] + 1', 'version: version[o] - 1']],
  },
  'message-covered-twice': {
    what: 'a store that starts again reads the last covered message once more',
    favours: { streams: 1, partitions: 4, deeds: { storeKill: 3 } },
    from: 7,
    edits: [['actors/store/follow.ts', 'if (message.seq <= (this.#covered', 'if (message.seq < (this.#covered']],
  },
  'commit-skipped-at-a-start': {
    what: 'a store that starts again begins one result too late',
    edits: [['actors/store/follow.ts', 'this.#resultsDone = Math.max(needed, results.firstSeq, 1) - 1', 'this.#resultsDone = Math.max(needed, results.firstSeq, 1)']],
  },
  'purge-ignores-readers': {
    what: 'input is purged before every store has it',
    favours: { stores: 2, keepLogMs: 1_000, deeds: { purge: 8, storeAway: 3 } },
    from: 7,
    edits: [['actors/store/janitor.ts', 'replayed, ...input.map((needed) => needed(p)))', 'replayed)']],
  },
  'purge-ignores-snapshots': {
    what: 'input is purged that the replay from the older snapshot needs',
    favours: { keepLogMs: 1_000, sealIntervalMs: 500, stepMs: 2_000, deeds: { purge: 8, harmSnapshot: 8, workerKill: 8 } },
    edits: [['actors/store/janitor.ts', 'this.#oldBefore(inputInfo), replayed,', 'this.#oldBefore(inputInfo),']],
  },
  'shelf-forgotten': {
    what: 'a snapshot forgets that an alert is shelved',
    // Snapshots come often, and so do those who need them.
    favours: {
      rules: true, steps: 40, stepMs: 4_000, deeds: { workerKill: 16 },
      bounds: { commitIntervalMs: 20, commitPartBytes: 1e6, commitResultsMax: 50, replayCostMs: 0.1, quietCostMs: 0.06 },
    },
    edits: [['actors/alert/watch.ts', '    if (state.length > end) this.life.shelvedUntil = state[end]\n', '']],
  },
  'alert-forgets-its-opening': {
    what: 'a snapshot forgets that an alert is open',
    favours: { rules: true, deeds: { workerKill: 8 } },
    edits: [['actors/alert/watch.ts', '    this.life.restore(state.subarray(1, at))\n', '']],
  },
  'parts-swept': {
    what: 'files of parts are swept while a manifest names them',
    favours: { stores: 1, sealIntervalMs: 500, deeds: { merge: 12 } },
    edits: [['actors/store/manifest.ts', 'for (const file of filesOf(segment)) named.add(file)', 'named.add(segment.file)']],
  },
  'parts-inherited': {
    what: 'a merged segment takes over parts of a view that not all of its inputs have',
    favours: { stores: 1, sealIntervalMs: 500, deeds: { merge: 12, storeKill: 8 } },
    edits: [['actors/store/parts.ts', 'withReadings.every(({ parts = [] }) => parts.some(has(id)))', 'withReadings.some(({ parts = [] }) => parts.some(has(id)))']],
  },
  ...TOLD_MUTATIONS,
}
