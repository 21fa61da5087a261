import { defineConfig } from 'vitest/config';

// "fast" asks rules and single rooms: the inner loop. "gateway" asks a whole gateway, inside the test's own process, over its port.
// "whole" is everything with a browser, a server of its own or a gateway in a process of its own, one file after the other.
export default defineConfig({
  test: {
    maxWorkers: '100%',
    projects: [
      // Loading the code anew for each file would take longer than running them.
      { test: { name: 'fast', include: ['tests/*.test.ts'], testTimeout: 15_000, isolate: false } },
      { test: { name: 'gateway', include: ['tests/gateway/*.test.ts'], testTimeout: 15_000, hookTimeout: 60_000, isolate: false } },
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
