/** A leak is water that flows at night, when nothing should: meters of a site are added up, wherever their partitions are. */

import { defineActor } from 'weir/actor'
import type { Documents } from 'weir/actor'

const HOUR_MS = 3_600_000
const siteOf = (device: string, sites: Documents) => sites.find(({ body }) => (body as { meters: string[] }).meters.includes(device))?.id ?? null

export default defineActor({
  name: 'night_leak',
  about: 'Least flow of a site from 1 to 5 at night (UTC + its zone), over all of its meters; alerts where it never fell below the limit.',
  reads: { metrics: ['flow'] },
  key: ({ device }, sites) => siteOf(device, sites),
  initial: () => ({ zone: 0, limit: 0.2, flows: {} as Record<string, number>, least: Infinity }),

  document(state, body) {
    if (body !== null) Object.assign(state, { zone: 0, limit: 0.2, flows: {} }, body)
  },

  reading(state, { device, ts, value }) {
    state.flows[device] = value
    const hour = Math.floor(ts / HOUR_MS + state.zone) % 24
    if (hour >= 1 && hour < 5) state.least = Math.min(state.least, Object.values(state.flows).reduce((sum, flow) => sum + flow, 0))
  },

  everyMs: HOUR_MS,
  tick(state, { key, time }, out) {
    if ((time / HOUR_MS + state.zone) % 24 !== 6 || state.least === Infinity) return
    out.row({ least: state.least, limit: state.limit })
    if (state.least > state.limit) out.alert({ name: 'leak', severity: 'critical', message: `${key} never used less than ${state.least} last night`, value: state.least })
    else out.resolve('leak')
    state.least = Infinity
  },

  view: { columns: { least: 'DOUBLE', limit: 'DOUBLE' } },
})
