/** An own actor that counts all that it is told, and says so when it is asked by a document. */

import { defineActor } from 'weir/actor'

export default defineActor({
  name: 'tally',
  key: () => 'all',
  initial: () => ({ readings: 0 }),
  reading: (state) => void state.readings++,
  document: (state, body, out) => out.row({ asked: String(body), readings: state.readings }),
  view: { columns: { asked: 'VARCHAR', readings: 'BIGINT' } },
})
