/** Growing degree days: how much warmth a field has had since the year began. A row a day. */

import { defineActor } from 'weir/actor'

const BASE_CELSIUS = 10
const DAY_MS = 86_400_000

export default defineActor({
  name: 'degree_days',
  about: 'Growing degree days above 10 °C of each device, from the least and the greatest temperature of each UTC day.',
  reads: { metrics: ['temperature'] },
  key: 'device',
  initial: () => ({ day: 0, least: Infinity, most: -Infinity, year: 0, total: 0 }),

  reading(state, { ts, value }, out) {
    const day = Math.floor(ts / DAY_MS)
    if (day < state.day) return
    if (day > state.day) {
      if (state.day > 0) {
        const start = state.day * DAY_MS
        const year = new Date(start).getUTCFullYear()
        const degrees = Math.max(0, (state.least + state.most) / 2 - BASE_CELSIUS)
        state.total = (year === state.year ? state.total : 0) + degrees
        state.year = year
        out.row({ least: state.least, most: state.most, degrees, total: state.total }, start)
      }
      state.day = day
      state.least = Infinity
      state.most = -Infinity
    }
    state.least = Math.min(state.least, value)
    state.most = Math.max(state.most, value)
  },

  view: { columns: { least: 'DOUBLE', most: 'DOUBLE', degrees: 'DOUBLE', total: 'DOUBLE' } },
})
