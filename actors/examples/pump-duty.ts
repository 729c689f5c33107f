/** How long a pump ran in each hour, and how often it started; a pump that starts too often wears out. */

import { defineActor } from 'weir/actor'

const HOUR_MS = 3_600_000
const RUNNING_AMPERE = 0.5
const STARTS_MAX = 12

export default defineActor({
  name: 'pump_duty',
  about: 'Minutes that each pump ran in the hour, and its starts; warns of more than 12 starts in an hour.',
  reads: { metrics: ['pump_current'] },
  key: 'device',
  initial: () => ({ running: false, since: 0, ranMs: 0, starts: 0 }),

  reading(state, { ts, value }) {
    const running = value > RUNNING_AMPERE
    if (state.running) state.ranMs += Math.max(0, ts - state.since)
    if (running && !state.running) state.starts++
    state.running = running
    state.since = Math.max(state.since, ts)
  },

  everyMs: HOUR_MS,
  tick(state, { key, time }, out) {
    if (state.running) state.ranMs += Math.max(0, time - state.since)
    state.since = Math.max(state.since, time)
    out.row({ minutes: state.ranMs / 60_000, starts: state.starts }, time - HOUR_MS)
    if (state.starts > STARTS_MAX) out.alert({ name: 'starts', severity: 'warning', message: `${key} started ${state.starts} times in an hour`, value: state.starts })
    else out.resolve('starts', `${key} starts at its usual pace again`)
    state.ranMs = 0
    state.starts = 0
  },

  view: { columns: { minutes: 'DOUBLE', starts: 'BIGINT' } },
})
