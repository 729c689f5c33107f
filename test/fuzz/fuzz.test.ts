/** Every parser and codec against what a generator draws: some cases here, as many as wanted by `npm run fuzz`. */

import { describe, expect, test } from 'vitest'
import { CASES, dealt, SEED, tryLaw } from './law.ts'
import { laws } from './laws.ts'

describe('whatever a generator draws', () => {
  const cases = dealt(laws, CASES)
  test.each(laws.map((law, i) => [law.name, i] as const))('%s', async (_name, i) => {
    expect((await tryLaw(laws[i], { seed: SEED, cases: cases[i] })).failure).toBeNull()
  })
})
