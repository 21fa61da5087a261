import { type Catalogue, closureAt, serviceIsLive } from '#config/catalogue.ts';
import { OperatorFault } from '#config/operator-fault.ts';
import { readSettings, type Settings } from '#config/settings.ts';
import { readDataAsTheyAre, sayForeign, sayKind } from '../installation.ts';
import { refuseVanished } from '../vanished.ts';
import { type Command, CommandFault, exits, readArguments, type Surroundings } from './command.ts';
import { catalogueOf, kindOf } from './workplace.ts';

export const check: Command = { usage: ['check'], run: checkAll };

/** Says what the gateway would start with, and every fault that can be found without starting it. Changes nothing. */
async function checkAll(args: string[], around: Surroundings): Promise<0 | 1> {
  readArguments(args, {}, { least: 0, most: 0 });
  const faults: string[] = [];
  const settings = await collect(faults, () => readSettings(around.env));
  // The catalogue is looked at even when a setting is wrong, so that all faults are seen at once.
  const file = around.env.CATALOGUE?.trim() || null;
  const catalogue = await collect(faults, () => catalogueOf(settings ?? { ...readSettings({}), catalogue: file }));
  if (settings) {
    around.print(
      `Settings: right. This is ${settings.catalogue === null ? 'the demo, because CATALOGUE is not set' : 'a real installation'}.`,
    );
  }
  if (catalogue) around.print(sayCatalogue(catalogue, settings?.catalogue ?? file, around.now()));
  if (settings) {
    around.print(await sayData(settings, catalogue, around.now(), faults));
    for (const line of sayMessages(settings)) around.print(line);
  }
  for (const fault of faults) around.complain(fault);
  if (faults.length === 0) around.print('Nothing is wrong.');
  return faults.length === 0 ? exits.fine : exits.failed;
}

/** The result of the work, or null with its fault kept for later. */
async function collect<T>(faults: string[], work: () => T | Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OperatorFault)) throw error;
    faults.push(error.message);
    return null;
  }
}

function sayCatalogue({ services, sites, portal }: Catalogue, file: string | null, now: number): string {
  const open = services.filter(service => serviceIsLive(service, now)).length;
  const closed = services.filter(service => serviceIsLive(service, now) && closureAt(service, now)).map(({ id }) => id);
  const logins = services.reduce((sum, service) => sum + service.legacyLogins.length, 0);
  const pages = sites.reduce((sum, site) => sum + site.pages.length, 0);
  return [
    `Catalogue: ${file ?? "the demo's"}: ${services.length} services (${open} open), ${pages} pages and ${logins} old addresses on ${sites.length} hosts.`,
    `  The portal is ${portal.origin}; it answers for ${sites.map(({ host }) => host).join(', ')} as well.`,
    ...(closed.length > 0 ? [`  Closed for maintenance: ${closed.join(', ')}.`] : []),
    ...(file !== null && portal.origin.startsWith('http:')
      ? ['  Careful: the portal is at http, not https, so passwords and cookies can be read on their way.']
      : []),
  ].join('\n');
}

async function sayData(settings: Settings, catalogue: Catalogue | null, now: number, faults: string[]): Promise<string> {
  const where = settings.databaseUrl === null ? `SQLite in ${settings.dataDir}` : 'PostgreSQL';
  const began = await collect(faults, () => kindOfData(settings, catalogue, now, faults));
  if (began === null) return `Data: ${where}.`;
  if (began === undefined) return `Data: ${where}, empty so far.`;
  if (began !== kindOf(settings)) faults.push(sayForeign(settings, began, kindOf(settings)));
  return `Data: ${where}, of ${sayKind(began)}.`;
}

/** What the data were begun as, undefined if not yet, and whether they fit the catalogue. */
async function kindOfData(settings: Settings, catalogue: Catalogue | null, now: number, faults: string[]): Promise<string | undefined> {
  try {
    return await readDataAsTheyAre(settings, async (db, began) => {
      const file = settings.catalogue;
      if (catalogue && file !== null) await collect(faults, () => refuseVanished(db, catalogue, file, now));
      return began;
    });
  } catch (error) {
    if (error instanceof OperatorFault) throw error;
    const { message, code } = error as NodeJS.ErrnoException;
    throw new CommandFault(`The data cannot be read: ${message || code}.`);
  }
}

function sayMessages({ catalogue, smtpUrl, twilio }: Settings): string[] {
  if (catalogue === null) return ['E-mails and text messages: on the demo outbox page.'];
  return [
    smtpUrl === null
      ? 'E-mails: they wait, because SMTP_URL is not set; the commands print links for you to hand over.'
      : 'E-mails: by SMTP.',
    twilio === null
      ? 'Text messages: they wait, because Twilio is not set up; administrators cannot get the code that opens Organisation Admin.'
      : 'Text messages: by Twilio.',
  ];
}
