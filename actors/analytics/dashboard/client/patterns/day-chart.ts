/** The small chart of a typical day: a line in the band of its spread, from midnight to midnight. Its colours are those of the style sheet. */

import { svg } from '../dom.ts'
import { DAY_MINUTES } from './typical-day.ts'
import type { TypicalDay } from './typical-day.ts'

const [WIDTH, HEIGHT] = [340, 150]
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 10, 10, 24]
const HOURS_SHOWN = [0, 6, 12, 18, 24]

/** `scale`: least and greatest value that are shown. `label` says what is seen; `tick` a value at the axis. */
export function dayChart({ points, spread }: TypicalDay, scale: readonly [number, number], { label, tick }: { label: string; tick: (value: number) => string }): SVGSVGElement {
  const x = (minute: number) => LEFT + (minute / DAY_MINUTES) * (WIDTH - LEFT - RIGHT)
  const y = (value: number) => TOP + ((scale[1] - value) / (scale[1] - scale[0])) * (HEIGHT - TOP - BOTTOM)
  const at = (minute: number, value: number) => `${x(minute).toFixed(1)} ${y(value).toFixed(1)}`
  const upper = points.map(({ minute, value }) => at(minute, value + spread))
  const lower = points.map(({ minute, value }) => at(minute, value - spread)).reverse()
  const bottom = HEIGHT - BOTTOM
  return svg('svg', { class: 'day-chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label },
    ...HOURS_SHOWN.flatMap((hour) => [
      svg('path', { class: 'day-grid', d: `M${x(hour * 60).toFixed(1)} ${TOP}V${bottom}` }),
      svg('text', { x: x(hour * 60).toFixed(1), y: HEIGHT - 6, 'text-anchor': hour === 24 ? 'end' : 'middle' }, String(hour).padStart(2, '0')),
    ]),
    ...[scale[1], (scale[0] + scale[1]) / 2, scale[0]].flatMap((value) => [
      svg('path', { class: 'day-grid', d: `M${LEFT} ${y(value).toFixed(1)}H${WIDTH - RIGHT}` }),
      svg('text', { x: LEFT - 6, y: (y(value) + 4).toFixed(1), 'text-anchor': 'end' }, tick(value)),
    ]),
    svg('path', { class: 'day-band', d: `M${[...upper, ...lower].join('L')}Z` }),
    svg('path', { class: 'day-line', d: `M${points.map(({ minute, value }) => at(minute, value)).join('L')}` }))
}
