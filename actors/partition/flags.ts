/**
 * What a partition does otherwise than the first version did, change by change, each under a number that is never used again.
 *
 * A log that was written under an older version must tell the same story for ever, whoever replays it. So a change of what a message
 * leads to does not come with the program, but with a message of the log: from the settings message that carries its number on, and
 * for that partition. A worker appends it once every living worker of the group says that it knows the number (runtime/member.ts).
 *
 * - F1 Behaviour at a message depends on the flags that the log before it has switched on, never on the version of the program.
 * - F2 A flag stays on. What is on is part of the state, and so of its snapshot.
 * - F3 A worker that meets a flag which it does not know does not guess: it gives the partition up to one that knows it.
 * - F4 A number, once in a release, keeps its meaning; the code of both sides stays for as long as logs without it may be replayed.
 *
 * How one is added: a number and its story here, a branch on `state.flags` where it acts, a recording of the version before it by
 * test/golden/record.ts. What no worker writes needs none: bytes of strangers may be refused otherwise from version to version.
 *
 * Source: temporal sdk-typescript, packages/workflow/src/flags.ts.
 */

import { OperatingError } from '../../runtime/errors.ts'

export const Flag = {
  /**
   * How old a reading is, is told by the time of the very message that brought it. Before, it was told by the greatest time that the log
   * had shown: a server's clock that once stood ahead by more than `retention`, for a single message, had every reading after it expire
   * until the days had caught up.
   */
  ageAtReceipt: 1,
  /**
   * What is strange is told by the ensemble (series/ensemble/), which knows the hour of the day, names what has happened, and gives each
   * reading a score. Before, it was told by the residual likelihood alone (series/detector.ts). It begins anew where the flag goes on.
   */
  ensemble: 2,
  /** Series forecast: each closed hour teaches them, and its close brings rows of forecasts. Before, nothing of that was there. */
  forecasts: 3,
  /** What people say of anomalies moves the bar of their series (tuning.ts). Before, such a message was none that anyone could read. */
  feedback: 4,
  /** Series share what is usual for their kind (fleet/). Before, a prior was a message that nobody could read, and days had no profiles. */
  fleet: 5,
  /** Series learn of those that drive them (drivers/). Before, an hour of a driver was a message that nobody could read. */
  drivers: 6,
  /** What the metrics of one device do together is looked at, too (device/). Before, each series was judged by itself alone. */
  together: 7,
  /**
   * Series are compared with others of their kind (fleet/kin.ts): hours are told as distances from what is usual, and what kinds did in them is heard.
   * Before, such a message was none that anyone could read.
   */
  kin: 8,
  /**
   * A series that has just begun borrows from its kind what it can't know yet (fleet/loan.ts), and days are told with the traits that this needs. Before,
   * each was silent for its first hundreds of readings.
   */
  loan: 9,
  /** Rules raise alerts (rules/). Before, a rule, and what people ask for of an alert, were messages that nobody could read. */
  rules: 10,
} as const

/** All that this version knows, ascending. */
export const FLAGS: readonly number[] = Object.values(Flag)

/** Throws `OperatingError` `version` where `flags`, found in `where`, are not all among `known`. */
export function assertKnown(flags: readonly number[], known: readonly number[], where: string): void {
  const unknown = flags.filter((flag) => !known.includes(flag))
  if (unknown.length === 0) return
  throw new OperatingError(
    'version',
    `Cannot go on with the partition as its ${where} must switch on none but the flags ${known.join(', ') || '(none)'} that this version of Weir knows: ` +
      `current value is ${unknown.join(', ')}. A newer version wrote it; start that one again, this one leaves the partition to it.`,
  )
}
