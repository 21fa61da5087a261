import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { withoutGovUkBrand } from './brand.ts';

export type Asset = { type: string; body: Buffer; gzipped: Buffer };
export type AssetAddresses = { css: string; script: string; htmx: string; icon: string };
export type Assets = {
  /** Where a page finds each file. */
  addresses: AssetAddresses;
  /** By file name: the name carries a hash of the content, so a copy may be kept for ever. */
  files: ReadonlyMap<string, Asset>;
};

const packages = createRequire(import.meta.url);
const types = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', svg: 'image/svg+xml' };

/** Reads every static file once and names it by its content. */
export function readAssets(): Assets {
  const files = new Map<string, Asset>();
  const add = (name: string, kind: keyof typeof types, text: string) => {
    const body = Buffer.from(text);
    const file = `${name}-${createHash('sha256').update(body).digest('hex').slice(0, 12)}.${kind}`;
    files.set(file, { type: types[kind], body, gzipped: gzipSync(body) });
    return `/assets/${file}`;
  };
  const govuk = add('govuk-frontend', 'js', withoutSourceMap(installed('govuk-frontend/dist/govuk/govuk-frontend.min.js')));
  const addresses: AssetAddresses = {
    css: add('portal', 'css', withoutGovUkBrand(installed('govuk-frontend/dist/govuk/govuk-frontend.min.css')) + own('portal.css')),
    script: add('portal', 'js', own('portal.js').replace('govuk-frontend', `.${govuk.slice('/assets'.length)}`)),
    htmx: add('htmx', 'js', withoutSourceMap(installed('htmx.org/dist/htmx.min.js'))),
    icon: add('icon', 'svg', own('icon.svg')),
  };
  return { addresses, files };
}

function own(name: string): string {
  return readFileSync(new URL(`static/${name}`, import.meta.url), 'utf8');
}

function installed(file: string): string {
  return readFileSync(packages.resolve(file), 'utf8');
}

function withoutSourceMap(script: string): string {
  return script.replace(/\/\/# sourceMappingURL=.*\s*$/, '');
}
