import type { FastifyRequest } from 'fastify';

/** Who is looking at a portal page, as every template may show it. Set once per request by the gateway. */
export type Visitor = {
  personId: number;
  firstName: string;
  /** First and last name. */
  name: string;
  sessionId: number;
  /** The organisation the person works in now. Null for council staff without one. */
  organisation: { id: number; name: string } | null;
  organisations: { id: number; name: string }[];
  administers: boolean;
  councilOperator: boolean;
};

/** Who is asking, behind a guard that lets in nobody else. Throws where there is no such guard. */
export function visitorOf(request: FastifyRequest): Visitor {
  if (!request.visitor) throw new Error('this page was reached without its guard');
  return request.visitor;
}

declare module 'fastify' {
  interface FastifyRequest {
    visitor: Visitor | null;
    /** Token that every form of this page sends back: of the session, or of the browser before sign-in. */
    csrf: string;
  }
}
