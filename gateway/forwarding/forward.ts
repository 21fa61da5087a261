import { METHODS } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Settings } from '#config/settings.ts';
import type { LiveConnections } from '../live.ts';
import { addDispatch } from './dispatch.ts';
import { addHttpProxy } from './http-proxy.ts';
import { createRoute, type Route, type RouteDeps } from './route.ts';

/** How a judged request reaches its legacy server. */
export type ForwardDeps = RouteDeps & { settings: Pick<Settings, 'engine'>; live: LiveConnections };

/** Registers the one catch-all of the sites' scope; whatever reaches it was judged by the scope's hooks. */
export async function addForwarding(sites: FastifyInstance, deps: ForwardDeps): Promise<Route> {
  // WebDAV and its like too: whatever Node can read may be forwarded. TRACE is refused before it gets here, CONNECT by Node itself.
  const methods = METHODS.filter(method => method !== 'CONNECT' && method !== 'TRACE');
  for (const method of methods) if (!sites.supportedMethods.includes(method)) sites.addHttpMethod(method, { hasBody: true });
  const route = createRoute(deps);
  if (deps.settings.engine === 'http-proxy') await addHttpProxy(sites, methods, deps, route);
  else addDispatch(sites, methods, deps.live, route);
  return route;
}
