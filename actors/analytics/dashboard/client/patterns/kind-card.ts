/** A kind of devices in one metric: who is unlike the others, and each group with its typical day and its devices. */

import { h } from '../dom.ts'
import { count } from '../format.ts'
import { address } from '../page.ts'
import type { FleetGroup, FleetKind, FleetOutlier } from '../shapes.ts'
import type { Units } from '../units.ts'
import { dayChart } from './day-chart.ts'
import { dayWords, extentOf, typicalDay } from './typical-day.ts'
import { farWords, kindWords, sinceWords } from './words.ts'

/** Shown of a kind among others; by itself it has all of them. */
const OUTLIERS_MAX = 6
/** Days of a device that a link leads to. */
const LINK_RANGE = '7d'

const kindAddress = ({ sort, metric }: FleetKind) => address('/patterns', { metric, kind: sort })

/** `id` is its own on the page. `alone`: it is the only one there, and all of it is wanted. */
export function kindCard(kind: FleetKind, units: Units, { id, alone, nowMs }: { id: string; alone: boolean; nowMs: number }): HTMLElement {
  const { metric, outliers } = kind
  const name = units.label(metric)
  // A group that nobody is in now is told of only where there is no other.
  const lived = kind.groups.filter((group) => group.devices > 0)
  const groups = lived.length > 0 ? lived : kind.groups
  const ahead = -new Date(nowMs).getTimezoneOffset()
  const days = groups.map((group) => typicalDay(group, group.level ?? kind.level, ahead))
  const scale = days.length > 0 ? extentOf(days) : ([0, 1] as const)
  const deviceLink = (device: string) => h('a', { href: address('/device', { id: device, metrics: metric, range: LINK_RANGE }) }, device)

  function outlierOf(outlier: FleetOutlier): HTMLElement {
    return h('li', {}, h('span', { class: 'kind-odd' }, deviceLink(outlier.device)), h('span', { class: 'muted small' }, `${farWords(metric, outlier, units)}, ${sinceWords(outlier, nowMs)}.`))
  }

  function oddOnes(): HTMLElement | null {
    if (outliers.length === 0) return null
    const shown = alone ? outliers : outliers.slice(0, OUTLIERS_MAX)
    return h('div', { class: 'kind-part', role: 'group', 'aria-labelledby': `${id}-odd` },
      h('h3', { id: `${id}-odd` }, 'Unlike the others ', h('span', { class: 'count' }, count(outliers.length))),
      h('ul', { class: 'kind-outliers' }, ...shown.map(outlierOf)),
      shown.length < outliers.length && h('p', { class: 'small' }, h('a', { href: kindAddress(kind) }, `All ${count(outliers.length)} of them`)))
  }

  function groupOf(group: FleetGroup, i: number): HTMLElement {
    const { devices, members } = group
    const words = dayWords(metric, days[i], units)
    const title = groups.length === 1 ? 'The usual day' : `Pattern ${i + 1} of ${groups.length}`
    const who = devices === 0 ? 'no device now' : `${count(devices)} device${devices === 1 ? '' : 's'}`
    return h('div', { class: 'kind-part', role: 'group', 'aria-labelledby': `${id}-${i}` },
      h('h3', { id: `${id}-${i}` }, title, h('span', { class: 'muted' }, ` · ${who}`)),
      dayChart(days[i], scale, { label: `${name}, ${title.toLowerCase()}. ${words}`, tick: (v) => units.bare(metric, v) }),
      h('p', { class: 'small' }, words),
      h('ul', { class: 'kind-members small', 'aria-label': 'Devices that go this way' }, ...members.map(({ device }) => h('li', {}, deviceLink(device)))),
      members.length < devices && h('p', { class: 'small' }, alone ? `and ${count(devices - members.length)} more.` : h('a', { href: kindAddress(kind) }, `and ${count(devices - members.length)} more`)))
  }

  // Kinds of one part stand side by side. A card is a landmark, named by what it measures and of whom, as several kinds measure the same; its parts are called alike in all, and are none.
  const small = outliers.length === 0 && groups.length < 2 && !alone
  return h('section', { class: small ? 'card kind is-small' : 'card kind', 'aria-labelledby': `${id} ${id}-which`, 'data-metric': metric, 'data-sort': kind.sort },
    h('div', { class: 'kind-head' },
      h('h2', { id }, name, units.symbol(metric) && h('span', { class: 'muted' }, ` in ${units.symbol(metric)}`)),
      h('p', { class: 'muted small', id: `${id}-which` }, kindWords(kind))),
    h('div', { class: 'kind-parts' },
      oddOnes(),
      ...groups.map(groupOf),
      groups.length === 0 && h('p', { class: 'muted' }, `Its days are flat: it stays at ${units.text(metric, kind.level)}.`)))
}
