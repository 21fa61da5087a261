/** Who may come to a route. Each scope declares its rule for all its routes at once, beside the hook that enforces it. */
export const routeRules = [
  'asset',
  'public',
  'page',
  'signed-in',
  'organisation-administrator',
  'organisation-administrator-with-code',
] as const;
export type RouteRule = (typeof routeRules)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    rule?: RouteRule;
  }
}
