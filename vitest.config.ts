import { defineConfig } from 'vitest/config';
import { countBothSides, onServers } from './tests/both-sides/count.ts';
import { printFaults } from './tests/faults/table.ts';
import { long } from './tests/long.ts';

const patient = { testTimeout: 120_000, hookTimeout: 120_000 };
const gateway = { include: ['tests/gateway/*.test.ts'], testTimeout: 15_000, hookTimeout: 60_000, isolate: false };

// Several processes, or servers that are stopped and come back: for `npm run test:faults`, or everything would take half an hour.
const takesMinutes = ['revocation', 'postgres', 'redis', 'herd', 'cut-off', 'killed-gateway'].map(name => `tests/faults/${name}.test.ts`);

// "fast" asks rules and single rooms: the inner loop. "gateway" asks a whole gateway, inside the test's own process, over its port:
// once with nothing set, and once more on PostgreSQL and Redis.
// "contracts" asks every store there is, each file its own PostgreSQL. "whole" is everything with a browser, another server or a gateway
// in a process of its own, one file after the other.
export default defineConfig({
  test: {
    maxWorkers: '100%',
    reporters: ['default', countBothSides(), printFaults()],
    projects: [
      // Loading the code anew for each file would take longer than running them.
      { test: { name: 'fast', include: ['tests/*.test.ts'], testTimeout: 15_000, isolate: false } },
      { test: { name: 'gateway', ...gateway } },
      {
        test: {
          name: onServers,
          ...gateway,
          globalSetup: ['tests/both-sides/start-servers.ts'],
          setupFiles: ['tests/both-sides/use-servers.ts'],
        },
      },
      { test: { name: 'contracts', include: ['tests/contracts/*.test.ts'], ...patient } },
      {
        test: {
          name: 'whole',
          include: ['tests/{browser,faults}/**/*.test.ts'],
          exclude: long ? [] : [...takesMinutes],
          ...patient,
          fileParallelism: false,
        },
      },
    ],
  },
});
