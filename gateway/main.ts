import closeWithGrace from 'close-with-grace';
import { readCatalogue } from '#config/catalogue-file.ts';
import { OperatorFault } from '#config/operator-fault.ts';
import { readSettings, type Settings } from '#config/settings.ts';
import { smtpTransport } from '#notify/email.ts';
import { letterheadOf } from '#notify/letter.ts';
import { twilioTransport } from '#notify/text.ts';
import { startWorker, type Worker } from '#notify/worker.ts';
import { startTimedWork } from '#store/jobs.ts';
import { buildApp } from './app.ts';
import { openInstallation } from './installation.ts';
import { createHashing } from './sign-in/hashing.ts';
import { isWorker, joinWorkers, startWorkers } from './workers.ts';

/** The only file that reads the process, opens connections and listens, or has workers do all that (workers.ts). */
const now = Date.now;
const OUTBOX_EVERY_MS = 5_000;

try {
  const settings = readSettings(process.env);
  if (settings.workers > 1 && !isWorker()) await startSeveral(settings.workers);
  else await start(settings);
} catch (error) {
  console.error(sentenceOf(error));
  process.exit(1);
}

async function startSeveral(count: number): Promise<void> {
  const workers = startWorkers(count, sentence => console.error(sentence));
  closeWithGrace({ delay: 15_000, logger: false }, () => workers.close());
  console.log(await workers.ready);
}

async function start(settings: Settings): Promise<void> {
  const { demo, catalogue } = await whatToServe(settings);
  let report = (error: unknown) => console.error(error);
  const installation = await openInstallation(settings, { kind: demo ? 'demo' : 'real', onError: error => report(error) });
  const { store, feed, keys } = installation;
  const settled = await demo?.settle(store, createHashing());

  let worker: Worker | null = null;
  const deliverSoon = () => void worker?.deliverNow();
  const directory = demo?.directory ?? null;
  const app = await buildApp({ settings, catalogue, store, feed, keys, directory, deliverSoon, now, ...settled?.pages });
  report = error => app.log.error({ err: error }, 'background work failed');
  const transports = settled?.transports ?? realTransports(settings);
  const letterhead = letterheadOf(catalogue, settings.wording);
  worker = startWorker({ store, transports, letterhead, sealKeys: keys.unseal, now, everyMs: OUTBOX_EVERY_MS, log: app.log });
  const timedWork = startTimedWork(store, { now, longestSessionMs: settings.absoluteHours * 3_600_000, onError: report });
  const running = [app, worker, timedWork, installation, ...(demo ? [demo] : [])];
  let stopping = false;
  const closing = closeWithGrace({ delay: 10_000, logger: false }, async ({ err }) => {
    stopping = true;
    if (err) app.log.error({ err }, 'stopping after an unexpected failure');
    for (const one of running) await one.close();
  });

  await app.listen({ port: settings.port, host: settings.host });
  const welcome = demo ? demo.welcome : `The Services Portal is ready for ${catalogue.portal.origin}/`;
  const stop = () => void (stopping || closing.close());
  if (isWorker()) joinWorkers(welcome, stop);
  else console.log(welcome);
}

/** The catalogue of the settings; without one the demo, whose code is loaded only then. */
async function whatToServe(settings: Settings) {
  if (settings.catalogue !== null) return { demo: null, catalogue: readCatalogue(settings.catalogue) };
  const { prepareDemo } = await import('./demo.ts');
  const demo = await prepareDemo(settings, now);
  return { demo, catalogue: demo.catalogue };
}

function realTransports({ smtpUrl, mailFrom, twilio }: Settings) {
  return { email: smtpUrl ? smtpTransport(smtpUrl, mailFrom) : null, text: twilio ? twilioTransport(twilio) : null };
}

/** What can be mended is said in a sentence; anything else is ours, and its stack is what helps. */
function sentenceOf(error: unknown): string {
  if (error instanceof OperatorFault) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') return `Port ${port} is already in use: stop the other program, or set PORT to another number.`;
  if (code === 'EACCES' && port !== undefined) return `This user may not listen on port ${port}: set PORT to a number above 1023.`;
  return error.stack ?? error.message;
}
