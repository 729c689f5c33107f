/** What is put wrong on purpose: edits as (file, text that is there once, text in its place). */

export interface Mutation {
  /** What the fault is, as a reviewer would say it. */
  readonly what: string
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
    edits: [['runtime/snapshotter.ts', 'persist(() => writeSnapshot(this.#objects!, about))', 'persist(() => writeSnapshot(this.#objects!, { ...about, position: { ...position, seq: position.seq - 1 } }))']],
  },
  'snapshot-position-late': {
    what: 'a snapshot says that it was taken one message later than it was',
    edits: [['runtime/snapshotter.ts', 'persist(() => writeSnapshot(this.#objects!, about))', 'persist(() => writeSnapshot(this.#objects!, { ...about, position: { ...position, seq: position.seq + 1 } }))']],
  },
  'replay-not-suppressed': {
    what: 'the first commit of a new owner carries again what it replayed',
    edits: [['runtime/committer.ts', 'this.#effects = this.#context.actor.effects()\n    this.#state', 'this.#state']],
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
    edits: [['runtime/host.ts', 'fromSeq: this.#progress.at.seq + 1 })', 'fromSeq: this.#progress.at.seq + (this.#phase.kind === "replaying" && this.#progress.at.seq > 0 ? 2 : 1) })']],
  },
  'keys-not-in-snapshots': {
    what: 'a restored partition has forgotten the Idempotency-Keys',
    edits: [['actors/partition/snapshot.ts', 'for (const [hash, key] of state.keys.entries()) {', 'for (const [hash, key] of [] as [string, { seq: number; atMs: number }][]) {']],
  },
  'closed-windows-not-in-snapshots': {
    what: 'a restored series has forgotten what it closed',
    edits: [['actors/partition/snapshot.ts', 'numbers.set([s.closedUntilMs, s.greatestMs', 'numbers.set([s.minutes === null ? s.closedUntilMs : s.minutes.start, s.greatestMs']],
  },
  'actor-reads-a-clock': {
    what: 'log time depends on how often the actor was asked, not on the log alone',
    edits: [['actors/partition/log-time.ts', 'export class LogTime {', 'let asked = 0\nexport class LogTime {'], ['actors/partition/log-time.ts', 'Math.min(timeMs - this.logMs, QUIET_STEP_MAX_MS)', 'Math.min(timeMs - this.logMs, QUIET_STEP_MAX_MS) + (asked++ % 3) * 700']],
  },
}
