import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastify from 'fastify';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { withoutGovUkBrand } from '#views/brand.ts';
import { errorsOf } from '#views/forms.ts';
import { addAssets, addPages } from '#views/pages.ts';
import { createViews } from '#views/render.ts';
import { brand, components, james, samples } from './view-samples.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const rooms = ['admin-ui', 'gateway', 'notify', 'views'];
const templates = rooms.flatMap(room =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.eta'))
    .map(name => join(room, name)),
);
const text = (template: string) => readFileSync(join(root, template), 'utf8');
const views = createViews({ brand, portalOrigin: 'https://portal.wessex.example' });
const states = Object.entries(samples).flatMap(([template, named]) =>
  Object.entries(named).map(([state, data]) => [`${template}: ${state}`, template, data] as const),
);
const pageOf = (template: string, data: object) => views.render(template, { csrf: 'token', ...data });

describe('every template', () => {
  it.each(templates)('%s prints unescaped only what another template made', template => {
    const raw = [...text(template).matchAll(/<%[-_]?\s*~\s*(.*?)\s*[-_]?%>/gs)].map(match => match[1]);
    expect(raw.filter(code => !/^(include\('|it\.body$)/.test(code ?? ''))).toEqual([]);
  });

  it.each(templates)('%s quotes every attribute', template => {
    expect(text(template)).not.toMatch(/=<%/);
  });

  // The e-mail alone has styles in it: no mail program fetches a style sheet, and no policy is sent with it.
  it.each(templates.filter(name => !name.startsWith('notify')))('%s holds nothing that the policy would stop', template => {
    expect(text(template)).not.toMatch(/hx-on|js:|javascript:|\sstyle=|<style|<script>|\son[a-z]+=/);
  });

  it.each(templates)('%s names no council and scolds nobody', template => {
    expect(text(template)).not.toMatch(/hampshire|hants|please|oops|invalid|click here|illegal|forbidden/i);
  });

  it('of sign-in and portal has a sample', () => {
    const pages = templates.filter(name => /^gateway\//.test(name) && !name.includes('/_')).map(name => name.replace(/\.eta$/, ''));
    expect(Object.keys(samples).sort()).toEqual(pages.sort());
  });
});

describe('every component', () => {
  const named = Object.entries(components).flatMap(([component, states]) =>
    Object.entries(states).map(([state, data]) => [component, state, data] as const),
  );

  it('has a sample', () => {
    const written = templates.filter(name => name.startsWith('views/components/')).map(name => name.replace(/^.*_|\.eta$/g, ''));
    expect(Object.keys(components).sort()).toEqual(written.sort());
  });

  it.each(named)('%s (%s) has no hole in it and whole tags', (component, _, data) => {
    const html = views.render(`views/components/_${component}`, { csrf: 'token', ...data });
    expect(html).not.toMatch(/undefined|null|\[object|NaN/);
    expect([...html.matchAll(/<[a-z]/g)].length).toBe([...html.matchAll(/<\/[a-z]|<(input|path)\b/g)].length);
  });
});

describe('every page', () => {
  it.each(states)('%s has no hole in it', (_, template, data) => {
    expect(pageOf(template, data)).not.toMatch(/undefined|null|\[object|NaN/);
  });

  it.each(states)('%s has one h1, which begins its title', (_, template, data) => {
    const page = pageOf(template, data);
    const headings = [...page.matchAll(/<h1[^>]*>(.*?)<\/h1>/gs)].map(match => match[1]);
    expect(headings).toHaveLength(1);
    const title = /<title>(.*?)<\/title>/.exec(page)?.[1];
    expect(title).toBe(`${'errors' in data ? 'Error: ' : ''}${headings[0]} – Services Portal`);
  });

  it.each(states)('%s sends the token with each form and leaves judging to the server', (_, template, data) => {
    const forms = [...pageOf(template, data).matchAll(/<form[^>]*>.*?<\/form>/gs)].map(match => match[0]);
    for (const form of forms) {
      expect(form).toMatch(/^<form [^>]*method="post" novalidate>/);
      expect(form).toContain('<input type="hidden" name="_csrf" value="token">');
      expect(form).not.toMatch(/\srequired/);
    }
  });

  it.each(states)('%s leads from each sentence of the error summary to its field', (_, template, data) => {
    const page = pageOf(template, data);
    const errors = 'errors' in data ? (data.errors as { field: string; text: string }[]) : [];
    for (const { field, text: sentence } of errors) {
      expect(page).toContain(`<a href="#${field}">${sentence}</a>`);
      expect(page).toContain(` id="${field}"`);
      expect(page).toMatch(new RegExp(`id="${field}-error"[^>]*>.*?${sentence}`));
    }
  });
});

describe('a template', () => {
  it('fails rather than print a missing value', () => {
    expect(() => pageOf('gateway/portal/error', { title: 'Page not found', lines: [undefined], service: null, reference: 'A' })).toThrow(
      'undefined',
    );
    expect(() => pageOf('gateway/portal/denied', { variant: 'unheard-of', service: null })).toThrow();
  });

  it('writes what people typed as text', () => {
    const page = pageOf('gateway/sign-in/sign-in', { userId: '"><script>alert(1)</script>', returnTo: "' onfocus='x", reason: null });
    expect(page).toContain('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"');
    expect(page).toContain('value="&#39; onfocus=&#39;x"');
  });

  it('never fills in a password again', () => {
    expect(pageOf('gateway/sign-in/sign-in', { userId: 'x', returnTo: '', reason: null, password: 'hunter2' })).not.toContain('hunter2');
  });

  it('shown at a legacy host leads to the portal alone, without scripts or forms', () => {
    const page = pageOf('gateway/portal/denied', { ...samples['gateway/portal/denied']?.['no grant'], visitor: james });
    expect(page).not.toMatch(/<script|<form/);
    for (const [, address] of page.matchAll(/ (?:href|src)="([^"]*)"/g)) expect(address).toMatch(/^(https:\/\/|mailto:|#)/);
  });
});

describe('the frame', () => {
  it('offers the switch only to somebody in several organisations', () => {
    const page = (organisations: typeof james.organisations) => pageOf('gateway/portal/help', { visitor: { ...james, organisations } });
    expect(page(james.organisations)).toContain('action="/organisation"');
    expect(page(james.organisations.slice(0, 1))).not.toContain('action="/organisation"');
  });

  it('shows the organisation administration to administrators only', () => {
    expect(pageOf('gateway/portal/help', { visitor: james })).toContain('href="/organisations/7"');
    expect(pageOf('gateway/portal/help', { visitor: { ...james, administers: false } })).not.toContain('/organisations/7');
    expect(pageOf('gateway/portal/help', {})).not.toContain('/organisations');
  });
});

describe('what the portal serves', () => {
  const app = fastify();
  beforeAll(async () => {
    app.decorateRequest('visitor', null);
    app.decorateRequest('csrf', 'token');
    await addPages(app, {
      views,
      catalogue: { sites: [{ host: 'www3.wessex.example', origin: 'https://www3.wessex.example', pages: [], bookmarks: new Map() }] },
    });
    addAssets(app, views.assets);
    app.get('/help', (_, reply) => reply.page('gateway/portal/help', {}));
    return () => app.close();
  });

  it('has a strict policy, and lets a form end at a site', async () => {
    const { headers } = await app.inject('/help');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self' https://www3.wessex.example");
    expect(policy).not.toMatch(/unsafe|data:|\*/);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      vary: 'HX-Request, HX-Request-Type',
      'referrer-policy': 'same-origin',
      'content-type': 'text/html; charset=utf-8',
    });
    expect(headers).not.toHaveProperty('strict-transport-security');
  });

  it('finds every file that a page names, to be kept for ever', async () => {
    const { body } = await app.inject('/help');
    const addresses = [...body.matchAll(/"(\/assets\/[^"]+)"/g)].map(match => match[1] ?? '');
    expect(addresses).toHaveLength(4);
    const script = await app.inject(addresses.find(address => address.startsWith('/assets/portal') && address.endsWith('.js')) ?? '');
    addresses.push(`/assets/${/from '\.\/(govuk[^']+)'/.exec(script.body)?.[1]}`);
    for (const url of addresses) {
      const answer = await app.inject({ url, headers: { 'accept-encoding': 'gzip' } });
      expect([url, answer.statusCode, answer.headers['cache-control']]).toEqual([url, 200, 'public, max-age=31536000, immutable']);
      expect(answer.headers['content-encoding']).toBe('gzip');
    }
  });

  it('has nothing of GOV.UK’s own brand', () => {
    const css = [...views.assets.files].find(([name]) => name.endsWith('.css'))?.[1].body.toString() ?? '';
    expect(css).not.toMatch(/GDS Transport|crest|url\(|#1d70b8|#1a65a6|@font-face/i);
    expect(css).toContain('.govuk-button');
    expect(() => withoutGovUkBrand('a{background:url(/assets/images/new-crown.svg)}')).toThrow('url(');
  });
});

describe('the error summary', () => {
  it('gives one sentence for each field, in the order of the form', () => {
    const form = z.object({ name: z.string().min(1, 'Enter a name').max(0, 'Too long'), email: z.email('Enter an email address') });
    expect(errorsOf(form.safeParse({ name: '', email: '' }).error ?? new z.ZodError([]))).toEqual([
      { field: 'name', text: 'Enter a name' },
      { field: 'email', text: 'Enter an email address' },
    ]);
  });
});
