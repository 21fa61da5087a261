import { isIP } from 'node:net';
import { OperatorFault } from './operator-fault.ts';
import { commaList, isAddressOrRange, isLoopback, type Reader, readerOf } from './settings-reader.ts';
import { settingsTable } from './settings-table.ts';

export type Settings = {
  port: number;
  /** How many processes answer on that port. */
  workers: number;
  host: string;
  /** Where health and metrics are asked for; null when nobody asks. */
  operations: { port: number; host: string } | null;
  dataDir: string;
  /** Path of a services.yaml; null means the demo. */
  catalogue: string | null;
  databaseUrl: string | null;
  redisUrl: string | null;
  trustedProxies: string[];
  /** Each 32 bytes in base64, newest first; empty means made once and kept in DATA_DIR. */
  sessionKeys: string[];
  idleMinutes: number;
  absoluteHours: number;
  adminAwayMinutes: number;
  code: { minutes: number; tries: number; sendsPerHour: number; sendsPerDay: number };
  signIn: { tries: number; waitMinutes: number; addressTries: number };
  invitationDays: number;
  resetMinutes: number;
  maxStalenessSeconds: number;
  drainSeconds: number;
  upstream: { connectSeconds: number; headersSeconds: number; bodySeconds: number; connections: number };
  /** What forwards plain HTTP requests. */
  engine: 'dispatch' | 'http-proxy';
  wording: 'specific' | 'generic';
  smtpUrl: string | null;
  mailFrom: string;
  twilio: { accountSid: string; authToken: string; from: string; baseUrl: string | null } | null;
  /** A file, or - for standard output; null for none. */
  accessLog: string | null;
  logLevel: string;
};

/** Everything that is wrong with the settings, a line for each fault. */
export class SettingsFault extends OperatorFault {
  override name = 'SettingsFault';
  override readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`The settings cannot be used:\n${faults.map(fault => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Reads and checks every setting; throws SettingsFault listing all faults at once, each naming its setting. Secrets may come from NAME_FILE. */
export function readSettings(env: Record<string, string | undefined>): Settings {
  const faults: string[] = [];
  const read = readerOf(env, faults);
  const settings = collect(read);
  faults.push(...filesForPlainSettings(env));
  faults.push(...faultsBetween(settings, read));
  if (faults.length > 0) throw new SettingsFault(faults);
  return settings;
}

function filesForPlainSettings(env: Record<string, string | undefined>): string[] {
  const plain = settingsTable.filter(row => !row.secret && env[`${row.name}_FILE`]);
  return plain.map(({ name }) => `${name}_FILE: ${name} is not a secret and is not read from a file; set ${name} itself`);
}

function collect(read: Reader): Settings {
  const catalogue = read.optional('CATALOGUE');
  const host = hostOf(read, 'HOST');
  return {
    port: read.whole('PORT', 0, 65535),
    workers: read.whole('WORKERS', 1, 64),
    host,
    operations: operationsOf(read),
    dataDir: read.text('DATA_DIR'),
    catalogue,
    databaseUrl: read.url('DATABASE_URL', ['postgres:', 'postgresql:']),
    redisUrl: read.url('REDIS_URL', ['redis:', 'rediss:']),
    trustedProxies: trustedProxiesOf(read, catalogue !== null && isLoopback(host)),
    sessionKeys: sessionKeysOf(read),
    idleMinutes: read.whole('SESSION_IDLE_MINUTES', 1, 1440),
    absoluteHours: read.whole('SESSION_ABSOLUTE_HOURS', 1, 168),
    adminAwayMinutes: read.whole('ADMIN_AWAY_MINUTES', 1, 1440),
    ...figuresOf(read),
    engine: read.oneOf('ENGINE', ['dispatch', 'http-proxy']),
    wording: read.oneOf('EMAIL_WORDING', ['specific', 'generic']),
    smtpUrl: read.url('SMTP_URL', ['smtp:', 'smtps:']),
    mailFrom: mailFromOf(read),
    twilio: twilioOf(read),
    accessLog: accessLogOf(read),
    logLevel: read.oneOf('LOG_LEVEL', ['info', 'fatal', 'error', 'warn', 'debug', 'trace', 'silent']),
  };
}

function figuresOf(read: Reader) {
  return {
    code: {
      minutes: read.whole('CODE_MINUTES', 1, 60),
      tries: read.whole('CODE_TRIES', 1, 20),
      sendsPerHour: read.whole('CODE_SENDS_PER_HOUR', 1, 100),
      sendsPerDay: read.whole('CODE_SENDS_PER_DAY', 1, 1000),
    },
    signIn: {
      tries: read.whole('SIGN_IN_TRIES', 1, 100),
      waitMinutes: read.whole('SIGN_IN_WAIT_MINUTES', 1, 1440),
      addressTries: read.whole('SIGN_IN_ADDRESS_TRIES', 1, 100_000),
    },
    invitationDays: read.whole('INVITATION_DAYS', 1, 90),
    resetMinutes: read.whole('RESET_MINUTES', 1, 1440),
    maxStalenessSeconds: read.whole('MAX_STALENESS', 2, 300),
    drainSeconds: read.whole('DRAIN_SECONDS', 1, 300),
    upstream: {
      connectSeconds: read.whole('UPSTREAM_CONNECT_SECONDS', 1, 300),
      headersSeconds: read.whole('UPSTREAM_HEADERS_SECONDS', 1, 3600),
      bodySeconds: read.whole('UPSTREAM_BODY_SECONDS', 1, 86_400),
      connections: read.whole('UPSTREAM_CONNECTIONS', 1, 10_000),
    },
  };
}

function hostOf(read: Reader, name: 'HOST' | 'OPERATIONS_HOST'): string {
  const host = read.text(name);
  if (isIP(host) === 0 && host !== 'localhost') read.fault(name, 'must be an IP address to listen on, like 127.0.0.1 or 0.0.0.0');
  return host;
}

function operationsOf(read: Reader): Settings['operations'] {
  const host = hostOf(read, 'OPERATIONS_HOST');
  return read.isSet('OPERATIONS_PORT') ? { port: read.whole('OPERATIONS_PORT', 1, 65535), host } : null;
}

/** A file is opened at the start of the gateway; whether it can be is said there. */
function accessLogOf(read: Reader): string | null {
  const file = read.optional('ACCESS_LOG');
  if (file?.endsWith('/')) read.fault('ACCESS_LOG', 'must be a file, or - for standard output');
  return file;
}

function trustedProxiesOf(read: Reader, proxyOnThisMachine: boolean): string[] {
  const given = commaList(read.text('TRUSTED_PROXIES'));
  for (const entry of given) {
    if (!isAddressOrRange(entry)) read.fault('TRUSTED_PROXIES', `${entry} is neither an IP address nor a range like 10.0.0.0/8`);
  }
  return given.length === 0 && proxyOnThisMachine ? ['127.0.0.1', '::1'] : given;
}

function sessionKeysOf(read: Reader): string[] {
  const keys = commaList(read.text('SESSION_KEYS'));
  keys.forEach((key, index) => {
    const bytes = Buffer.from(key, 'base64');
    const same = bytes.toString('base64').replace(/=+$/, '') === key.replace(/=+$/, '');
    if (!same || bytes.length !== 32)
      read.fault('SESSION_KEYS', `key ${index + 1} must be 32 random bytes in base64 (openssl rand -base64 32)`);
  });
  if (new Set(keys).size !== keys.length) read.fault('SESSION_KEYS', 'the same key stands twice; keep it once');
  return keys;
}

function mailFromOf(read: Reader): string {
  const from = read.text('MAIL_FROM');
  if (!/^(?:[^<>\r\n]+ <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/.test(from)) {
    read.fault('MAIL_FROM', 'must be an email address, like portal@example.org or "Services Portal <portal@example.org>"');
  }
  return from;
}

function twilioOf(read: Reader): Settings['twilio'] {
  const names = ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'TWILIO_FROM'] as const;
  const [accountSid, authToken, from] = names.map(name => read.optional(name));
  const baseUrl = read.url('TWILIO_BASE_URL', ['https:', 'http:']);
  if (accountSid && authToken && from) return { accountSid, authToken, from, baseUrl };
  const missing = names.filter(name => !read.isSet(name));
  const begun = missing.length < names.length || baseUrl !== null;
  if (begun)
    for (const name of missing)
      read.fault(name, 'is missing; text messages need TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM, or none of them');
  return null;
}

/** Each worker has a port of its own, one after the other. */
function operationsFaults({ port, operations, workers }: Settings): string[] {
  if (!operations) return [];
  const last = operations.port + workers - 1;
  if (last > 65_535)
    return [`OPERATIONS_PORT: WORKERS makes it ${workers} ports, and ${last} is none; set it to ${65_536 - workers} or less`];
  if (port < operations.port || port > last) return [];
  const which = workers === 1 ? 'is the same as PORT' : `each of the WORKERS has one, up to ${last}, and PORT is among them`;
  return [`OPERATIONS_PORT: ${which}; set it to another, which nobody outside can reach`];
}

/** Faults that only show when settings are read together. */
function faultsBetween(settings: Settings, read: Reader): string[] {
  const faults: string[] = [];
  const demo = settings.catalogue === null;
  const loopback = isLoopback(settings.host);
  if (settings.redisUrl && !settings.databaseUrl)
    faults.push('REDIS_URL: SQLite with Redis is refused; set DATABASE_URL to a PostgreSQL database or remove REDIS_URL');
  if (settings.workers > 1 && !settings.databaseUrl)
    faults.push('WORKERS: several processes cannot share SQLite; set DATABASE_URL to a PostgreSQL database, or WORKERS to 1');
  if (settings.databaseUrl && !read.isSet('SESSION_KEYS')) {
    faults.push(
      'SESSION_KEYS: is required with DATABASE_URL, so that all processes share it; set 32 random bytes in base64 (openssl rand -base64 32)',
    );
  }
  if (demo && !loopback)
    faults.push('HOST: the demo listens on this machine only; set it to 127.0.0.1, or set CATALOGUE to run your own services');
  if (!demo && !loopback && !read.isSet('TRUSTED_PROXIES')) {
    faults.push('TRUSTED_PROXIES: is required when HOST is not a loopback address; set the addresses of the TLS proxy in front');
  }
  faults.push(...operationsFaults(settings));
  if (settings.idleMinutes > settings.absoluteHours * 60)
    faults.push('SESSION_IDLE_MINUTES: must not be longer than SESSION_ABSOLUTE_HOURS');
  if (settings.code.sendsPerHour > settings.code.sendsPerDay) faults.push('CODE_SENDS_PER_HOUR: must not be more than CODE_SENDS_PER_DAY');
  if (settings.smtpUrl && !read.isSet('MAIL_FROM'))
    faults.push('MAIL_FROM: is required with SMTP_URL; set the address that messages come from');
  return faults;
}
