import closeWithGrace from 'close-with-grace';
import { signInAddressOf } from '#config/catalogue.ts';
import { readCatalogue } from '#config/catalogue-file.ts';
import { readSettings, type Settings } from '#config/settings.ts';
import { smtpTransport } from '#notify/email.ts';
import { twilioTransport } from '#notify/text.ts';
import { startWorker } from '#notify/worker.ts';
import { startTimedWork } from '#store/jobs.ts';
import { buildApp } from './app.ts';
import { openInstallation } from './installation.ts';
import { createHashing } from './sign-in/hashing.ts';

/** The only file that reads the process, opens connections and listens. */
const now = Date.now;
const OUTBOX_EVERY_MS = 5_000;

try {
  await start(readSettings(process.env));
} catch (error) {
  console.error(sentenceOf(error));
  process.exit(1);
}

async function start(settings: Settings): Promise<void> {
  const demo = settings.catalogue === null ? await (await import('./demo.ts')).prepareDemo(settings, now) : null;
  const catalogue = demo?.catalogue ?? readCatalogue(settings.catalogue!);
  let report = (error: unknown) => console.error(error);
  const installation = await openInstallation(settings, { kind: demo ? 'demo' : 'real', onError: error => report(error) });
  const { store, feed, keys } = installation;
  const settled = await demo?.settle(store, createHashing());

  let deliverSoon = () => {};
  const app = await buildApp({
    ...{ settings, catalogue, store, feed, keys, now },
    directory: demo?.directory ?? null,
    deliverSoon: () => deliverSoon(),
    ...settled?.pages,
  });
  report = error => app.log.error({ err: error }, 'background work failed');
  const worker = startWorker({
    ...{ store, now, sealKeys: keys.unseal, everyMs: OUTBOX_EVERY_MS, log: app.log },
    transports: settled?.transports ?? realTransports(settings),
    letterhead: { brand: catalogue.brand, portal: catalogue.portal, signInAddress: signInAddressOf(catalogue), wording: settings.wording },
  });
  const timedWork = startTimedWork(store, {
    ...{ now, longestSessionMs: settings.absoluteHours * 3_600_000 },
    onError: error => report(error),
  });
  deliverSoon = () => void worker.deliverNow();
  closeWithGrace({ delay: 10_000, logger: false }, async ({ err }) => {
    if (err) app.log.error({ err }, 'stopping after an unexpected failure');
    await app.close();
    await worker.close();
    await timedWork.close();
    await installation.close();
    await demo?.close();
  });

  await app.listen({ port: settings.port, host: settings.host });
  console.log(
    demo
      ? (await import('./demo.ts')).demoWelcome(catalogue.portal.origin)
      : `The Services Portal is ready for ${catalogue.portal.origin}/`,
  );
}

function realTransports({ smtpUrl, mailFrom, twilio }: Settings) {
  return { email: smtpUrl ? smtpTransport(smtpUrl, mailFrom) : null, text: twilio ? twilioTransport(twilio) : null };
}

/** Faults of the surroundings say in a sentence what to do; anything else is ours, and its stack is what helps. */
function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as Error & { code?: string; port?: number };
  if (code === 'EADDRINUSE') return `Port ${port} is already in use: stop the other program, or set PORT to another number.`;
  if (code === 'EACCES' && port !== undefined) return `This user may not listen on port ${port}: set PORT to a number above 1023.`;
  return /Fault$/.test(error.name) ? error.message : (error.stack ?? error.message);
}
