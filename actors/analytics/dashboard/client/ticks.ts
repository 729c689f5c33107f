/** What stands at the ticks of an axis. Pure, but for the browser's locale and time zone. */

import { compact } from './format.ts'

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const clockSeconds = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' })
const year = new Intl.DateTimeFormat(undefined, { year: 'numeric' })
const DAY_MS = 86_400_000

/** Hours under each tick, the day beneath where it changes; days and years for long spans. For uPlot's `values` of a time axis in ms. */
export function timeTicks(_u: unknown, splits: number[], _axis: number, _space: number, stepMs: number): string[] {
  let shownDay = ''
  let shownYear = ''
  return splits.map((t) => {
    const theDay = day.format(t)
    const theYear = year.format(t)
    const first = stepMs >= DAY_MS ? theDay : (stepMs < 60_000 ? clockSeconds : clock).format(t)
    let second = ''
    if (stepMs < DAY_MS) {
      if (theDay !== shownDay) second = theDay
    } else if (theYear !== shownYear) second = theYear
    shownDay = theDay
    shownYear = theYear
    return second ? `${first}\n${second}` : first
  })
}

/** As many decimals as the step between ticks has; large and tiny numbers in short. For uPlot's `values` of an axis of values. */
export function valueTicks(_u: unknown, splits: number[]): string[] {
  return splits.map((v) => tickText(v, splits))
}

function tickText(v: number, splits: readonly number[]): string {
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) : Math.abs(v)
  const size = Math.max(Math.abs(splits[0]), Math.abs(splits.at(-1) ?? 0))
  if (size >= 1e12 || (size < 1e-3 && size > 0)) return v === 0 ? '0' : v.toExponential(1)
  if (size >= 1e5) return compact(v)
  let decimals = 0
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals++
  return v.toFixed(decimals)
}
