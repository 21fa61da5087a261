import helmet from '@fastify/helmet';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import type { Asset, Assets } from './assets.ts';
import type { Views } from './render.ts';
import './route-rules.ts';
import './visitor.ts';

declare module 'fastify' {
  interface FastifyReply {
    /** Answers with a whole page: the template with the visitor and the form token of this request. */
    page(template: string, data: object): FastifyReply;
    /** Answers with a part of a page, for htmx. The template's name starts with an underscore. */
    fragment(template: string, data: object): FastifyReply;
  }
}

export type PageOptions = {
  views: Views;
  catalogue: Pick<Catalogue, 'sites'>;
  /** Only where the portal is always reached by https. */
  hsts?: boolean;
};

/**
 * Gives the scope it is called on what the portal's pages need: reply.page, reply.fragment and the security headers. Never at the root:
 * the legacy pages keep their own headers.
 */
export async function addPages(scope: FastifyInstance, { views, catalogue, hsts = false }: PageOptions): Promise<void> {
  await scope.register(helmet, headers(catalogue.sites, hsts));
  scope.decorateReply('page', send);
  scope.decorateReply('fragment', send);

  function send(this: FastifyReply, template: string, data: object): FastifyReply {
    const { visitor, csrf, url } = this.request;
    const path = url.split('?', 1)[0] ?? '';
    this.header('content-type', 'text/html; charset=utf-8');
    this.header('cache-control', 'no-store');
    this.header('vary', 'HX-Request, HX-Request-Type');
    return this.send(views.render(template, { visitor, csrf, path, ...data }));
  }
}

/** Serves the static files, which are the same for everybody. */
export function addAssets(scope: FastifyInstance, { files }: Assets): void {
  scope.get<{ Params: { file: string } }>('/assets/:file', { config: { rule: 'asset' } }, (request, reply) => {
    const asset = files.get(request.params.file);
    return asset ? sendAsset(reply, asset) : reply.callNotFound();
  });
}

function sendAsset(reply: FastifyReply, asset: Asset): FastifyReply {
  const gzip = /\bgzip\b/.test(String(reply.request.headers['accept-encoding'] ?? ''));
  if (gzip) reply.header('content-encoding', 'gzip');
  return reply
    .header('content-type', asset.type)
    .header('cache-control', 'public, max-age=31536000, immutable')
    .header('vary', 'Accept-Encoding')
    .header('cross-origin-resource-policy', 'cross-origin') // the denied page at a legacy host takes its styles from here
    .send(gzip ? asset.gzipped : asset.body);
}

function headers(sites: Catalogue['sites'], hsts: boolean) {
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        fontSrc: ["'self'"],
        // Browsers hold a redirect after a form post to this list too: signing in leads on to the page first asked for.
        formAction: ["'self'", ...sites.map(site => site.origin)],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'same-origin' as const },
    crossOriginOpenerPolicy: { policy: 'same-origin' as const },
    xFrameOptions: { action: 'deny' as const },
    hsts: hsts ? { maxAge: 31_536_000, includeSubDomains: false } : false,
  };
}
