import { expect, test } from 'vitest'
import { runChaos } from '../chaos/chaos.ts'

// Of a seed that has each kind of deed within its time.
test('what is joined, killed, frozen and started again under load at random leaves every acknowledged reading in both lakes exactly once', async () => {
  const said: string[] = []
  const { wrong, deeds, acknowledged, claims } = await runChaos({ seed: 19, durationMs: 25_000, workers: 3, say: (line) => said.push(line) })
  expect(wrong, said.join('\n')).toEqual([])
  expect(Object.keys(deeds).sort()).toEqual(['edge', 'freeze', 'join', 'kill', 'leave', 'server', 'store'])
  expect(acknowledged).toBeGreaterThan(1_000)
  expect(claims).toBeGreaterThan(16)
})
