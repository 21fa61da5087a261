export type SettingRow = {
  name: string;
  /** As it would be written in the environment; empty when nothing is set. */
  default: string;
  meaning: string;
  /** May also be read from the file named by NAME_FILE. */
  secret: boolean;
};

const plain = (name: string, fallback: string, meaning: string): SettingRow => ({ name, default: fallback, meaning, secret: false });
const secret = (name: string, meaning: string): SettingRow => ({ name, default: '', meaning, secret: true });

/** Every setting: the only list, from which .env.example and the README table are made. */
export const settingsTable: readonly SettingRow[] = [
  plain('PORT', '8080', 'Port to listen on.'),
  plain('WORKERS', '1', 'Processes on this machine that share the port. More than one needs DATABASE_URL.'),
  plain('HOST', '127.0.0.1', 'IP address to listen on. The demo accepts a loopback address only.'),
  plain(
    'OPERATIONS_PORT',
    '',
    'Port for /healthz, /readyz and /metrics, which PORT never answers; each further worker has the next. Not set: none.',
  ),
  plain('OPERATIONS_HOST', '127.0.0.1', 'IP address of that port. Whoever reaches it needs no sign-in.'),
  plain('DATA_DIR', './data', 'Folder of the SQLite file and of everything else that is kept on disk.'),
  plain('CATALOGUE', '', 'Path of the services.yaml to serve. Not set: the demo.'),
  secret('DATABASE_URL', 'PostgreSQL, like postgres://user:password@host/name. Not set: SQLite in DATA_DIR.'),
  secret('REDIS_URL', 'Redis, like redis://host:6379, for several processes. Needs DATABASE_URL.'),
  plain('TRUSTED_PROXIES', '', 'Addresses or ranges of the TLS proxy in front, with commas. Required unless HOST is a loopback address.'),
  secret(
    'SESSION_KEYS',
    'Keys that seal cookies and messages: 32 bytes in base64 each, with commas, newest first. Not set: made once in DATA_DIR.',
  ),
  plain('SESSION_IDLE_MINUTES', '60', 'Minutes without a request after which a session ends.'),
  plain('SESSION_ABSOLUTE_HOURS', '12', 'Hours after which a session ends in any case.'),
  plain('ADMIN_AWAY_MINUTES', '60', 'Minutes away from the administration pages after which a security code is asked again.'),
  plain('CODE_MINUTES', '10', 'Minutes a security code can be used.'),
  plain('CODE_TRIES', '5', 'Wrong security codes a person may enter before waiting.'),
  plain('CODE_SENDS_PER_HOUR', '5', 'Security codes sent to a person in an hour at most.'),
  plain('CODE_SENDS_PER_DAY', '10', 'Security codes sent to a person in a day at most.'),
  plain('SIGN_IN_TRIES', '10', 'Wrong passwords for an account before waiting.'),
  plain('SIGN_IN_WAIT_MINUTES', '15', 'Minutes to wait after too many wrong passwords.'),
  plain('SIGN_IN_ADDRESS_TRIES', '100', 'Failed sign-ins from one address within the waiting time. A right password still works.'),
  plain('INVITATION_DAYS', '7', 'Days an invitation can be used.'),
  plain('RESET_MINUTES', '60', 'Minutes a password reset link can be used.'),
  plain('MAX_STALENESS', '10', 'Seconds a process may go without reading the latest changes before it answers 503.'),
  plain('DRAIN_SECONDS', '10', 'Seconds that a gateway which is told to stop gives the answers under way.'),
  plain('UPSTREAM_CONNECT_SECONDS', '5', 'Seconds to wait for a legacy server to accept a connection.'),
  plain('UPSTREAM_HEADERS_SECONDS', '30', 'Seconds to wait for a legacy server to begin its answer.'),
  plain('UPSTREAM_BODY_SECONDS', '300', 'Seconds a legacy server or a browser may be silent in the middle of a body.'),
  plain('UPSTREAM_CONNECTIONS', '100', 'Connections to one legacy server at most.'),
  plain(
    'ENGINE',
    'dispatch',
    'What forwards requests: dispatch, or http-proxy (the Fastify plugin), for comparison only: no queue, no Latin-1 addresses, twice the cost.',
  ),
  plain('EMAIL_WORDING', 'specific', 'specific: e-mails say what changed. generic: they only ask the person to sign in and look.'),
  secret('SMTP_URL', 'Mail server, like smtps://user:password@host:465. Not set: e-mails wait in the outbox.'),
  plain('MAIL_FROM', 'Services Portal <services-portal@localhost>', 'Sender of e-mails. Required with SMTP_URL.'),
  plain('TWILIO_ACCOUNT_SID', '', 'Twilio account for text messages. Set it with TWILIO_AUTH_TOKEN and TWILIO_FROM, or none of the three.'),
  secret('TWILIO_AUTH_TOKEN', 'Token of the Twilio account.'),
  plain('TWILIO_FROM', '', 'Sender of text messages: a number, or a name of at most 11 characters.'),
  plain('TWILIO_BASE_URL', '', 'Another address for the Twilio service, for tests and outgoing relays.'),
  plain('ACCESS_LOG', '', 'File for a line of JSON about each request, or - for standard output. Not set: none.'),
  plain('LOG_LEVEL', 'info', 'fatal, error, warn, info, debug, trace or silent.'),
];
