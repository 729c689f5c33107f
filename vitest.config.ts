import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'
import type { TestSpecification } from 'vitest/node'

/** Files that take longest, the longest first: begun last, one of them would leave the other core idle at the end. */
const LONGEST = [
  ...['simulation/swarm', 'store/shelf', 'sql/hostile', 'simulation/lake', 'sql/tenants', 'store/compaction', 'query/windows', 'ensemble/false-alarms'],
  ...['browser/dashboard', 'integration/bench', 'integration/cluster', 'integration/replay', 'integration/backfill', 'integration/chaos'],
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
      return at < 0 ? LONGEST.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

// Two files at a time: first laws and simulations, then what starts real servers, processes or a browser. No test asserts a time, so
// they may run side by side; most of the second sort wait for processes most of their time.
const shared = { testTimeout: 180_000, hookTimeout: 120_000, pool: 'forks' } as const

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...shared,
          name: 'laws',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/browser/**'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'system',
          include: ['test/integration/**/*.test.ts', 'test/browser/**/*.test.ts'],
          testTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
