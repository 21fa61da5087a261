import type { IncomingHttpHeaders } from 'node:http';
import fastify, { type FastifyRequest } from 'fastify';
import { addCookies } from '#gateway/cookies.ts';
import { createFilter, requestHeaders, responseFacts, responseHeaders } from '#gateway/forwarding/headers.ts';
import { createGuard } from '#gateway/guard.ts';
import { createIdentities } from '#gateway/identity.ts';
import { createIdentityTokens } from '#gateway/identity-token.ts';
import { serviceStates } from '#gateway/service-states.ts';
import { createSessions } from '#gateway/sessions.ts';
import { buildSites } from '#gateway/sites.ts';
import { createPolicies } from '#policies/policies.ts';
import { factsOf } from '#store/facts.ts';
import { startApp } from '#tests/app.ts';

/**
 * What the gate itself costs, without a network: every step of a granted request between the parser and the legacy server, called as
 * the gateway calls it, on what it knows of a signed-in person. Prints nanoseconds of processor time for each step.
 */
const ROUNDS = 7;
const CALLS = 200_000;

const demo = await startApp();
const { catalogue, store, settings, installation } = demo;
const now = Date.now;
const service = catalogue.services.find(({ id }) => id === 'trailblazer')!;
const { host, hostname, pathname, origin } = new URL(service.start);
const browser = await demo.signIn('WENDY166');
await browser.get(service.start);
const cookie = [...(browser.cookies.get(hostname) ?? [])].map(pair => pair.join('=')).join('; ');
const headers: IncomingHttpHeaders = {
  host,
  cookie,
  accept: 'text/html,application/xhtml+xml',
  'accept-encoding': 'gzip, deflate, br',
  'accept-language': 'en-GB,en;q=0.9',
  'user-agent': 'Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36',
  'remote-user': 'SOMEBODY-ELSE',
  connection: 'keep-alive',
};
const answer = ['Date', 'Tue, 24 Nov 2026 10:00:00 GMT', 'Content-Type', 'text/html', 'Content-Length', '1024', 'Connection', 'keep-alive'];

const sites = buildSites(catalogue);
const cookies = await addCookies(fastify(), installation.keys.session, false, 3600);
const sessions = createSessions(store, cookies, settings, now);
const policies = createPolicies({ factsOf: domain => factsOf(store.db, domain), service: serviceStates(catalogue), now });
const guard = createGuard({ catalogue, policies, rightsAreFresh: () => true });
const identityOf = createIdentities(createIdentityTokens(catalogue.portal.origin, installation.keys.identity), now);

const place = sites.place(host);
if (place.kind !== 'site') throw new Error('the service is on no site');
const { site } = place;
const found = sites.find(site, pathname);
if (!('page' in found)) throw new Error('the service has no page');
const { page } = found;
const session = await sessions.read(cookie, site.host);
await guard(site, page, session);
const known = { site, page, signedIn: session } as FastifyRequest;
const endsHere = createFilter();
const facts = () => ({
  ...{
    identity: identityOf(known),
    host,
    toldHost: null,
    protocol: 'http' as const,
    clientAddress: '127.0.0.1',
    ownCookies: cookies.names,
    endsHere,
  },
});
const told = responseFacts(origin, page.upstream, page.kind, cookies.names);

const steps: [string, () => unknown][] = [
  ['which site and page', () => [sites.place(host), sites.find(site, pathname)]],
  ['whose session', () => sessions.read(cookie, site.host)],
  ['the decision', () => guard(site, page, session)],
  ['headers for the legacy server', () => requestHeaders(headers, facts())],
  ['headers for the browser', () => responseHeaders(answer, told)],
];
// What the first request with a cookie costs more than the others, besides the store's answer.
const seal = cookies.sealed(cookie, 'session')!;
const cold: [string, () => unknown] = ['a cookie not seen before, opened', () => cookies.open(seal)];
const all: [string, () => unknown] = ['all of it', () => steps.map(([, step]) => step())];

for (const [name, step] of [...steps, all, cold]) {
  const costs = Array.from({ length: ROUNDS }, () => nanoseconds(step)).sort((a, b) => a - b);
  console.log(`${name.padEnd(32)} ${costs[ROUNDS >> 1]!.toFixed(0).padStart(6)} ns (${costs[0]!.toFixed(0)}–${costs.at(-1)!.toFixed(0)})`);
}
await demo.close();

function nanoseconds(step: () => unknown): number {
  for (let call = 0; call < CALLS / 10; call++) step();
  const before = process.cpuUsage();
  for (let call = 0; call < CALLS; call++) step();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / CALLS;
}
