import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { countBothSides, onServers } from './tests/both-sides/count.ts';
import { printFaults } from './tests/faults/table.ts';
import { long } from './tests/long.ts';

// What a worker compiles of the packages is kept for the next one, where check-node.mjs keeps what gateways compile.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url));

const patient = { testTimeout: 120_000, hookTimeout: 120_000 };
const gateway = { include: ['tests/gateway/*.test.ts'], testTimeout: 15_000, hookTimeout: 60_000, isolate: false };

const faults = (...names: string[]) => names.map(name => `tests/faults/${name}.test.ts`);
// Several processes, or servers that are stopped and come back: for `npm run test:faults`, or everything would take half an hour.
const takesMinutes = faults('revocation', 'postgres', 'redis', 'herd', 'cut-off', 'killed-gateway');
// What these find depends on what else the machine has to do.
const alone = [...faults('hostile-clients', 'sqlite-disk'), ...takesMinutes];

// "fast" asks rules and single rooms: the inner loop. "gateway" asks a whole gateway, inside the test's own process, over its port:
// once with nothing set, and once more on PostgreSQL and Redis.
// "contracts" asks every store there is, each file its own PostgreSQL. "browser" and "faults" have a browser, another server or a gateway
// in a process of its own; "alone" is what of that goes by the clock, one file after the other when all else is done.
// Projects begin in the order of their names: the longest files, those with a browser, are not left to the end.
export default defineConfig({
  test: {
    // One more than there are processors: at any time some test waits for time to pass.
    maxWorkers: availableParallelism() + 1,
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
      { test: { name: 'contracts', include: ['tests/contracts/*.test.ts'], ...patient, isolate: false } },
      { test: { name: 'browser', include: ['tests/browser/*.test.ts'], ...patient } },
      { test: { name: 'faults', include: faults('*'), exclude: alone, ...patient } },
      { test: { name: 'alone', include: alone, exclude: long ? [] : takesMinutes, ...patient, fileParallelism: false } },
    ],
  },
});
