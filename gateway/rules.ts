import type { FastifyInstance } from 'fastify';

/** Who may come to a route. Each scope declares its rule for all its routes at once, beside the hook that enforces it. */
export const rules = [
  'asset',
  'public',
  'page',
  'signed-in',
  'organisation-administrator',
  'organisation-administrator-with-code',
] as const;
export type Rule = (typeof rules)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    rule?: string;
  }
  interface FastifyInstance {
    /** Every route with its rule, for the test that walks them. */
    declaredRoutes: { method: string; url: string; rule: Rule | undefined }[];
  }
}

/** A route that declares no rule was not thought about: the gateway does not start with it. */
export function demandRules(app: FastifyInstance): void {
  const routes: { method: string; url: string; config: { rule?: Rule } }[] = [];
  app.addHook('onRoute', route => {
    for (const method of [route.method].flat()) {
      // Scopes add their rule in hooks of their own that run after this one, so the route is kept and read when all is registered.
      routes.push({
        method,
        url: route.url,
        get config() {
          return (route.config ?? {}) as { rule?: Rule };
        },
      });
    }
  });
  app.decorate('declaredRoutes', {
    getter: () => routes.map(({ method, url, config }) => ({ method, url, rule: config.rule })),
  });
  app.addHook('onReady', async () => {
    const bare = app.declaredRoutes.filter(({ rule }) => rule === undefined || !rules.includes(rule));
    if (bare.length > 0) throw new Error(`Routes without a rule: ${bare.map(({ method, url }) => `${method} ${url}`).join(', ')}`);
  });
}
