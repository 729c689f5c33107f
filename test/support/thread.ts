/** The threads' side of the tests of threads: counts what it is asked, says what it was given, and dies when it was given `die`. */

import prom from 'prom-client'
import { systemClock } from '../../runtime/clock.ts'
import { createMetrics } from '../../runtime/telemetry.ts'
import { serveThread } from '../../runtime/threads.ts'

await serveThread(systemClock, async (data: { name: string; lives: SharedArrayBuffer; stopped: SharedArrayBuffer; fault?: 'die' | 'refuse' }) => {
  const life = Atomics.add(new Int32Array(data.lives), 0, 1)
  if (data.fault === 'refuse' && life === 0) throw new Error('no start at first')
  if (data.fault === 'die' && life === 0) systemClock.after(20, () => { throw new Error('dies of a bug') })
  const metrics = createMetrics({ process: false })
  new prom.Counter({ name: 'test_work', help: 'work', labelNames: ['of'], registers: [metrics] }).inc({ of: 'all' }, 2)
  return {
    status: () => ({ name: data.name, life }),
    metrics,
    stop: async () => {
      await systemClock.sleep(10)
      Atomics.add(new Int32Array(data.stopped), 0, 1)
    },
  }
})
