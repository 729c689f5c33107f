/** Drawings of a plot: the tank of its roots, and its last and next days. Owns their geometry; leaves words to words.ts. */

import { svg } from '../dom.ts'
import { fullness } from './words.ts'
import type { PlotDay } from './words.ts'

/** A lying tank, filled as far as the roots have water, with a mark where thirst begins. */
export function tank(advice: PlotDay): SVGSVGElement {
  const { full, thirst } = fullness(advice)
  const words = `The roots have ${Math.round(full * 100)} % of the water that they can hold; below ${Math.round(thirst * 100)} % the crop is thirsty.`
  return svg('svg', { viewBox: '0 0 300 26', class: 'plot-tank', role: 'img', 'aria-label': words, preserveAspectRatio: 'none' },
    svg('rect', { x: 0.5, y: 0.5, width: 299, height: 25, rx: 6, class: 'tank-wall' }),
    svg('rect', { x: 2, y: 2, width: Math.max(0, 296 * full), height: 22, rx: 5, class: 'tank-water' }),
    svg('line', { x1: 2 + 296 * thirst, x2: 2 + 296 * thirst, y1: 0, y2: 26, class: 'tank-mark' }))
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [600, 210, 40, 24, 8]

/** Depletion of the days there were and of those foretold, against RAW and TAW; rain and watering from above. */
export function course(days: readonly PlotDay[]): SVGSVGElement {
  const last = days.at(-1)!
  const outlook = last.outlook
  const count = days.length + outlook.length
  const most = Math.max(10, ...days.map(({ total_mm: total }) => total), ...outlook.map(([, , , , total]) => total))
  const x = (i: number) => LEFT + ((WIDTH - LEFT - 6) * (i + 0.5)) / count
  const y = (mm: number) => TOP + ((HEIGHT - TOP - BOTTOM) * Math.min(most, Math.max(0, mm))) / most
  const line = (points: readonly (readonly [number, number])[]) => points.map(([i, mm], k) => `${k === 0 ? 'M' : 'L'}${x(i).toFixed(1)} ${y(mm).toFixed(1)}`).join('')
  const ahead = outlook.map(([, mm], k): [number, number] => [days.length + k, mm])
  const low = outlook.map(([, mm, deviation], k): [number, number] => [days.length + k, mm + 1.96 * deviation])
  const high = outlook.map(([, mm, deviation], k): [number, number] => [days.length + k, mm - 1.96 * deviation]).reverse()
  const ready = [...days.map(({ ready_mm: mm }, i): [number, number] => [i, mm]), ...outlook.map(([, , , mm], k): [number, number] => [days.length + k, mm])]
  const wide = Math.max(1.5, ((WIDTH - LEFT) / count) * 0.5)
  const water = days.flatMap(({ rain_mm: rain, irrigation_mm: given }, i) => [
    ...(Number(rain) > 0.2 ? [svg('rect', { x: x(i) - wide / 2, y: TOP, width: wide, height: Math.max(1, y(Number(rain)) - TOP), class: 'course-rain' })] : []),
    ...(Number(given) > 0.2 ? [svg('rect', { x: x(i) - wide / 2, y: y(Number(rain ?? 0)), width: wide, height: Math.max(1, y(Number(given)) - TOP), class: 'course-given' })] : []),
  ])
  const marks = days.flatMap(({ seen_mm: seen }, i) => (seen == null ? [] : [svg('circle', { cx: x(i), cy: y(seen), r: 2, class: 'course-seen' })]))
  const every = Math.ceil(count / 6)
  const dates = [...days.map(({ day }) => day), ...outlook.map(([day]) => day)].flatMap((day, i) => (i % every === 0 ? [svg('text', { x: x(i), y: HEIGHT - 6, 'text-anchor': 'middle' }, `${Number(day.slice(8))}.${Number(day.slice(5, 7))}.`)] : []))
  const words = `Water lacking around the roots from ${days[0]!.day} to ${last.day}: ${Math.round(last.depletion_mm)} mm now, thirst begins at ${Math.round(last.ready_mm)} mm.`
  return svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'plot-course', role: 'img', 'aria-label': words },
    ...[0, most / 2, most].map((mm) => svg('line', { x1: LEFT, x2: WIDTH - 6, y1: y(mm), y2: y(mm), class: 'course-grid' })),
    svg('text', { x: LEFT - 5, y: y(0) + 9, 'text-anchor': 'end' }, 'full'),
    svg('text', { x: LEFT - 5, y: y(most), 'text-anchor': 'end' }, 'dry'),
    ...water,
    svg('path', { d: line(ready), class: 'course-ready' }),
    ...(ahead.length > 0 ? [svg('path', { d: `${line([...low, ...high])}Z`, class: 'course-band' }), svg('path', { d: line([[days.length - 1, last.depletion_mm], ...ahead]), class: 'course-ahead' })] : []),
    svg('path', { d: line(days.map(({ depletion_mm: mm }, i) => [i, mm])), class: 'course-line' }),
    ...marks,
    ...dates)
}
