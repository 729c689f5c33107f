import { defineConfig } from 'vitest/config'

// Laws and simulations run two files at a time; tests that start real servers, processes or a browser run one by one,
// so that they measure themselves and not each other.
const shared = { testTimeout: 180_000, hookTimeout: 120_000, pool: 'forks' } as const

export default defineConfig({
  test: {
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
          hookTimeout: 120_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
