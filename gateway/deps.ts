import type { FastifyInstance } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import type { Store } from '#store/database.ts';
import type { Feed } from '#store/feed.ts';
import type { AccessLog } from './access-log.ts';
import type { Counts } from './counts.ts';
import type { Keys } from './keys.ts';
import type { Directory } from './sign-in/credentials.ts';
import type { Hashing } from './sign-in/hashing.ts';

/** What the gateway stands on; `main.ts` opens it, tests bring their own. */
export type AppDeps = {
  settings: Settings;
  catalogue: Catalogue;
  store: Store;
  feed: Feed;
  keys: Keys;
  directory: Directory | null;
  /** Tells the outbox worker that a message waits. */
  deliverSoon(): void;
  /** Milliseconds since the epoch. */
  now: () => number;
  log?: NodeJS.WritableStream;
  accessLog?: AccessLog | null;
  /** Pages that only this kind of installation has, such as the demo's outbox. */
  addToPortal?: (portal: FastifyInstance) => void;
  /** Path of the page that shows the demo's e-mails and texts, which every page of the portal then names. */
  demoOutbox?: string;
};

/** What belongs to the process and goes on when another catalogue is served. */
export type Lasting = { counts: Counts; hashing: Hashing };
