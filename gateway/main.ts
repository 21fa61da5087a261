import closeWithGrace from 'close-with-grace';
import { OperatorFault } from '#config/operator-fault.ts';
import { readSettings, type Settings } from '#config/settings.ts';
import { smtpTransport } from '#notify/email.ts';
import { letterheadOf } from '#notify/letter.ts';
import { twilioTransport } from '#notify/text.ts';
import { startWorker, type Worker } from '#notify/worker.ts';
import type { Entry } from '#store/activity.ts';
import { startTimedWork } from '#store/jobs.ts';
import { openAccessLog } from './access-log.ts';
import { openInstallation } from './installation.ts';
import { openOperations } from './observing.ts';
import { NOTICE_MS } from './operations.ts';
import { fixedCatalogue, followCatalogue, openCatalogue } from './reload.ts';
import { startServing } from './serving.ts';
import { createHashing } from './sign-in/hashing.ts';
import { refuseVanished } from './vanished.ts';
import { isWorker, joinWorkers, startWorkers, workerSlot } from './workers.ts';

/** The only file that reads the process, opens connections and listens, or has workers do all that (workers.ts). */
const now = Date.now;
const OUTBOX_EVERY_MS = 5_000;
// For everything that is to be put away once the last answer has been given.
const PUTTING_AWAY_MS = 10_000;

try {
  const settings = readSettings(process.env);
  if (settings.workers > 1 && !isWorker()) await startSeveral(settings);
  else await start(settings);
} catch (error) {
  console.error(sentenceOf(error));
  process.exit(1);
}

async function startSeveral(settings: Settings): Promise<void> {
  const workers = startWorkers(settings.workers, sentence => console.error(sentence));
  stopWhenTold(settings, () => workers.close());
  if (settings.catalogue !== null) process.on('SIGHUP', () => workers.reload());
  console.log(await workers.ready);
}

async function start(settings: Settings): Promise<void> {
  const { demo, file, began } = await whatToServe(settings);
  let report = (error: unknown) => console.error(error);
  let tell = (_entry: Entry) => {};
  const installation = await openInstallation(settings, {
    kind: demo ? 'demo' : 'real',
    onError: error => report(error),
    onEntry: entry => tell(entry),
  });
  const { store, feed, keys } = installation;
  if (file !== null) await refuseVanished(store.db, began.catalogue, file, now());
  const hashing = createHashing();
  const accessLog = settings.accessLog === null ? null : openAccessLog(settings.accessLog, now);
  const settled = await demo?.settle(store, hashing);

  let worker: Worker | null = null;
  const deliverSoon = () => void worker?.deliverNow();
  const directory = demo?.directory ?? null;
  const { catalogue } = began;
  const serving = await startServing(
    { settings, catalogue, store, feed, keys, directory, deliverSoon, now, accessLog, ...settled?.pages },
    hashing,
  );
  const { log } = serving;
  report = error => log.error({ err: error }, 'background work failed');
  // Numbers and facts: names are kept apart from an entry, and come into no log.
  tell = entry => log.info({ activity: entry }, 'changed');
  const transports = settled?.transports ?? realTransports(settings);
  const letterhead = () => letterheadOf(serving.present().parts.catalogue, settings.wording);
  worker = startWorker({ store, transports, letterhead, sealKeys: keys.unseal, now, everyMs: OUTBOX_EVERY_MS, log });
  const timedWork = startTimedWork(store, { now, longestSessionMs: settings.absoluteHours * 3_600_000, onError: report });
  const take = async (next: typeof catalogue) => {
    if (file !== null) await refuseVanished(store.db, next, file, now());
    await serving.serve(next);
  };
  const reloading = file === null ? fixedCatalogue(began, now) : followCatalogue({ file, began, take, now, log });
  const operations = await openOperations({ settings, installation, serving, reloading, accessLog, slot: workerSlot(process.env), now });

  const closing = [reloading, serving, worker, timedWork, installation, accessLog, demo, operations];
  const stop = stopWhenTold(settings, async err => {
    if (err) log.error({ err }, 'stopping after an unexpected failure');
    const noticed = operations.drain();
    if (!err) await noticed;
    for (const one of closing) await one?.close();
  });
  if (file !== null) process.on('SIGHUP', () => void reloading.reload());

  await serving.listen({ port: settings.port, host: settings.host });
  const welcome = demo ? demo.welcome : `The Services Portal is ready for ${catalogue.portal.origin}/`;
  if (isWorker()) joinWorkers(welcome, stop);
  else console.log(welcome);
}

/** Stops once, when a signal says so, when npm has gone, or when whoever is given the function returned says so. */
function stopWhenTold({ catalogue, drainSeconds }: Settings, end: (err?: Error) => Promise<void>): () => void {
  let stopping = false;
  // A terminal that is closed ends the demo; whoever has a catalogue means by it: read it again.
  const skip: 'SIGHUP'[] = catalogue === null ? [] : ['SIGHUP'];
  const grace = closeWithGrace({ delay: NOTICE_MS + drainSeconds * 1000 + PUTTING_AWAY_MS, logger: false, skip }, async ({ err }) => {
    stopping = true;
    await end(err);
  });
  const stop = () => {
    if (!stopping) grace.close();
  };
  if (process.env.npm_lifecycle_event !== undefined && !isWorker()) stopWithoutParent(stop);
  return stop;
}

/** npm hands a signal to the shell between it and us, which ends and tells nobody: that we have another parent is all there is to see. */
function stopWithoutParent(stop: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, 500).unref();
}

/** The catalogue of the settings; without one the demo, whose code is loaded only then. */
async function whatToServe(settings: Settings) {
  const file = settings.catalogue;
  if (file !== null) return { demo: null, file, began: openCatalogue(file) };
  const { prepareDemo } = await import('./demo.ts');
  const demo = await prepareDemo(settings, now);
  return { demo, file, began: { catalogue: demo.catalogue, checksum: 'demo' } };
}

function realTransports({ smtpUrl, mailFrom, twilio }: Settings) {
  return { email: smtpUrl ? smtpTransport(smtpUrl, mailFrom) : null, text: twilio ? twilioTransport(twilio) : null };
}

/** What can be mended is said in a sentence; anything else is ours, and its stack is what helps. */
function sentenceOf(error: unknown): string {
  if (error instanceof OperatorFault) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  const setting = port === Number(process.env.OPERATIONS_PORT) + workerSlot(process.env) ? 'OPERATIONS_PORT' : 'PORT';
  if (code === 'EADDRINUSE') return `Port ${port} is already in use: stop the other program, or set ${setting} to another number.`;
  if (code === 'EACCES' && port !== undefined) return `This user may not listen on port ${port}: set ${setting} to a number above 1023.`;
  return error.stack ?? error.message;
}
