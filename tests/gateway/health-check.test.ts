import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HealthRules, UpstreamRules } from '#config/catalogue.ts';
import { createCondition } from '#gateway/forwarding/condition.ts';
import { startHealthCheck } from '#gateway/forwarding/health-check.ts';
import { createUpstreams } from '#gateway/forwarding/upstreams.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { startServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, upgrade } from '#tests/raw-http.ts';
import { headingOf, plain, visit } from '#tests/visits.ts';

// The first question comes soon, and so does the next after a bad answer.
const every = { path: '/health', status: null, everySeconds: 60, site: 'https://www3.hants.gov.uk' };
const usual: UpstreamRules = {
  ...{ ca: null, certificate: null, key: null, serverName: null, host: 'site', health: null },
  ...{ connectSeconds: null, headersSeconds: null, bodySeconds: null, connections: null },
};
const limits = { connectSeconds: 1, headersSeconds: 1, bodySeconds: 1, connections: 2 };

let legacy: Awaited<ReturnType<typeof startServer>>;
let health: (response: ServerResponse) => unknown;
let asked: IncomingMessage[];
const askedFor = (path: string) => asked.filter(({ url }) => url === path);

beforeAll(async () => {
  legacy = await startServer((request, response) => {
    asked.push(request);
    if (request.url === '/health') health(response);
    else response.end('well');
  });
});
afterAll(() => legacy.close());
beforeEach(() => {
  asked = [];
  health = response => response.end();
});

describe('the condition of a legacy server', () => {
  const soundings = { f: 'failed', a: 'answered', y: 'yes', n: 'no' } as const;
  /** What is known after these soundings, a letter for each, and how often those who waited were sent away. */
  function after(letters: string): { refuses: boolean; worsened: number } {
    let worsened = 0;
    const condition = createCondition(
      () => 0,
      () => {
        worsened += 1;
      },
    );
    for (const letter of letters) {
      const sounding = soundings[letter as keyof typeof soundings];
      if (sounding === 'yes' || sounding === 'no') condition.checked(sounding === 'yes');
      else condition[sounding]();
    }
    return { refuses: condition.refuses(), worsened };
  }

  test.each([
    ['one bad check proves nothing', 'n', false, 0],
    ['two do', 'nn', true, 1],
    ['and more say it no louder', 'nnnn', true, 1],
    ['with a good one between they do not', 'nyn', false, 0],
    ['a good check brings it back', 'nny', false, 1],
    ['also when requests had failed', 'fffffnny', false, 1],
    ['requests that go on failing say it once', 'fffffffff', true, 1],
    ['and again when it had been back', 'fffffafffff', true, 2],
    ['a request that still got its answer does not', 'nna', true, 1],
    ['a check that was well all the time does not hide failing requests', 'fyfyfyfyfy', true, 1],
  ])('%s', (_what, letters, refuses, worsened) => {
    expect(after(letters)).toEqual({ refuses, worsened });
  });

  test('that has got worse is told to those who wait', async () => {
    const upstreams = createUpstreams(new Map(), limits);
    const { queue, failed } = upstreams.of('http://127.0.0.1:1');
    const givenUp: unknown[] = [];
    const guests = [1, 2, 3].map(visitor => ({
      visitor,
      service: null,
      standing: 'away' as const,
      since: 0,
      begin: () => {},
      giveUp: (why: string) => void givenUp.push(visitor, why),
    }));
    for (const guest of guests) queue.enter(guest);
    for (let failure = 0; failure < 4; failure++) failed();
    expect(givenUp).toEqual([]);
    failed();
    expect(givenUp).toEqual([3, 'upstream-unreachable']);
    await upstreams.close();
  });
});

describe('a health check', () => {
  let stop: (() => void)[] = [];
  afterEach(() => {
    for (const one of stop) one();
    stop = [];
  });

  test('that Node cannot even begin is a bad one, and is followed by others', async () => {
    const spoilt = '-----BEGIN CERTIFICATE-----\nspoilt\n-----END CERTIFICATE-----\n';
    const origin = 'https://127.0.0.1:1';
    const upstreams = createUpstreams(new Map([[origin, { ...usual, certificate: spoilt, key: spoilt }]]), limits);
    const found: boolean[] = [];
    const check = startHealthCheck({ ...every, everySeconds: 1 }, upstreams.of(origin), well => found.push(well));
    stop.push(check.stop, () => void upstreams.close());
    await expect.poll(() => found, { timeout: 10_000 }).toEqual([false, false]);
  });

  /** The first things that are found. */
  function findings(rules: Partial<HealthRules>, count = 1, host: 'site' | 'upstream' = 'site'): Promise<boolean[]> {
    const upstreams = createUpstreams(new Map([[legacy.origin, { ...usual, host }]]), limits);
    const found: boolean[] = [];
    return new Promise(resolve => {
      const check = startHealthCheck({ ...every, ...rules }, upstreams.of(legacy.origin), well => {
        found.push(well);
        if (found.length === count) resolve(found);
      });
      stop.push(check.stop, () => void upstreams.close());
    });
  }

  test.each<[string, (response: ServerResponse) => unknown, number | null, boolean]>([
    ['any answer', response => response.end(), null, true],
    ['a page that is not there', response => response.writeHead(404).end(), null, true],
    ['a fault', response => response.writeHead(500).end(), null, false],
    ['the status that was asked for', response => response.writeHead(204).end(), 204, true],
    ['another one', response => response.writeHead(302, { location: '/elsewhere' }).end(), 200, false],
    ['a broken connection', response => response.destroy(), null, false],
    ['no answer for as long as between two questions', () => {}, null, false],
  ])('that meets %s says so, and asks for nothing else', async (what, answer, status, well) => {
    health = answer;
    expect(await findings({ status, everySeconds: what.startsWith('no answer') ? 1 : 60 })).toEqual([well]);
    expect(asked.map(({ url }) => url)).toEqual(['/health']);
  });

  test('asks as requests do: for the site, or by its own name where the catalogue says so', async () => {
    await findings({});
    await findings({}, 1, 'upstream');
    const seen = asked.map(({ headers }) => [headers.host, headers['x-forwarded-host'], headers['x-forwarded-proto']]);
    const site = 'www3.hants.gov.uk';
    expect(seen).toEqual([
      [site, site, 'https'],
      [new URL(legacy.origin).host, site, 'https'],
    ]);
  });

  test('does not read on, however much there is', async () => {
    let closed = () => {};
    const hungUp = new Promise<void>(resolve => {
      closed = resolve;
    });
    health = response => {
      const more = setInterval(() => response.write(Buffer.alloc(65_536)), 10);
      response.once('close', () => {
        clearInterval(more);
        closed();
      });
    };
    expect(await findings({})).toEqual([true]);
    await hungUp;
  });

  test('goes on and finds that it is back', async () => {
    health = response => response.writeHead(askedFor('/health').length < 3 ? 500 : 200).end();
    expect(await findings({}, 3)).toEqual([false, false, true]);
  });

  test('ends in the middle of a question, too', async () => {
    health = () => {};
    let found = 0;
    const upstreams = createUpstreams(new Map(), limits);
    const check = startHealthCheck(every, upstreams.of(legacy.origin), () => {
      found += 1;
    });
    await expect.poll(() => asked.length, { timeout: 5_000 }).toBe(1);
    check.stop();
    await new Promise(resolve => setTimeout(resolve, 1_500));
    expect([asked.length, found]).toEqual([1, 0]);
    await upstreams.close();
  });

  test('ends when it is told to', async () => {
    health = response => response.writeHead(500).end();
    await findings({}, 2);
    stop.shift()!();
    const before = asked.length;
    await new Promise(resolve => setTimeout(resolve, 1_500));
    expect(asked.length).toBe(before);
  });
});

describe('behind the gateway', () => {
  let app: TestApp;
  let host: string;
  let cookie: string;
  let other: Awaited<ReturnType<typeof startServer>>;
  let askedOther = 0;
  beforeAll(async () => {
    health = response => response.end();
    other = await startServer((_request, response) => {
      askedOther += 1;
      response.end('well');
    });
    app = await startApp({
      change: deps => {
        const moved = withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : service === 'efs' ? other.origin : null));
        const upstreams = new Map([
          [legacy.origin, { ...usual, health: { ...every, everySeconds: 3, site: moved.catalogue.sites[0]!.origin } }],
          [other.origin, usual],
        ]);
        return { ...moved, catalogue: { ...moved.catalogue, upstreams } };
      },
    });
    ({ host, cookie } = await visit(app, 'JHOWEL12'));
  });
  afterAll(async () => {
    await app.close();
    await other.close();
  });
  const request = (target: string) => ({ host, target, headers: [['Cookie', cookie]] as [string, string][] });
  const statusOf = async (target = '/education/hias/') => (await ask(app.port, request(target))).status;

  test('a server that is not well is left alone by pages and WebSockets, and asked again once it is', async () => {
    expect(await statusOf()).toBe(200);
    health = response => response.writeHead(503).end();
    await expect.poll(() => statusOf(), { timeout: 10_000 }).toBe(502);
    asked = [];
    const page = await ask(app.port, request('/education/hias/'));
    expect(headingOf(page.body)).toBe('This service is not working at the moment');
    expect(plain(page.body)).toContain('Hampshire Inspectorate Advisory Service (HIAS)');
    const { answer, closed } = await upgrade(app.port, request('/education/hias/chat'));
    expect([answer.status, (await closed).includes('This service is not working at the moment')]).toEqual([502, true]);
    expect(asked.filter(({ url }) => url !== '/health')).toEqual([]);
    expect(await statusOf('/efs/')).toBe(200);
    health = response => response.end();
    await expect.poll(() => statusOf(), { timeout: 10_000 }).toBe(200);
    expect(app.log()).toMatch(/"msg":"health check: not well"[\s\S]*"msg":"health check: well again"/);
  });

  test('a server without one is never asked but for somebody', async () => {
    const before = askedOther;
    const checks = askedFor('/health').length;
    await expect.poll(() => askedFor('/health').length, { timeout: 10_000 }).toBeGreaterThan(checks);
    expect(askedOther).toBe(before);
  });

  test('none is asked any more once the gateway has closed', async () => {
    health = response => response.writeHead(500).end();
    const checks = askedFor('/health').length;
    await expect.poll(() => askedFor('/health').length, { timeout: 10_000 }).toBeGreaterThan(checks);
    await app.app.close();
    const before = asked.length;
    await new Promise(resolve => setTimeout(resolve, 1_500));
    expect(asked.length).toBe(before);
  });
});
