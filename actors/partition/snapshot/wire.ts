/** What a piece of a snapshot holds, as msgpack: columns, a row a series or a window. What each format added is told in snapshot.ts. */

import type { RulesWire } from '../rules/snapshot.ts'

export interface Wire {
  v: number
  /** From format 11 on, where there are several: which piece this is, from 0, and of how many. */
  piece?: [number, number]

  // Of the first piece.
  settings?: [number, number, number]
  /** Log time, activity clock, accepted, malformed. */
  numbers?: [number, number, number, number]
  keys?: [string[], Uint8Array, Uint8Array]

  // Of each piece: series in the order of their numbers.
  /** Tenant and name of each device, names of metrics: those that no piece before has. */
  devices: [string[], string[]]
  metrics: string[]
  /** Device and metric of each series, numbered in the order in which they appear. */
  names: [Uint8Array, Uint8Array]
  series: Uint8Array
  detectors: Uint8Array
  /** Series, start, count of each open minute; and their readings, time and value by turns. */
  minutes: [Uint8Array, Uint8Array]
  /** Numbers of each open window above; values of those that hold values; keys and counts of the others. */
  upper: [Uint8Array, Uint8Array, Uint8Array]

  // Of the first piece.
  /** From format 2 on: what the log has switched on, ascending. */
  flags?: number[]

  // Of each piece.
  /** From format 3 on, where the flag is on: the ensembles of a page of series in each, the last of fewer. */
  ensembles?: Uint8Array[]
  /** From format 9 on, where the flag is on: what the metrics of devices lean by, and how series stand to their kinds, in pages as of ensembles. */
  leanings?: Uint8Array[]
  kin?: Uint8Array[]
  /** From format 8 on, where they are switched on, of forecasters: which kind each series has (0 none); rows of the young, of the grown, in the order of series. */
  forecasters?: [Uint8Array, Uint8Array, Uint8Array]

  // Of the last piece.
  /** From format 9 on: what kinds did in their last hours. */
  courses?: [string, number, number, number, number, number][]
  /** From format 5 on: series and factor by turns. */
  tuning?: Uint8Array
  /** From format 7 on, of what drives a series: its number, names of the slots, numbers. */
  driven?: [number, string[], Uint8Array][]
  /** From format 6 on: kind, revision, scale, and of each group centre, spread and days. */
  priors?: [string, number, number, [Uint8Array, number, number][], traits?: Uint8Array][]
  /** From format 10 on. */
  rules?: RulesWire
}

/** Refuses a snapshot. */
export function must(holds: boolean, what: string): void {
  if (!holds) throw new RangeError(`Cannot read a snapshot as ${what}`)
}

export const isText = (text: unknown): text is string => typeof text === 'string'
