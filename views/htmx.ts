import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';

/** Whether htmx asks, and not the browser itself. */
export const isHtmx = (headers: IncomingHttpHeaders): boolean => headers['hx-request'] === 'true';

/** Whether htmx wants a part of the page. Going back in history asks for the whole, and htmx says so. */
export const isPartial = (headers: IncomingHttpHeaders): boolean => isHtmx(headers) && headers['hx-request-type'] === 'partial';

/** Leads htmx to a whole page elsewhere: a redirect it would follow by itself, and put what it finds into the middle of the page. */
export function leadHtmx(reply: FastifyReply, address: string): FastifyReply {
  return reply.code(401).header('cache-control', 'no-store').header('hx-redirect', address).send('');
}
