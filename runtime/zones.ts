/**
 * Offsets of time zones from UTC, as the machine's own IANA database has them, from 2000 to 2100.
 *
 * - Z1 A zone's offset is a step function: constant between two changes of its clocks. It is looked up a year at a time, a look a day, and
 *   kept. Clocks that changed twice within a day would be missed; no zone has done so within a week since 2000.
 * - Z2 Since 2000 every offset is whole quarters of an hour, and clocks change at whole minutes; a test holds the database to it.
 */

const DAY_MS = 86_400_000
export const ZONE_FROM_MS = Date.UTC(2000, 0, 1)
export const ZONE_TO_MS = Date.UTC(2100, 0, 1)

/** From `from` (epoch ms) on, a clock there shows UTC + `offsetMs`. */
export interface OffsetSpan {
  readonly from: number
  readonly offsetMs: number
}

interface Zone {
  readonly format: Intl.DateTimeFormat
  /** Changes within each year that was asked for. */
  readonly changes: Map<number, readonly OffsetSpan[]>
}

/** By the name in the database, of which there are some hundreds; a request may write it in other cases. */
const zones = new Map<string, Zone>()

function formatOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
}

/** The name of a zone as the IANA database that this machine knows writes it (`Europe/Vienna`, `UTC`); null where it has none. */
export function zoneName(text: string): string | null {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(text)) return null
  try {
    return formatOf(text).resolvedOptions().timeZone
  } catch {
    return null
  }
}

function offsetAt({ format }: Zone, ms: number): number {
  const [, sign, hours, minutes] = /GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(format.format(ms))!
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}

function changesOf(zone: Zone, year: number): readonly OffsetSpan[] {
  const known = zone.changes.get(year)
  if (known !== undefined) return known
  const changes: OffsetSpan[] = []
  const end = Date.UTC(year + 1, 0, 1)
  let offsetMs = offsetAt(zone, Date.UTC(year, 0, 1) - 1)
  for (let day = Date.UTC(year, 0, 1); day < end; day += DAY_MS) {
    const last = day + DAY_MS - 1
    const after = offsetAt(zone, last)
    if (after === offsetMs) continue
    let before = day - 1
    let from = last
    while (from - before > 1) {
      const middle = Math.floor((before + from) / 2)
      if (offsetAt(zone, middle) === offsetMs) before = middle
      else from = middle
    }
    offsetMs = after
    changes.push({ from, offsetMs })
  }
  zone.changes.set(year, changes)
  return changes
}

/**
 * The offsets of a zone within `from` to `to`, in order; the first is from −Infinity on, the last holds for ever. `name` is as `zoneName` gives
 * it. Before 2000 and from 2100 on nothing is known.
 */
export function offsetsOf(name: string, { from, to }: { from: number; to: number }): OffsetSpan[] {
  let zone = zones.get(name)
  if (zone === undefined) zones.set(name, (zone = { format: formatOf(name), changes: new Map() }))
  const first = Math.min(Math.max(from, ZONE_FROM_MS), ZONE_TO_MS)
  const last = Math.min(Math.max(to, first), ZONE_TO_MS - 1)
  const spans: OffsetSpan[] = [{ from: -Infinity, offsetMs: offsetAt(zone, first) }]
  for (let year = new Date(first).getUTCFullYear(); year <= new Date(last).getUTCFullYear(); year++) {
    for (const change of changesOf(zone, year)) if (change.from > first && change.from <= last) spans.push(change)
  }
  return spans
}
