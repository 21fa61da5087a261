import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Catalogue, Site } from '../catalogue.ts';
import { councilCatalogue, demoHost } from './catalogue.ts';
import { type Asked, type Corner, cornerOf } from './hantsweb-corners.ts';
import { echoFrames } from './hantsweb-echo.ts';
import { document, type Html, html } from './hantsweb-html.ts';
import * as pages from './hantsweb-pages.ts';
import { files } from './hantsweb-pictures.ts';

type Answer = { status?: number; headers?: Record<string, string>; body: string | Buffer };
const bodyLimit = 64 * 1024;

/**
 * Starts the demo's old council web server on a free loopback port: the pages the gateway stands in front of.
 * It answers by Host (or X-Forwarded-Host) for every site of the catalogue, under its real name and its demo name.
 */
export async function startHantsweb(
  catalogue: Catalogue = councilCatalogue(),
): Promise<{ port: number; origin: string; close(): Promise<void> }> {
  const sockets = new Set<Duplex>();
  const server = createServer((request, response) => {
    answer(catalogue, request)
      .then(found => send(response, found))
      .catch(() => response.destroy());
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const asked = askedOf(catalogue, request);
    if (asked && cornerOf(catalogue, asked)?.rest === '/echo') echoFrames(request, socket);
    else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
    });
  return { port, origin: `http://127.0.0.1:${port}`, close };
}

async function answer(catalogue: Catalogue, request: IncomingMessage): Promise<Answer> {
  const asked = askedOf(catalogue, request);
  if (!asked)
    return { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'There is no such site on this server.\n' };
  const file = files.get(asked.path);
  if (file) return { headers: { 'content-type': file.type, 'cache-control': 'max-age=60' }, body: file.body };
  const form = request.method === 'POST' ? await formOf(request) : null;
  const corner = cornerOf(catalogue, asked);
  const found = corner ? cornerAnswer(corner, asked, form) : openAnswer(catalogue, asked);
  return found ?? page(asked, pages.notFound(asked), 404);
}

/** What is asked of which site; null when no site goes by that name. */
function askedOf(catalogue: Catalogue, request: IncomingMessage): Asked | null {
  for (const name of [request.headers.host, request.headers['x-forwarded-host']]) {
    const host = String(name ?? '').toLowerCase();
    const [hostname = '', port = ''] = host.split(':');
    const site = catalogue.sites.find(known => known.host === hostname || demoHost(known.host) === hostname);
    if (!site) continue;
    const local = localiser(catalogue, site, hostname, host, request);
    return { site, hostname, port, headers: request.headers, ...pathOf(request), local, home: local(`${catalogue.brand.website}/`) };
  }
  return null;
}

function pathOf(request: IncomingMessage) {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  return { path, query };
}

/** Turns an address of the catalogue into one under the kind of name, port and scheme the visitor came by. */
function localiser(catalogue: Catalogue, site: Site, hostname: string, host: string, request: IncomingMessage) {
  const scheme = request.headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
  const rename = hostname === site.host ? (name: string) => name : demoHost;
  const port = host.slice(hostname.length);
  const own = new Set([...catalogue.sites.map(known => known.host), catalogue.portal.host]);
  return (address: string) => {
    if (!URL.canParse(address) || !own.has(new URL(address).hostname)) return address;
    return address.replace(/^https?:\/\/[^/]+/, `${scheme}://${rename(new URL(address).hostname)}${port}`);
  };
}

function cornerAnswer(corner: Corner, asked: Asked, form: URLSearchParams | null): Answer | null {
  if (corner.kind === 'moodle') return page(asked, pages.moodle(asked));
  if (corner.kind === 'login') {
    if (form) return redirect(asked.local(corner.target), { 'set-cookie': 'OldLogin=1; Path=/; HttpOnly' });
    return page(asked, pages.oldLogin(corner, asked));
  }
  switch (corner.rest) {
    case '':
    case '/':
      return home(corner, asked);
    case '/news.htm':
      return page(asked, pages.news(corner, asked));
    case '/old-news.htm':
      return redirect(asked.local(`${asked.site.origin}${corner.base}/news.htm`));
    case '/contact.htm':
      return page(asked, form ? pages.received(corner, asked, form) : pages.contact(corner, asked));
    case '/contacts.csv':
      return {
        headers: {
          'content-type': 'text/csv; charset=utf-8',
          'content-disposition': `attachment; filename="${corner.service.id}-contacts.csv"`,
        },
        body: pages.contactsCsv(corner),
      };
    case '/headers.json':
      return {
        headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
        body: JSON.stringify(asked.headers, null, 2),
      };
    default:
      return null;
  }
}

/** The server counts visits with a cookie of its own, which nothing in front may lose or confuse. */
function home(corner: Corner & { kind: 'service' }, asked: Asked): Answer {
  const before = /(?:^|;\s*)HantswebVisits=(\d{1,6})(?:;|$)/.exec(asked.headers.cookie ?? '')?.[1];
  const visits = Number(before ?? 0) + 1;
  return {
    ...page(asked, pages.home(corner, asked, visits)),
    headers: { ...htmlHeaders, 'set-cookie': `HantswebVisits=${visits}; Path=/` },
  };
}

function openAnswer(catalogue: Catalogue, asked: Asked): Answer | null {
  if (!asked.site.pages.some(known => known.kind === 'open' && known.path === '/')) return null;
  const known = new Set([
    ...catalogue.brand.crumbs.map(crumb => crumb.href),
    ...Object.values(catalogue.brand.links),
    `${catalogue.brand.website}/`,
  ]);
  return [...known].some(address => asked.local(address) === asked.local(`${asked.site.origin}${asked.path}`))
    ? page(asked, pages.openPage(catalogue, asked))
    : null;
}

const htmlHeaders = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };

function page(asked: Asked, content: { title: string; body: Html; crumbs: Html }, status = 200): Answer {
  return { status, headers: htmlHeaders, body: document(asked, content).text };
}

function redirect(location: string, headers: Record<string, string> = {}): Answer {
  return {
    status: 302,
    headers: { ...htmlHeaders, ...headers, location },
    body: html`<p>The page is at <a href="${location}">${location}</a>.</p>`.text,
  };
}

function send(response: ServerResponse, { status = 200, headers = {}, body }: Answer): void {
  response.writeHead(status, { ...headers, server: 'Hantsweb/2.2', 'content-length': Buffer.byteLength(body) }).end(body);
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > bodyLimit) throw new Error('the form is too long');
  }
  return new URLSearchParams(text);
}
