import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { ThreadGroup } from '../../runtime/threads.ts'
import { quietLogger } from '../support/quiet-logger.ts'
import { eventually } from '../support/system.ts'

interface Data {
  name: string
  lives: SharedArrayBuffer
  stopped: SharedArrayBuffer
  fault?: 'die' | 'refuse'
}
type Status = { name: string; life: number }

const groups: ThreadGroup<Data, Status>[] = []
afterEach(async () => {
  await Promise.all(groups.splice(0).map((group) => group.stop()))
})

function start(faults: (Data['fault'] | undefined)[]) {
  const { logger, lines } = quietLogger()
  const [lives, stopped] = [new SharedArrayBuffer(4), new SharedArrayBuffer(4)]
  const data = faults.map((fault, i) => ({ name: `t${i}`, lives, stopped, fault }))
  const group = new ThreadGroup<Data, Status>({ name: 'test', entry: new URL('../support/thread.ts', import.meta.url), data, clock: systemClock, logger })
  groups.push(group)
  return { group, lines, stopped: () => new Int32Array(stopped)[0] }
}

const names = (group: ThreadGroup<Data, Status>) => group.statuses().map((status) => status?.name ?? null)

describe('a group of threads', () => {
  it('tells what each says of itself, and drains each before it ends it', async () => {
    const { group, stopped } = start([undefined, undefined])
    await group.start()
    await eventually('both speak', () => names(group).join() === 't0,t1')
    await group.stop()
    expect(stopped()).toBe(2)
    expect(names(group)).toEqual([null, null])
  })

  it('sums the metrics of all', async () => {
    const { group } = start([undefined, undefined, undefined])
    await group.start()
    await eventually('all speak', () => names(group).every((name) => name !== null))
    expect(await (await group.metrics()).metrics()).toContain('test_work_total{of="all"} 6')
  })

  for (const fault of ['die', 'refuse'] as const) {
    it(`starts a thread again that ${fault === 'die' ? 'dies' : 'fails to start'}, and says why it did`, async () => {
      const { group, lines } = start([fault])
      await group.start()
      await eventually('the second life speaks', () => (group.statuses()[0]?.life ?? 0) > 0)
      expect(lines.some((line) => line.level === 50 && /dies of a bug|no start at first/.test(String(line.how)))).toBe(true)
    })
  }
})
