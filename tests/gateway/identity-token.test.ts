import { execFileSync } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIdentityTokens } from '#gateway/identity-token.ts';
import { grant } from '#store/rules.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';
import { changeRights, hostOf, idsOf, visit } from '#tests/visits.ts';

type Key = { kid: string; kty: string; crv: string; x: string; y: string; alg: string; use: string };
type Json = Record<string, unknown>;

let app: TestApp;
let folder: string;
beforeAll(async () => {
  app = await startApp();
  folder = mkdtempSync(join(tmpdir(), 'portal-jwt-'));
  const who = await idsOf(app, 'WENDY166', 'SP3');
  await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'hias', endsAt: null }));
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const keysOf = async (): Promise<Key[]> => JSON.parse((await app.browser().get(`${app.portal}/.well-known/jwks.json`)).body).keys;
const part = (token: string, index: number): Json => JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString());

async function tokenAt(browser: Browser, path = '/trailblazer/headers.json'): Promise<string> {
  const answer = await browser.get(`http://${hostOf(app, 'www3')}${path}`);
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body)['portal-identity'];
}

/** Checks a signature with the system's openssl, which knows nothing of us. */
function opensslAccepts(token: string, key: Key): boolean {
  const [head, body, signature = ''] = token.split('.');
  const pem = createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const files = ['key.pem', 'text', 'signature'].map(name => join(folder, name)) as [string, string, string];
  writeFileSync(files[0], pem);
  writeFileSync(files[1], `${head}.${body}`);
  writeFileSync(files[2], derOf(Buffer.from(signature, 'base64url')));
  try {
    return execFileSync('openssl', ['dgst', '-sha256', '-verify', files[0], '-signature', files[2], files[1]], { stdio: 'pipe' })
      .toString()
      .includes('Verified OK');
  } catch {
    return false;
  }
}

/** openssl wants the two numbers of a signature as DER; a JWT has them side by side (RFC 7518 §3.4). */
function derOf(raw: Buffer): Buffer {
  const numbers = [raw.subarray(0, 32), raw.subarray(32)].map(half => {
    const bytes = half.subarray(half.findIndex(byte => byte !== 0));
    const positive = (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
    return Buffer.concat([Buffer.from([0x02, positive.length]), positive]);
  });
  const body = Buffer.concat(numbers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

describe('the signed identity of a request', () => {
  test('says who is there, to which service and for how long, and anybody can check it', async () => {
    const { browser } = await visit(app, 'WENDY166');
    const token = await tokenAt(browser);
    const [key] = await keysOf();
    expect(part(token, 0)).toEqual({ alg: 'ES256', typ: 'JWT', kid: key!.kid });
    const { person } = await idsOf(app, 'WENDY166', 'SP3');
    const iat = Math.floor(app.clock.now / 1000);
    expect(part(token, 1)).toEqual({
      iss: app.portal,
      aud: 'trailblazer',
      sub: `u:${person}`,
      preferred_username: 'WENDY166',
      name: 'Wendy',
      email: expect.stringContaining('@'),
      organisation: 'Innovations PLC - SP3',
      organisation_code: 'SP3',
      iat,
      exp: iat + 300,
    });
    expect(opensslAccepts(token, key!)).toBe(true);
    const [head, body, signature] = token.split('.');
    const forged = Buffer.from(JSON.stringify({ ...part(token, 1), sub: 'u:1' })).toString('base64url');
    expect(opensslAccepts([head, forged, signature].join('.'), key!)).toBe(false);
    expect(opensslAccepts([head, body, Buffer.alloc(64, 1).toString('base64url')].join('.'), key!)).toBe(false);
  });

  test('is signed once and again a minute before its end', async () => {
    const { browser } = await visit(app, 'WENDY166');
    const first = await tokenAt(browser);
    app.clock.now += 239_000;
    expect(await tokenAt(browser)).toBe(first);
    app.clock.now += 1_000;
    const second = await tokenAt(browser);
    expect(second).not.toBe(first);
    expect(part(second, 1).exp).toBe(Number(part(first, 1).exp) + 240);
  });

  test('is another one for another service, another session and another organisation', async () => {
    const { browser } = await visit(app, 'WENDY166');
    const again = await visit(app, 'WENDY166');
    const tokens = [await tokenAt(browser), await tokenAt(again.browser), await tokenAt(browser, '/education/hias/headers.json')];
    expect(part(tokens[2]!, 1).aud).toBe('hias');
    expect(new Set(tokens).size).toBe(3);
  });

  test('is told to nobody on an open page, and never as the client wrote it', async () => {
    const { browser } = await visit(app, 'WENDY166');
    const evil = { headers: { 'portal-identity': 'evil', portal_identity: 'evil' } };
    const granted = await browser.get(`http://${hostOf(app, 'www3')}/trailblazer/headers.json`, evil);
    expect(granted.body).not.toContain('evil');
    const open = await browser.get(`http://${hostOf(app, 'www3')}/education/hias/moodle/headers.json`, evil);
    expect(open.body).not.toMatch(/portal-identity|evil/);
  });
});

test('the keys are public, without a cookie, and the same in every process', async () => {
  const answer = await app.browser().get(`${app.portal}/.well-known/jwks.json`);
  expect(answer.headers).toMatchObject({ 'cache-control': 'public, max-age=300' });
  expect(answer.headers['set-cookie']).toBeUndefined();
  expect(answer.body).not.toContain('"d"');
  const secret = randomBytes(32);
  const [here, there] = [createIdentityTokens('x', [secret]), createIdentityTokens('x', [secret])];
  expect(here.jwks).toEqual(there.jwks);
});

test('with a new key the old one’s tokens can still be checked', () => {
  const claims = { aud: 'a', sub: 'u:1', preferred_username: 'U', name: 'N', organisation: 'O', organisation_code: 'C' };
  const [old, fresh] = [randomBytes(32), randomBytes(32)];
  const before = createIdentityTokens('x', [old]);
  const after = createIdentityTokens('x', [fresh, old]);
  const token = before.sign(claims, Date.now());
  const kidOf = (text: string) => part(text, 0).kid;
  const keys = after.jwks.keys as unknown as Key[];
  expect(keys.map(({ kid }) => kid)).toEqual([kidOf(after.sign(claims, Date.now())), kidOf(token)]);
  expect(opensslAccepts(token, keys[1]!)).toBe(true);
  expect(opensslAccepts(token, keys[0]!)).toBe(false);
});
