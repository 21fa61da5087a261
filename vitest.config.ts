import { defineConfig } from 'vitest/config';

// "fast" needs no browser and no server process: the inner loop. "whole" is everything that starts a real one.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'fast', include: ['tests/*.test.ts'], testTimeout: 15_000 } },
      {
        test: {
          name: 'whole',
          include: ['tests/{contracts,browser,faults}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
