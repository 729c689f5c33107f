/** Lists in blocks hold what arrays would, whatever grew, shrank and was let go before. */

import { expect, test } from 'vitest'
import { Lists } from '../../../../actors/partition/series/lists.ts'
import { seeded } from '../../../support/random.ts'

test('a list reads as it was last written, whatever others do to the blocks that it let go of', () => {
  const random = seeded(11)
  const lists = new Lists()
  const handles = new Array<number>(40).fill(0)
  const wanted = handles.map(() => [] as number[])
  for (let step = 0; step < 4_000; step++) {
    const i = Math.floor(random() * handles.length)
    const values = Array.from({ length: random() < 0.2 ? 0 : Math.floor(random() * random() * 200) }, random)
    handles[i] = lists.write(handles[i], values, values.length)
    wanted[i] = values
    expect(handles[i] === 0).toBe(values.length === 0)
    const other = Math.floor(random() * handles.length)
    const { length } = wanted[other]
    const read = new Float64Array(length + 3)
    lists.read(handles[other], length, read, 2)
    expect([...read]).toEqual([0, 0, ...wanted[other], 0])
  }
})

test('what is pushed to lists by turns is read in the order in which it came', () => {
  const random = seeded(12)
  const lists = new Lists()
  const handles = new Array<number>(30).fill(0)
  const wanted = handles.map(() => [] as number[])
  for (let step = 0; step < 4_000; step++) {
    const i = Math.floor(random() * handles.length)
    if (random() < 0.05) {
      lists.free(handles[i])
      handles[i] = 0
      wanted[i] = []
    }
    const values = Array.from({ length: Math.floor(random() * random() * 30) }, random)
    handles[i] = lists.push(handles[i], wanted[i].length, values, values.length)
    wanted[i].push(...values)
    const other = Math.floor(random() * handles.length)
    const { length } = wanted[other]
    const read = new Float64Array(length + 3)
    lists.readPushed(handles[other], length, read, 2)
    expect([...read]).toEqual([0, 0, ...wanted[other], 0])
  }
})

test('blocks that were let go of serve others: what is written again and again takes no more memory', () => {
  const lists = new Lists()
  const values = Float64Array.from({ length: 100 }, (_, i) => i)
  const seen = new Set<number>()
  for (let n = 0; n < 1_000; n++) {
    const handle = lists.write(0, values, values.length)
    seen.add(handle)
    lists.free(handle)
  }
  expect(seen.size).toBeLessThan(16)
})
