import type { FastifyInstance, RouteOptions } from 'fastify';
import { type RouteRule, routeRules } from '#views/route-rules.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route with its rule, for the test that walks them. */
    declaredRoutes: { method: string; url: string; rule: RouteRule | undefined }[];
  }
}

/** A route that declares no rule was not thought about: the gateway does not start with it. */
export function demandRules(app: FastifyInstance): void {
  const routes: { method: string; route: RouteOptions }[] = [];
  app.addHook('onRoute', route => {
    for (const method of [route.method].flat()) routes.push({ method, route });
  });
  // Scopes give their rule in hooks of their own that run after this one, so it is read when all is registered.
  app.decorate('declaredRoutes', {
    getter: () => routes.map(({ method, route }) => ({ method, url: route.url, rule: route.config?.rule })),
  });
  app.addHook('onReady', async () => {
    const bare = app.declaredRoutes.filter(({ rule }) => rule === undefined || !routeRules.includes(rule));
    if (bare.length > 0) throw new Error(`Routes without a rule: ${bare.map(({ method, url }) => `${method} ${url}`).join(', ')}`);
  });
}
