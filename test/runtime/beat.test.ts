import { expect, test } from 'vitest'
import { atNextBeat } from '../../runtime/beat.ts'
import { ManualClock } from '../support/manual-clock.ts'

test('what waits for one beat runs in one turn, in order, within the interval', async () => {
  const clock = new ManualClock()
  const said: string[] = []
  const say = (name: string) => () => {
    said.push(name)
    void Promise.resolve().then(() => said.push(`${name} later`))
  }
  atNextBeat(clock, 100, say('a'))
  await clock.advance(60)
  atNextBeat(clock, 100, say('b'))
  atNextBeat(clock, 30, say('c'))
  await clock.advance(30)
  expect(said).toEqual(['c', 'c later'])
  await clock.advance(10)
  expect(said.slice(2)).toEqual(['a', 'b', 'a later', 'b later'])
})

test('a beat that is cancelled does not come; a new one can be asked for while the others run', async () => {
  const clock = new ManualClock()
  const at: number[] = []
  const cancel = atNextBeat(clock, 100, () => at.push(-1))
  const again = () => {
    at.push(clock.monotonic())
    if (at.length < 3) atNextBeat(clock, 100, again)
  }
  atNextBeat(clock, 100, again)
  cancel()
  await clock.advance(500)
  cancel()
  expect(at).toEqual([100, 200, 300])
})
