import { defineConfig } from 'vitest/config'

// Two files at a time: first laws and simulations, then what starts real servers, processes or a browser. No test asserts a time, so
// they may run side by side; most of the second sort wait for processes most of their time.
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
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
