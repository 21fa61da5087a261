import type { TestProject } from 'vitest/node';
import { openStore } from '#store/database.ts';
import { startPostgres, startRedis } from '../servers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    servers: { template: string; redis: string };
  }
}

/** Once for a run: a real PostgreSQL, in it a database with every table and nothing else to make copies of, and a real Redis. */
export default async function start(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const template = await postgres.freshDatabase();
  const store = await openStore({ url: template });
  await store.close();
  project.provide('servers', { template, redis: redis.url });
  return async () => {
    await Promise.all([postgres.stop(), redis.stop()]);
  };
}
