/**
 * What one run of the simulator tries, drawn from its seed: sizes, settings, rates, and which faults are on at all.
 *
 * Swarm testing: a run that can do everything rarely does one thing often enough, so each seed turns many faults off and the others up.
 * Source: A. Groce et al., "Swarm testing", ISSTA 2012.
 */

import type { Settings } from '../../../actors/reading/input.ts'
import type { HostBounds } from '../../../runtime/host-life.ts'
import { seeded } from '../../support/random.ts'

/** Deeds that a step may do to the system. */
export const DEEDS = [
  'workerJoin', 'workerKill', 'workerKillSoon', 'workerLeave', 'workerPause',
  'edgeKill', 'edgeKillSoon', 'edgePause',
  'storeKill', 'storeKillSoon', 'storeStop', 'storePause', 'storeAway', 'powerCut', 'diskFull', 'diskError', 'harmManifest', 'harmSegment', 'merge', 'purge',
  'cut', 'serverRestart', 'holdResults', 'holdInput', 'holdDeliveries', 'clockStep', 'harmSnapshot', 'slowBus', 'lagAnswers', 'outage',
] as const
/** Of what is there in some runs alone. */
export const NOTIFIER_DEEDS = ['notifierKill', 'notifierKillSoon', 'notifierLeave', 'notifierPause'] as const
export type Deed = (typeof DEEDS)[number] | (typeof NOTIFIER_DEEDS)[number]

/** What devices do wrong: each a share of readings or requests. */
export const HABITS = ['late', 'veryLate', 'ahead', 'doubled', 'equalTimes', 'keyed', 'resent', 'invalid', 'large'] as const
export type Habit = (typeof HABITS)[number]

export interface Options {
  readonly seed: number
  readonly steps: number
  readonly partitions: number
  /** Streams of the input, which partitions share. */
  readonly streams: number
  /** Copies of the log: where there are several, one that lags may answer. */
  readonly replicas: number
  readonly edges: number
  readonly workersMax: number
  /** Share of workers that are of a version before all flags, until everything heals. */
  readonly former: number
  readonly stores: number
  readonly devices: number
  readonly metrics: number
  readonly tenants: readonly string[]
  readonly settings: Settings
  readonly bounds: Partial<HostBounds>
  readonly sealRowsMax: number
  readonly sealIntervalMs: number
  readonly keepLogMs: number
  readonly keepSupersededMs: number
  /** Longest time of one leg of a call; 0: none takes any. */
  readonly latencyMs: number
  /** Share of publishes that meet with a fault, by log. */
  readonly lossOfResults: number
  readonly lossOfInput: number
  /** How far a process' wall clock may be off. */
  readonly skewMs: number
  /** Longest pause between two steps. */
  readonly stepMs: number
  /** Weights of the deeds; those that are off are left out. */
  readonly deeds: Readonly<Partial<Record<Deed, number>>>
  readonly habits: Readonly<Partial<Record<Habit, number>>>
  /** Whether there are rules (rules.ts): not drawn, so that other seeds do what they did; and so with all below. */
  readonly rules: boolean
  /** Own actors that each worker runs beside its partitions (own.ts). */
  readonly own: readonly OwnName[]
  /** Rows of a place, of a message, and that wait, in their feeds. */
  readonly feedRows: readonly [place: number, message: number, waiting: number]
  /** Share of calls of an author's code at which its process dies. */
  readonly sandboxDies: number
  /** Days that all sleep through, so that there are some. */
  readonly nights: number
  /** Processes that may be the notifier (notifier.ts). */
  readonly notifiers: number
  /** Alerts and groups that change before what the notifier keeps is copied anew; 0: as many as in truth. */
  readonly notifierChanges: number
  /** Share of messages that the receiver of alerts treats badly, in one of its ways. */
  readonly receiverFails: number
  /** Share of entries of buckets whose answer is lost, or that are. */
  readonly lossOfEntries: number
}

export type OwnName = 'echo' | 'advice'

const SECOND_MS = 1_000
const MINUTE_MS = 60_000

/** Options in place of drawn ones; of deeds and habits those that are named are on as well. */
export type Favours = Partial<Omit<Options, 'seed'>>

export function drawOptions(seed: number, favours: Favours = {}): Options {
  const drawn = draw(seed)
  return { ...drawn, ...favours, deeds: { ...drawn.deeds, ...favours.deeds }, habits: { ...drawn.habits, ...favours.habits } }
}

function draw(seed: number): Options {
  const next = seeded(Math.imul(seed, 0x9e3779b1) ^ 0x5eed)
  const chance = (p: number) => next() < p
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]
  const deeds: Partial<Record<Deed, number>> = {}
  for (const deed of DEEDS) if (chance(0.5)) deeds[deed] = pick([1, 1, 3, 8])
  const habits: Partial<Record<Habit, number>> = {}
  for (const habit of HABITS) if (chance(0.6)) habits[habit] = pick([0.02, 0.1, 0.4])
  const partitions = pick([1, 2, 3, 4])
  return {
    seed,
    steps: pick([15, 25, 40]),
    partitions,
    streams: pick([1, partitions]),
    replicas: pick([1, 3]),
    edges: pick([1, 2]),
    workersMax: pick([1, 2, 3, 4]),
    former: pick([0, 0, 0.3, 0.8]),
    stores: pick([1, 1, 2]),
    devices: pick([1, 3, 6]),
    metrics: pick([1, 2]),
    tenants: pick([['default'], ['default', 'other']]),
    settings: {
      latenessMs: pick([0, 1, 5, 30]) * SECOND_MS,
      idleMs: pick([1, 5, 20, 60]) * SECOND_MS,
      retentionMs: chance(0.2) ? pick([10, 60]) * MINUTE_MS : 0,
    },
    bounds: {
      commitIntervalMs: pick([20, 100, 1_500]),
      commitPartBytes: pick([400, 2_000, 1e6]),
      commitResultsMax: pick([3, 50, 1_000]),
      replayCostMs: pick([0.1, 0.5, 3]),
      quietCostMs: pick([0.06, 0.5]),
    },
    sealRowsMax: pick([20, 200, 1e6]),
    sealIntervalMs: pick([500, 2_000, 10_000]),
    keepLogMs: pick([SECOND_MS, 20 * SECOND_MS, 10 * MINUTE_MS]),
    keepSupersededMs: pick([0, 10 * SECOND_MS, 60 * MINUTE_MS]),
    latencyMs: pick([0, 0, 3, 40, 400]),
    lossOfResults: chance(0.5) ? pick([0.02, 0.1, 0.3]) : 0,
    lossOfInput: chance(0.5) ? pick([0.02, 0.1, 0.3]) : 0,
    skewMs: chance(0.5) ? pick([50, 3_000, 10 * MINUTE_MS]) : 0,
    stepMs: pick([300, 2_000, 10_000]),
    deeds,
    habits,
    rules: seed % 4 === 2,
    own: [],
    feedRows: [100, 100, 1_000],
    sandboxDies: 0,
    nights: 0,
    notifiers: 0,
    notifierChanges: 0,
    receiverFails: 0,
    lossOfEntries: 0,
    ...(seed % 4 === 2 ? drawTold(seed, deeds) : {}),
  }
}

/** Alerts are told to people in each run that has them; in every other one of these there are own actors. */
function drawTold(seed: number, deeds: Options['deeds']): Partial<Options> {
  const next = seeded(Math.imul(seed, 0x9e3779b1) ^ 0x707d)
  const chance = (p: number) => next() < p
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]
  const more: Partial<Record<Deed, number>> = {}
  for (const deed of NOTIFIER_DEEDS) if (chance(0.5)) more[deed] = pick([1, 1, 3])
  const told = { notifiers: pick([1, 2]), notifierChanges: pick([0, 1, 3]), receiverFails: pick([0, 0.1, 0.4]), lossOfEntries: pick([0, 0, 0.05, 0.2]), deeds: { ...deeds, ...more } }
  if (seed % 8 !== 2) return told
  const own = pick<readonly OwnName[]>([['echo'], ['echo'], ['echo', 'advice']])
  return { ...told, own, sandboxDies: pick([0, 0.05, 0.3]), feedRows: pick([[2, 3, 10], [5, 5, 20], [100, 100, 1_000]] as const), nights: own.includes('advice') ? 3 : 0 }
}

/** One line that says what is on. */
export function describe({ deeds, habits, ...rest }: Options): string {
  const on = (of: Readonly<Record<string, number | undefined>>) => Object.entries(of).map(([name, weight]) => `${name}:${weight}`).join(' ')
  return `${JSON.stringify(rest)}\n  deeds ${on(deeds)}\n  habits ${on(habits)}`
}
