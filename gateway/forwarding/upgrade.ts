import { type ClientRequest, type IncomingMessage, ServerResponse, request as sendHttp } from 'node:http';
import { request as sendHttps } from 'node:https';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { requestHeaders, responseHeaders } from './headers.ts';
import { type Guest, wordsOf } from './queue.ts';
import { type Route, readableReason } from './route.ts';

/**
 * WebSockets: a handshake meets the same hooks as any request, its headers the same rules, and after it bytes go both ways unread.
 * `@fastify/http-proxy` would end the connection and open another with a client of its own, which loses extensions, subprotocols and
 * Origin, and lets a handshake crash the process (CVE-2026-130647, CVE-2026-129500, CVE-2026-133111).
 */
const heads = new WeakMap<IncomingMessage, Buffer>();

/**
 * Only what RFC 6455 §4.1 calls a handshake. Any other upgrade is an offer that RFC 9110 §7.8 lets a server ignore: h2c, and one with a
 * body, which would still be on its way to the legacy server when that has already agreed.
 */
export function isWebSocketHandshake({ method, httpVersion, headers }: IncomingMessage): boolean {
  if (method !== 'GET' || httpVersion !== '1.1' || headers.upgrade?.toLowerCase() !== 'websocket') return false;
  return headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
}

/** Lets handshakes into the routing, each with a response that is written to the connection if it is refused. */
export function acceptHandshakes(app: FastifyInstance): void {
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    try {
      response.assignSocket(socket as Parameters<typeof response.assignSocket>[0]);
    } catch {
      // An earlier answer is still on its way on this connection; nobody who means well asks like that.
      socket.destroy();
      return;
    }
    // Refused: what the client sent behind its handshake must be taken off the connection, or its end would never be seen.
    response.once('finish', () => socket.resume().end());
    // Whatever follows the handshake is for the legacy server only once it has agreed (CVE-2026-2833).
    heads.set(request, head);
    app.routing(request, response);
  });
}

export const isHandshake = (request: FastifyRequest): boolean => heads.has(request.raw);

/**
 * Asks the legacy server for the same, and joins both ends when it agrees. Its refusal is an answer like any other. Until it has said
 * either, a handshake is one of those who use its connections and takes its turn: only a conversation may last.
 */
export function tunnel(request: FastifyRequest, reply: FastifyReply, route: Route): void {
  const near = request.raw.socket;
  // It may have gone while it was judged, and would never say so again.
  if (near.destroyed) return;
  const { queue } = route.upstreamOf(request);
  let handshake: ClientRequest | null = null;
  // Nobody says goodbye before the beginning: half a connection is as good as none.
  const leave = () => {
    near.destroy();
    handshake?.destroy();
    queue.leave(guest);
  };
  const guest: Guest = {
    visitor: request.signedIn?.id ?? 0,
    service: request.page?.service ?? null,
    standing: 'away',
    since: 0,
    begin() {
      // Its turn is told a moment later than it comes, and whoever has gone meanwhile will not go again.
      if (near.destroyed) return queue.leave(guest);
      try {
        handshake = shakeHands(request, reply, route, () => near.off('end', leave).off('close', leave));
        handshake.once('close', () => queue.leave(guest));
      } catch (error) {
        queue.leave(guest);
        route.failed(request, reply, error as Error);
      }
    },
    giveUp: why => route.trouble(request, reply, why, wordsOf[why]),
  };
  near.once('end', leave).once('close', leave);
  if (!queue.enter(guest)) route.trouble(request, reply, 'upstream-busy', 'too many wait already');
}

function shakeHands(request: FastifyRequest, reply: FastifyReply, route: Route, agreed: () => void): ClientRequest {
  const near = request.raw.socket;
  const { direct, answered } = route.upstreamOf(request);
  const handshake = (direct.protocol === 'https:' ? sendHttps : sendHttp)({
    ...direct,
    method: 'GET',
    path: request.raw.url ?? '/',
    headers: [...requestHeaders(request.headers, route.requestFacts(request)), 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
  });
  handshake.once('timeout', () => handshake.destroy(Object.assign(new Error('no answer in time'), { code: 'HEADERS_TIMEOUT' })));
  handshake.on('error', (error: Error) => {
    if (!reply.sent && !near.destroyed) route.failed(request, reply, error);
  });
  const fail = (why: string) => {
    handshake.destroy();
    route.trouble(request, reply, 'upstream-failed', why);
  };
  handshake.once('response', answer => {
    answered();
    if (!refuse(answer, request, reply, route)) fail('an answer that cannot be repeated');
  });
  handshake.once('upgrade', (answer, far, farHead) => {
    answered();
    if (answer.headers.upgrade?.toLowerCase() !== 'websocket') return fail('switched to something else');
    agreed();
    agree(answer, request, reply, route, handshake);
    join(near, far, heads.get(request.raw) ?? Buffer.alloc(0), farHead);
  });
  handshake.end();
  return handshake;
}

/** False if it cannot be repeated: a status below 200, which ends nothing, or bytes that no header may have. */
function refuse(answer: IncomingMessage, request: FastifyRequest, reply: FastifyReply, route: Route): boolean {
  const { statusCode = 0, statusMessage = '', rawHeaders } = answer;
  if (statusCode < 200) return false;
  try {
    reply.raw.writeHead(statusCode, readableReason(statusMessage), responseHeaders(rawHeaders, route.answerFacts(request)));
  } catch {
    return false;
  }
  reply.hijack();
  answer.once('error', () => reply.raw.destroy());
  answer.pipe(reply.raw);
  return true;
}

function agree(answer: IncomingMessage, request: FastifyRequest, reply: FastifyReply, route: Route, handshake: ClientRequest): void {
  reply.hijack();
  const near = request.raw.socket;
  reply.raw.detachSocket(near);
  // Said below, in our own words; but whoever asks the response what came of it, and when it was over, shall know.
  reply.raw.writeHead(101);
  near.once('close', () => reply.raw.emit('close'));
  const headers = ['Connection', 'Upgrade', 'Upgrade', 'websocket', ...responseHeaders(answer.rawHeaders, route.answerFacts(request))];
  let head = 'HTTP/1.1 101 Switching Protocols\r\n';
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  near.write(`${head}\r\n`, 'latin1');
  handshake.removeAllListeners('timeout');
}

/** Until either end closes; then the other is closed too, however it ended. */
function join(near: Duplex, far: Duplex, nearHead: Buffer, farHead: Buffer): void {
  far.on('error', () => far.destroy());
  near.once('close', () => far.destroy());
  far.once('close', () => near.destroy());
  if (farHead.length > 0) near.write(farHead);
  if (nearHead.length > 0) far.write(nearHead);
  near.pipe(far).pipe(near);
}
