import { defineConfig } from 'vitest/config';

// "fast" needs no browser and no server process: the inner loop. "whole" is everything that starts a real one.
export default defineConfig({
  test: {
    maxWorkers: '100%',
    projects: [
      // Every file builds an application of its own; loading the code anew for each would take longer than running them.
      { test: { name: 'fast', include: ['tests/*.test.ts'], testTimeout: 15_000, isolate: false } },
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
