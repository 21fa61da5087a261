import cluster from 'node:cluster';
import { afterEach, expect, test } from 'vitest';
import { startWorkers } from '#gateway/workers.ts';

afterEach(() => cluster.setupPrimary({ cwd: process.cwd(), uid: process.getuid?.() }));

// As when the system has no process left to give, which cannot be had here: root has no limit of them.
test.each([
  ['is told by an event', { cwd: '/nowhere/at/all' }, 'ENOENT'],
  ['is thrown at once', { uid: 0.5 }, 'options.uid'],
])('a worker that cannot be started is one that ended: %s', async (_how, settings, why) => {
  cluster.setupPrimary(settings);
  const workers = startWorkers(2, () => {});
  await expect(workers.ready).rejects.toThrow(/^The gateway stops, because a worker ended before it was ready \(/);
  await expect(workers.ready).rejects.toThrow(why);
  await workers.close();
});
