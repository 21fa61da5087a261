import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A legacy server at its quickest: one page of 1 KiB, kept-alive connections, and `/seen`, which says who it was told was asking. */
const page = Buffer.from('<!doctype html><title>Trailblazer</title><p>Plans for outdoor learning.</p>'.padEnd(1024, '\n'));
const seen: Record<string, number> = {};
let last = {};

const server = createServer((request, response) => {
  if (request.url === '/seen') return response.end(JSON.stringify({ seen, last }));
  const user = String(request.headers['remote-user'] ?? '');
  seen[user] = (seen[user] ?? 0) + 1;
  last = request.headers;
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': page.length }).end(page);
});
// A system waits for its turn longer than the five seconds after which Node would hang up on it.
server.keepAliveTimeout = 120_000;

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once('disconnect', () => process.exit(0));
