import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request as sendHttp } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emptyPlace, type Place, productionCatalogue, root } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';
import { startServer } from '#tests/legacy-wire.ts';

const MEGABYTE = 1_000_000;
const LENGTH = 300 * MEGABYTE;
const MOST_GROWTH = 60 * MEGABYTE;

let place: Place;
let port = 0;
let gateway: ChildProcess;
let legacy: Awaited<ReturnType<typeof startServer>>;

/** A legacy server that sends a large body to whoever asks, and tells whoever sends one what arrived. */
beforeAll(async () => {
  legacy = await startServer(async (request, response) => {
    if (request.method === 'POST') response.end(await hashOf(request));
    else largeBody().pipe(response.writeHead(200, request.url?.endsWith('length') ? { 'content-length': String(LENGTH) } : {}));
  });
  place = emptyPlace();
  port = await freePort();
  const catalogue = join(place.dir, 'services.yaml');
  const text = readFileSync(join(root, productionCatalogue), 'utf8');
  writeFileSync(catalogue, text.replaceAll('http://www-origin.hants.gov.uk', legacy.origin));
  // Less memory than half of one of the bodies.
  const little = { NODE_OPTIONS: '--max-old-space-size=128' };
  gateway = await startGateway({ ...place.env, ...little, CATALOGUE: catalogue, PORT: String(port), LOG_LEVEL: 'warn' });
});
afterAll(async () => {
  await stopGateway(gateway);
  await legacy.close();
  rmSync(place.dir, { recursive: true, force: true });
});

/** Every megabyte of it is another, so that none can be lost, doubled or change places unseen. */
function largeBody(): Readable {
  const block = Buffer.alloc(MEGABYTE, 'Every byte counts. ');
  let sent = 0;
  return new Readable({
    read() {
      if (sent === LENGTH) return void this.push(null);
      block.writeUInt32BE(sent, 0);
      sent += MEGABYTE;
      this.push(Buffer.from(block));
    },
  });
}

async function hashOf(body: Readable): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(body, hash);
  return hash.digest('hex');
}

function ask(method: string, path: string, headers: Record<string, string>, body: Readable | null = null): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const all = { host: 'www.hants.gov.uk', 'x-forwarded-proto': 'https', ...headers };
    const request = sendHttp({ host: '127.0.0.1', port, method, path, headers: all }, resolve).once('error', reject);
    if (body) body.pipe(request);
    else request.end();
  });
}

const residentBytes = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))?.[1]) * 1024;

/** By how much the gateway's memory grew at most while something was done. */
async function growthDuring(work: () => Promise<void>): Promise<number> {
  const before = residentBytes();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes());
  }, 20);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return most - before;
}

test.each([
  ['with its length', { 'content-length': String(LENGTH) }],
  ['in chunks', { 'transfer-encoding': 'chunked' }],
])('300 MB up, %s: every byte arrives, and the gateway keeps none of them [fault 22]', async (_how, headers) => {
  const sent = await hashOf(largeBody());
  const growth = await growthDuring(async () => {
    const answer = await ask('POST', '/upload', headers as Record<string, string>, largeBody());
    expect(answer.statusCode).toBe(200);
    expect((await answer.toArray()).join('')).toBe(sent);
  });
  expect(growth).toBeLessThan(MOST_GROWTH);
});

test.each([['with-length'], ['in-chunks']])(
  '300 MB down, %s: every byte arrives, and the gateway keeps none of them [fault 22] #95',
  async path => {
    const sent = await hashOf(largeBody());
    const growth = await growthDuring(async () => {
      const answer = await ask('GET', `/download-${path}`, {});
      expect(answer.statusCode).toBe(200);
      expect(await hashOf(answer)).toBe(sent);
    });
    expect(growth).toBeLessThan(MOST_GROWTH);
  },
);
