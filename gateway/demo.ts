import type { FastifyInstance } from 'fastify';
import { demoCatalogue } from '#config/demo/catalogue.ts';
import { demoDirectory } from '#config/demo/directory.ts';
import { startHantsweb } from '#config/demo/hantsweb.ts';
import { demoOrganisations } from '#config/demo/organisations.ts';
import { demoPeople } from '#config/demo/people.ts';
import type { Settings } from '#config/settings.ts';
import { openDemoOutbox } from '#notify/demo.ts';
import type { Store } from '#store/database.ts';
import { seedDemo } from './demo-data.ts';
import type { Hashing } from './sign-in/hashing.ts';

const OUTBOX = '/demo/outbox';

/** Everything that only the demo has; `main.ts` imports this file only when no catalogue is set. */
export async function prepareDemo(settings: Settings, now: () => number) {
  const hantsweb = await startHantsweb();
  const catalogue = demoCatalogue(settings.port, () => hantsweb.origin);
  return {
    catalogue,
    directory: demoDirectory,
    welcome: welcomeTo(catalogue.portal.origin, settings.dataDir),
    /** Fills the store at the first start, and opens the outbox; needs the data folder. */
    async settle(store: Store, hashing: Hashing) {
      await seedDemo(store, { organisations: demoOrganisations, people: demoPeople, hashing, now });
      const outbox = await openDemoOutbox(settings.dataDir, now);
      return {
        transports: outbox.transports,
        pages: { demoOutbox: OUTBOX, addToPortal: (portal: FastifyInstance) => addOutboxPages(portal, outbox.latest) },
      };
    },
    close: () => hantsweb.close(),
  };
}

/** An e-mail carries its styles in itself, which no other page of the portal may. */
const mailHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none';style-src 'unsafe-inline';form-action 'none';frame-ancestors 'none';base-uri 'none'",
  'cache-control': 'no-store',
};

/** The demo's e-mails and texts, where the demo's phone and inbox would be. */
function addOutboxPages(portal: FastifyInstance, latest: Awaited<ReturnType<typeof openDemoOutbox>>['latest']): void {
  const open = { config: { rule: 'public' } } as const;
  portal.get(OUTBOX, open, async (_request, reply) => reply.page('gateway/portal/demo-outbox', { messages: latest() }));
  portal.get(`${OUTBOX}.json`, open, async (_request, reply) =>
    reply
      .header('cache-control', 'no-store')
      .send(latest().map(({ kind, to, subject, text, at }) => ({ kind, to, subject, text, at: new Date(at).toISOString() }))),
  );
  portal.get<{ Params: { message: string } }>(`${OUTBOX}/:message`, open, async (request, reply) => {
    const message = latest().find(({ id }) => id === request.params.message);
    if (!message?.html) return reply.callNotFound();
    return reply.headers(mailHeaders).send(message.html);
  });
}

/** What a newcomer needs to know, printed once the demo is ready. */
function welcomeTo(origin: string, dataDir: string): string {
  const tries = demoPeople.filter(person => person.tryThis !== null);
  const width = (column: 'userId' | 'password') => Math.max(...tries.map(person => person[column].length));
  const [names, passwords] = [width('userId'), width('password')];
  const rows = tries.map(({ userId, password, tryThis }) => `  ${userId.padEnd(names)}  ${password.padEnd(passwords)}  ${tryThis}`);
  return [
    '',
    `The Services Portal demo is ready: ${origin}/`,
    `Its e-mails and text messages:     ${origin}/demo/outbox`,
    '',
    'Sign in with one of these demo accounts (user ID, password):',
    ...rows,
    '',
    `Stop it with Ctrl+C. Then delete the folder ${dataDir} to start afresh.`,
  ].join('\n');
}
