import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, connect as openConnection, type Socket } from 'node:net';
import type { Catalogue, Page } from '#config/catalogue.ts';
import type { AppDeps } from '#gateway/deps.ts';

/** The wire between the gateway and the legacy server: everything passes, and every byte that reached the server is kept. */
export type Wire = {
  origin: string;
  received(): string;
  forget(): void;
  /** Puts the wire between the gateway and every legacy server of the catalogue that `pages` picks. */
  into(deps: AppDeps, pages?: (page: Page) => boolean): AppDeps;
  close(): Promise<void>;
};

export async function startWire(): Promise<Wire> {
  let target = '';
  let kept: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer(near => {
    const far = openConnection(Number(new URL(target).port), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    }
    near.on('data', (chunk: Buffer) => kept.push(chunk));
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    into: (deps, pages = () => true) =>
      withUpstreams(deps, page => {
        if (!pages(page)) return null;
        target = page.upstream;
        return origin;
      }),
    received: () => Buffer.concat(kept).toString('latin1'),
    forget() {
      kept = [];
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}

/** The first line and the headers (lower-case names) of each request on the wire, in order. Bodies are left out. */
export function requestsOn(received: string): { line: string; headers: [string, string][] }[] {
  const starts = [...received.matchAll(/^[A-Z]+ \S+ HTTP\/1\.1\r\n/gm)];
  return starts.map(({ index, 0: first }) => {
    const head = received.slice(index + first.length, received.indexOf('\r\n\r\n', index)).split('\r\n');
    const headers = head.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
    return { line: first.trim(), headers: headers as [string, string][] };
  });
}

/** Sends pages to other servers than the catalogue's; null leaves a page where it is. */
export function withUpstreams(deps: AppDeps, upstreamOf: (page: Page) => string | null): AppDeps {
  const sites = deps.catalogue.sites.map(site => ({
    ...site,
    pages: site.pages.map(page => ({ ...page, upstream: upstreamOf(page) ?? page.upstream })),
  }));
  const catalogue: Catalogue = { ...deps.catalogue, sites };
  return { ...deps, catalogue };
}

/** A legacy server that answers as a test says. */
export async function startServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ server: Server; origin: string; close(): Promise<void> }> {
  const server = createServer(answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A legacy server that answers with whatever bytes a test has, right or wrong; `connections` are those that are open. */
export async function startRawServer(
  answer: (path: string, socket: Socket, head: string) => void,
): Promise<{ origin: string; connections: Set<Socket>; close(): Promise<void> }> {
  const connections = new Set<Socket>();
  const server = createTcpServer(socket => {
    connections.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => connections.delete(socket));
    let head = '';
    socket.on('data', (chunk: Buffer) => {
      head += chunk.toString('latin1');
      const [line] = /^[A-Z]+ (\S+) HTTP\/1\.1\r\n/.exec(head) ?? [];
      if (line && !head.includes('\r\n\r\n')) return;
      if (line) answer(line.split(' ')[1]!, socket, head);
      // The rest is somebody's body: a test that wants it listens for itself.
      head = '';
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    close() {
      for (const socket of connections) socket.destroy();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}
