import { execFile } from 'node:child_process';
import { createHmac, createPublicKey, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { hostOf, visit } from '#tests/visits.ts';

/** Three installations as one goes through a change of keys: before it, while both keys are named, and after. */
const [old, fresh] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
let apps: { before: TestApp; during: TestApp; after: TestApp };

beforeAll(async () => {
  const start = (SESSION_KEYS: string) => startApp({ env: { SESSION_KEYS } });
  apps = { before: await start(old), during: await start(`${fresh},${old}`), after: await start(fresh) };
}, 60_000);
afterAll(async () => {
  for (const app of Object.values(apps)) await app.close();
});

const program = fileURLToPath(new URL('../legacy-application.py', import.meta.url));
const keysAt = (app: TestApp) => `${app.portal}/.well-known/jwks.json`;

/** What PyJWT, which knows nothing of us, makes of tokens with the keys that a gateway publishes. */
function pythonReads(
  app: TestApp,
  tokens: Record<string, string>,
  { audience = 'trailblazer', issuer = app.portal } = {},
): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    // Not the `python3` of a PATH that somebody arranged otherwise: Debian's packages belong to Debian's.
    const child = execFile('/usr/bin/python3', [program], (error, said) => (error ? reject(error) : resolve(JSON.parse(said))));
    child.stdin!.end(JSON.stringify({ keys: keysAt(app), audience, issuer, tokens }));
  });
}

async function tokenFrom(app: TestApp): Promise<string> {
  const { browser } = await visit(app, 'WENDY166');
  return JSON.parse((await browser.get(`http://${hostOf(app, 'www3')}/trailblazer/headers.json`)).body)['portal-identity'];
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
const claimsIn = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
const headIn = (token: string) => JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString());

test('an application outside believes what the gateway signed, and nothing else', { timeout: 60_000 }, async () => {
  const app = apps.during;
  const token = await tokenFrom(app);
  const [head, body, signature] = token.split('.') as [string, string, string];
  const { kid } = headIn(token);
  const [key] = JSON.parse((await app.browser().get(keysAt(app))).body).keys;
  const publicPem = createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }) as string;
  const withSecret = `${encode({ alg: 'HS256', typ: 'JWT', kid })}.${body}`;
  const tokens = {
    signed: token,
    none: `${encode({ alg: 'none', typ: 'JWT', kid })}.${body}.`,
    'none, with the signature': `${encode({ alg: 'none', typ: 'JWT', kid })}.${body}.${signature}`,
    'the public key as a secret': `${withSecret}.${createHmac('sha256', publicPem).update(withSecret).digest('base64url')}`,
    'another person': `${head}.${encode({ ...claimsIn(token), preferred_username: 'JHOWEL12' })}.${signature}`,
    'a key that is nobody’s': `${encode({ ...headIn(token), kid: 'x' })}.${body}.${signature}`,
  };
  expect(await pythonReads(app, tokens)).toEqual({
    signed: 'WENDY166',
    none: 'InvalidAlgorithmError',
    'none, with the signature': 'InvalidAlgorithmError',
    'the public key as a secret': 'InvalidAlgorithmError',
    'another person': 'InvalidSignatureError',
    'a key that is nobody’s': 'PyJWKClientError',
  });
  expect(await pythonReads(app, { token }, { audience: 'hias' })).toEqual({ token: 'InvalidAudienceError' });
  expect(await pythonReads(app, { token }, { issuer: 'http://elsewhere.example' })).toEqual({ token: 'InvalidIssuerError' });
  const real = app.clock.now;
  app.clock.now = real - 301_000;
  expect(await pythonReads(app, { late: await tokenFrom(app) })).toEqual({ late: 'ExpiredSignatureError' });
  app.clock.now = real;
});

test('a new key signs, the old one’s tokens are good while it is named, and no longer', { timeout: 60_000 }, async () => {
  const { before, during, after } = apps;
  const tokens = { old: await tokenFrom(before), new: await tokenFrom(during) };
  expect(headIn(tokens.old).kid).not.toBe(headIn(tokens.new).kid);
  const kidsOf = async (app: TestApp) =>
    JSON.parse((await app.browser().get(keysAt(app))).body).keys.map((key: { kid: string }) => key.kid);
  expect(await kidsOf(during)).toEqual([headIn(tokens.new).kid, headIn(tokens.old).kid]);
  const issuedBefore = { issuer: before.portal };
  expect(await pythonReads(before, tokens, issuedBefore)).toEqual({ old: 'WENDY166', new: 'PyJWKClientError' });
  expect((await pythonReads(during, tokens, issuedBefore)).old).toBe('WENDY166');
  expect(await pythonReads(after, tokens, { issuer: during.portal })).toEqual({ old: 'PyJWKClientError', new: 'WENDY166' });
});
