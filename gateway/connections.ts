import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isWebSocketHandshake } from './forwarding/upgrade.ts';

/**
 * How slow somebody may be. Neither a request nor a connection has a limit as a whole: an upload may take an hour, an event stream a
 * day. Where it is somebody's turn to send or to read, their silence is limited instead (`limitSilence`).
 */
const NO_LIMIT = 0;
// Between two requests. A proxy in front must hang up first (nginx after 60 seconds), or it sends into a connection just closed.
const KEPT_ALIVE_MS = 72_000;
// A connection that has said nothing yet, or stops in the middle of its headers, is no visitor's: a proxy in front sends them in one
// piece. Looked for every second, since thousands that are found at once are a moment in which nobody else is served.
const HEADERS_MS = 20_000;
const LOOKED_FOR_EVERY_MS = 1_000;

// Browsers never ask for the next thing before they have the answer, and proxies neither.
const MOST_IN_ADVANCE = 8;

/** The HTTP server: what holds for every connection before there is a request on it, and for how requests are read. */
export function createConnections(answer: RequestListener): Server {
  const inAdvance = new WeakMap<Socket, Set<ServerResponse>>();
  const limits = { keepAliveTimeout: KEPT_ALIVE_MS, requestTimeout: NO_LIMIT, headersTimeout: HEADERS_MS };
  const options = { ...limits, connectionsCheckingInterval: LOOKED_FOR_EVERY_MS, shouldUpgradeCallback: isWebSocketHandshake };
  const server = createServer(options, (request, response) => {
    // An answer has its connection at once, unless another one is still on its way there.
    if (response.socket !== null || mayWait(request, response, inAdvance)) answer(request, response);
  });
  // Node ignores headers past this number, a Content-Length among them (CVE-2026-58044): take all, and refuse too many ourselves.
  server.maxHeadersCount = 0;
  // Node would ask for the body before anybody has judged. A refused one may come all the same or not, so its connection ends.
  server.on('checkContinue', (request, response) => {
    response.shouldKeepAlive = false;
    server.emit('request', request, response);
  });
  return server;
}

/**
 * Node begins every request that has arrived on a connection, whether or not the one before is answered, 700 of them from one piece
 * of 64 KiB; and it says nothing to those that wait for their turn when the connection ends. So they are few, and they are told.
 */
function mayWait({ socket }: IncomingMessage, response: ServerResponse, inAdvance: WeakMap<Socket, Set<ServerResponse>>): boolean {
  if (socket.destroyed) return false;
  const waiting = inAdvance.get(socket) ?? firstInAdvance(socket, inAdvance);
  if (waiting.size === MOST_IN_ADVANCE) {
    socket.destroy();
    return false;
  }
  waiting.add(response);
  response.once('close', () => waiting.delete(response));
  return true;
}

function firstInAdvance(socket: Socket, inAdvance: WeakMap<Socket, Set<ServerResponse>>): Set<ServerResponse> {
  const waiting = new Set<ServerResponse>();
  inAdvance.set(socket, waiting);
  socket.once('close', () => waiting.forEach(abandon));
  return waiting;
}

function abandon(response: ServerResponse): void {
  response.destroy();
  response.emit('close');
}
