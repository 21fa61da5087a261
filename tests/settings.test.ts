import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSettings, SettingsFault } from '#config/settings.ts';
import { settingsTable } from '#config/settings-table.ts';

const key = Buffer.alloc(32, 7).toString('base64');
const otherKey = Buffer.alloc(32, 8).toString('base64');
const postgres = { DATABASE_URL: 'postgres://portal:secret-word@db/portal', SESSION_KEYS: key };

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsFault) return error.faults;
    throw error;
  }
}

describe('reading the settings', () => {
  test('nothing set gives the demo with the documented figures', () => {
    const settings = readSettings({});
    expect(settings).toMatchObject({
      port: 8080,
      workers: 1,
      host: '127.0.0.1',
      dataDir: './data',
      catalogue: null,
      databaseUrl: null,
      redisUrl: null,
    });
    expect(settings).toMatchObject({ idleMinutes: 60, absoluteHours: 12, adminAwayMinutes: 60, invitationDays: 7, resetMinutes: 60 });
    expect(settings.code).toEqual({ minutes: 10, tries: 5, sendsPerHour: 5, sendsPerDay: 10 });
    expect(settings).toMatchObject({
      maxStalenessSeconds: 10,
      wording: 'specific',
      smtpUrl: null,
      twilio: null,
      sessionKeys: [],
      trustedProxies: [],
    });
  });

  test('a blank value counts as not set', () => {
    expect(readSettings({ PORT: '', DATABASE_URL: '  ', SESSION_KEYS: '' })).toEqual(readSettings({}));
  });

  test('.env.example lists exactly the settings, each with its default and meaning, and can be used as it is', () => {
    const text = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
    const entries = [...text.matchAll(/^# (.+)\n([A-Z_]+)=(.*)$/gm)].map(([, meaning, name, value]) => ({ meaning, name, default: value }));
    const wanted = settingsTable.map(row => ({
      meaning: row.secret ? `${row.meaning} (or ${row.name}_FILE)` : row.meaning,
      name: row.name,
      default: row.default,
    }));
    expect(entries).toEqual(wanted);
    expect(readSettings(Object.fromEntries(entries.map(entry => [entry.name, entry.default])))).toEqual(readSettings({}));
  });

  test('every setting of the table is read: a wrong value is a fault that names it', () => {
    const free = new Set(['DATA_DIR', 'CATALOGUE', 'ACCESS_LOG', 'TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'TWILIO_FROM']);
    for (const { name } of settingsTable.filter(row => !free.has(row.name))) {
      expect(faultsOf({ [name]: '<wrong>' }).join('\n'), name).toContain(`${name}: `);
    }
  });
});

describe('faults', () => {
  test('are all told at once, each naming its setting', () => {
    const faults = faultsOf({ PORT: '70000', CODE_TRIES: 'five', EMAIL_WORDING: 'chatty', LOG_LEVEL: 'loud' });
    expect(faults.map(fault => fault.split(':')[0])).toEqual(['PORT', 'CODE_TRIES', 'EMAIL_WORDING', 'LOG_LEVEL']);
  });

  test.each<[string, Record<string, string>, string]>([
    ['Redis with SQLite', { REDIS_URL: 'redis://127.0.0.1' }, 'REDIS_URL: SQLite with Redis is refused'],
    ['several processes with SQLite', { WORKERS: '2' }, 'WORKERS: several processes cannot share SQLite; set DATABASE_URL'],
    ['PostgreSQL without keys', { DATABASE_URL: 'postgres://db/portal' }, 'SESSION_KEYS: is required with DATABASE_URL'],
    ['the demo on a public address', { HOST: '0.0.0.0' }, 'HOST: the demo listens on this machine only'],
    ['a public address without a proxy', { HOST: '0.0.0.0', CATALOGUE: 'services.yaml' }, 'TRUSTED_PROXIES: is required'],
    ['a proxy range of everything', { TRUSTED_PROXIES: '10.0.0.0/8, 0.0.0.0/0' }, 'TRUSTED_PROXIES: 0.0.0.0/0 is neither'],
    ['half of Twilio', { TWILIO_FROM: 'Portal' }, 'TWILIO_ACCOUNT_SID: is missing'],
    ['a short key', { SESSION_KEYS: `${key},c2hvcnQ=` }, 'SESSION_KEYS: key 2 must be 32 random bytes'],
    ['a key twice', { SESSION_KEYS: `${key},${key}` }, 'SESSION_KEYS: the same key stands twice'],
    ['mail without a sender', { SMTP_URL: 'smtp://mail' }, 'MAIL_FROM: is required with SMTP_URL'],
    ['a sender with a line break', { MAIL_FROM: 'a@b.example\nBcc: c@d.example' }, 'MAIL_FROM: must be'],
    ['a host name to listen on', { HOST: 'portal.example' }, 'HOST: must be an IP address'],
    [
      'an idle time beyond the end',
      { SESSION_IDLE_MINUTES: '120', SESSION_ABSOLUTE_HOURS: '1' },
      'SESSION_IDLE_MINUTES: must not be longer',
    ],
    [
      'one port for everybody and for operations',
      { PORT: '9090', OPERATIONS_PORT: '9090' },
      'OPERATIONS_PORT: is the same as PORT; set it to another',
    ],
    [
      'a port that a later worker has',
      { PORT: '9092', OPERATIONS_PORT: '9090', WORKERS: '3', ...postgres },
      'OPERATIONS_PORT: each of the WORKERS has one, up to 9092, and PORT is among them; set it to another',
    ],
    [
      'a port that there is not for the last worker',
      { OPERATIONS_PORT: '65534', WORKERS: '3', ...postgres },
      'OPERATIONS_PORT: WORKERS makes it 3 ports, and 65536 is none; set it to 65533 or less',
    ],
    ['a number with a sign', { PORT: '-1' }, 'PORT: must be a whole number'],
    ['no staleness at all', { MAX_STALENESS: '0' }, 'MAX_STALENESS: must be a whole number'],
  ])('%s is refused', (_name, env, fault) => {
    expect(faultsOf(env).join('\n')).toContain(fault);
  });

  test('never repeat a secret', () => {
    const faults = faultsOf({
      DATABASE_URL: 'mysql://portal:secret-word@db',
      SESSION_KEYS: 'secret-word',
      SMTP_URL: 'http://u:secret-word@h',
      REDIS_URL: 'x://:secret-word@h',
    });
    expect(faults.length).toBeGreaterThanOrEqual(4);
    expect(faults.join('\n')).not.toContain('secret-word');
  });
});

describe('what is accepted', () => {
  test.each(['9089', '9093'])('operations beside PORT=%s, a port for each worker', PORT => {
    expect(faultsOf({ PORT, OPERATIONS_PORT: '9090', WORKERS: '3', ...postgres })).toEqual([]);
    expect(faultsOf({ PORT, OPERATIONS_PORT: '65533', WORKERS: '3', ...postgres })).toEqual([]);
  });

  test('PostgreSQL and Redis with shared keys, newest first', () => {
    const settings = readSettings({ ...postgres, SESSION_KEYS: `${key}, ${otherKey}`, REDIS_URL: 'rediss://cache' });
    expect(settings).toMatchObject({ databaseUrl: postgres.DATABASE_URL, redisUrl: 'rediss://cache', sessionKeys: [key, otherKey] });
  });

  test('a proxy on the same machine is trusted by default outside the demo, another only when named', () => {
    expect(readSettings({ CATALOGUE: 'services.yaml' }).trustedProxies).toEqual(['127.0.0.1', '::1']);
    const open = { CATALOGUE: 'services.yaml', HOST: '0.0.0.0', TRUSTED_PROXIES: '10.1.2.3, fd00::/8' };
    expect(readSettings(open).trustedProxies).toEqual(['10.1.2.3', 'fd00::/8']);
  });

  test('port 0, Twilio in full, and a sender with a name', () => {
    const twilio = {
      TWILIO_ACCOUNT_SID: 'AC1',
      TWILIO_AUTH_TOKEN: 'token',
      TWILIO_FROM: 'Portal',
      TWILIO_BASE_URL: 'http://127.0.0.1:4010',
    };
    const settings = readSettings({ ...twilio, PORT: '0', SMTP_URL: 'smtps://u:p@mail', MAIL_FROM: 'Portal <portal@example.org>' });
    expect(settings).toMatchObject({ port: 0, mailFrom: 'Portal <portal@example.org>' });
    expect(settings.twilio).toEqual({ accountSid: 'AC1', authToken: 'token', from: 'Portal', baseUrl: 'http://127.0.0.1:4010' });
  });
});

describe('a secret in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  const file = join(folder, 'keys');
  writeFileSync(file, `${key}\n`);

  test('is read without its final line break', () => {
    expect(readSettings({ ...postgres, SESSION_KEYS: '', SESSION_KEYS_FILE: file }).sessionKeys).toEqual([key]);
  });

  test('is refused beside the same secret in the environment, and when it cannot be read', () => {
    expect(faultsOf({ SESSION_KEYS: key, SESSION_KEYS_FILE: file }).join()).toContain(
      'SESSION_KEYS: is set both directly and by SESSION_KEYS_FILE',
    );
    expect(faultsOf({ SMTP_URL_FILE: join(folder, 'none') }).join()).toContain('SMTP_URL_FILE: the file');
  });

  test('is refused for a setting that is not secret, instead of being overlooked', () => {
    expect(faultsOf({ PORT_FILE: file }).join()).toContain('PORT_FILE: PORT is not a secret');
  });
});
