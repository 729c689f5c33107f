/** What is put wrong on purpose in own actors, in the farm, and in telling people of alerts. */

import type { Mutation } from './mutations.ts'
import type { Favours } from './options.ts'

/** What the seeds have on that look for faults in own actors and in telling people. */
const OWN: Favours = { rules: true, own: ['echo'], notifiers: 0, receiverFails: 0, steps: 25, feedRows: [3, 5, 20] }
const FARM: Favours = { ...OWN, own: ['echo', 'advice'], nights: 3 }
const TOLD: Favours = { rules: true, own: [], notifiers: 2, receiverFails: 0.2, steps: 25 }
const SNAPSHOTS = { commitIntervalMs: 20, commitPartBytes: 1e6, commitResultsMax: 50, replayCostMs: 0.1, quietCostMs: 0.06 }

export const TOLD_MUTATIONS: Readonly<Record<string, Mutation>> = {
  'own-place-noted-too-early': {
    what: 'a feed notes as told what still waits for the log',
    favours: { ...OWN, lossOfInput: 0.3 },
    edits: [['actors/own/feed.ts', 'await this.#sending\n    // By now', '// By now'], ['actors/own/feed.ts', 'if (this.#sending === null && this.#pieces.length === 0) this.#safe', 'this.#safe']],
  },
  'own-letter-says-more': {
    what: 'a message of the feed says that all is told, where more of it waits for the next one',
    favours: OWN,
    edits: [['actors/own/feed.ts', 'this.#pieces.length > 0 ? pieces.at(-1)!.seq : this.#upTo', 'this.#upTo']],
  },
  'own-place-cut-in-two': {
    what: 'readings of one place go in two messages, of which the second is taken for a repeat',
    favours: OWN,
    edits: [['actors/own/feed.ts', 'i > count && piece.seq !== seq)', 'i > count)']],
  },
  'own-told-what-was-passed-over': {
    what: 'an own actor is told duplicates',
    favours: { ...OWN, habits: { doubled: 0.4 } },
    edits: [['actors/own/feed.ts', '[...fates.duplicate, ...fates.expired, ...fates.old]', '[...fates.expired, ...fates.old]']],
  },
  'own-told-twice': {
    what: 'an own actor takes what a feed tells again for new',
    from: 4,
    favours: { ...OWN, workersMax: 3, deeds: { workerKill: 8, workerJoin: 8 } },
    edits: [['actors/own/state.ts', 'if (seq <= this.#fedTo(input.created)) continue', '']],
  },
  'own-place-not-in-snapshots': {
    what: 'a restored own actor has forgotten how far it was told',
    favours: { ...OWN, workersMax: 3, bounds: SNAPSHOTS, deeds: { workerKill: 8, workerJoin: 8 } },
    edits: [['actors/own/state.ts', ';[state.fedCreated, state.fedTo] = wire.f', '']],
  },
  'own-documents-not-told-again': {
    what: "an author's code that was started again is handed its states without the documents",
    favours: { ...OWN, sandboxDies: 0.3 },
    edits: [['actors/own/state.ts', 'return { states: [...this.states], documents }', 'return { states: [...this.states], documents: documents.slice(1) }']],
  },
  'own-code-asked-of-another-state': {
    what: "an author's code goes on from its own states where its host has restored others",
    favours: { ...OWN, workersMax: 3, stepMs: 10_000, deeds: { workerPause: 16, workerJoin: 8, cut: 8 } },
    edits: [['actors/own/actor.ts', '() => hosted.memory(), of !== hosted)', '() => hosted.memory(), false)']],
  },
  'own-alerts-not-in-snapshots': {
    what: 'a restored own actor has forgotten which alerts are open',
    favours: { ...OWN, bounds: SNAPSHOTS, deeds: { workerKill: 8 } },
    edits: [['actors/own/state.ts', '      life.restore(numbers)\n', '']],
  },
  'purge-ignores-own-feeds': {
    what: 'results are purged before own actors were told of them',
    favours: { ...OWN, keepLogMs: 1_000, sealIntervalMs: 500, stepMs: 10_000, workersMax: 1, deeds: { purge: 16, workerPause: 16, workerKill: 16 } },
    edits: [['actors/store/janitor.ts', 'const entries = readers.map(', "const entries = readers.filter(({ name }) => !name.startsWith('own-')).map("]],
  },
  'plot-advised-twice': {
    what: 'a day of a plot that has ended ends again',
    favours: FARM,
    edits: [['actors/farm/season.ts', '  state.endedTo = day\n', '  state.endedTo = Math.max(state.endedTo ?? 0, day - 1)\n']],
  },
  'alert-sent-before-it-is-stored': {
    what: 'a message goes out before it is stored that there is one',
    favours: { ...TOLD, latencyMs: 400, deeds: { notifierKillSoon: 16 } },
    edits: [['actors/notify/post.ts', 'if (kept.stored.has(delivery.id)) this.#send', 'this.#send']],
  },
  'notifier-overwrites-another': {
    what: 'a notifier that woke from a long sleep stores what it knew over what another one has stored',
    from: 4,
    favours: { ...TOLD, deeds: { notifierPause: 16 } },
    edits: [['actors/notify/keeper.ts', 'return await kv.put(key, bytes, revision)', 'return await kv.set(key, bytes)']],
  },
  'notifier-place-noted-too-early': {
    what: 'the notifier notes as taken in what it has not stored yet',
    from: 7,
    favours: { ...TOLD, lossOfEntries: 0.5 },
    edits: [['actors/notify/keeper.ts', 'from = Math.min(from, newFrom, storingFrom)', 'from = Math.min(from, newFrom)']],
  },
  'notifier-takes-in-twice': {
    what: 'a new notifier takes in again what is in the state that it has loaded',
    from: 3,
    favours: { ...TOLD, deeds: { notifierKill: 16 } },
    edits: [['actors/notify/notifier.ts', 'if (seq <= state.seq) continue', '']],
  },
  'silence-taken-for-an-answer': {
    what: 'a message whose receiver did not answer counts as delivered',
    favours: { ...TOLD, receiverFails: 0.4 },
    edits: [['actors/notify/desk.ts', "  if (outcome.kind === 'taken') {", "  if (outcome.kind === 'taken' || outcome.kind === 'away') {"]],
  },
  'alerts-out-of-order': {
    what: 'a message goes out while one before it of the same alert was not taken',
    from: 3,
    favours: { ...TOLD, receiverFails: 0.4 },
    edits: [['actors/notify/desk.ts', 'if (!firsts.has(delivery.order)) firsts.set(delivery.order, delivery)', 'firsts.set(delivery.id, delivery)']],
  },
  'told-though-put-aside': {
    what: 'what was shelved while it waited is told all the same',
    favours: { ...OWN, notifiers: 1, steps: 40, habits: { large: 0.4 } },
    edits: [['actors/notify/desk.ts', "if (told.event !== 'shelved' && state.alerts[told.id]?.state === 'shelved') return false", '']],
  },
  'waiting-alerts-not-stored': {
    what: 'what waits for others of its group is not in the state that is stored',
    favours: { ...TOLD, deeds: { notifierKill: 16 } },
    edits: [['actors/notify/state.ts', 'JSON.stringify(form())', "JSON.stringify(form(), (name, value: unknown) => (name === 'waiting' ? [] : value))"]],
  },
  'copy-written-over': {
    what: 'what the notifier keeps is copied anew over the copy that its stored slip names',
    from: 35,
    favours: { ...TOLD, notifierChanges: 1, deeds: { notifierKillSoon: 16 } },
    edits: [['actors/notify/keeper.ts', 'copy?.ref.place === 0 ? 1 : 0', 'copy?.ref.place === 1 ? 1 : 0']],
  },
  'copy-before-its-slip': {
    what: 'the notifier writes a copy over one that another has just named, as it did not store its slip first',
    from: 102,
    favours: {
      rules: true, own: [], notifiers: 2, notifierChanges: 1, latencyMs: 400, edges: 1, stores: 1, metrics: 1, steps: 25, deeds: { notifierPause: 40, notifierKillSoon: 8 },
    },
    edits: [['actors/notify/keeper.ts', 'kept.revision = await this.#put(stateKey(kept.state.tenant), encodeState(kept.state, () => formOf(kept)), kept.revision)\n', '']],
  },
  'purge-ignores-the-notifier': {
    what: 'results are purged before their alerts are in what the notifier keeps',
    favours: { ...TOLD, notifiers: 1, stores: 1, keepLogMs: 1_000, sealIntervalMs: 500, keepSupersededMs: 0, stepMs: 4_000, steps: 40, deeds: { purge: 40, notifierPause: 40 } },
    edits: [['actors/store/janitor.ts', 'const entries = readers.map(', "const entries = readers.filter(({ name }) => name !== 'notifier').map("]],
  },
}
