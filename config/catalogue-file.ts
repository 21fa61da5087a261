import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Brand, Catalogue, Service, UpstreamRules } from './catalogue.ts';
import { catalogueFaults } from './catalogue-faults.ts';
import { sitesOf } from './catalogue-pages.ts';
import { type Fault, type Place, readServicesFile, type WrittenCatalogue, type WrittenService } from './catalogue-shape.ts';
import { OperatorFault } from './operator-fault.ts';

/** Everything that is wrong with a services.yaml, a line for each fault. */
export class CatalogueFault extends OperatorFault {
  override name = 'CatalogueFault';
  override readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`The service catalogue cannot be used:\n${faults.map(fault => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Reads and checks a services.yaml. Throws CatalogueFault with one line per fault, each "file:line: what is wrong and what to do". */
export function readCatalogue(file: string): Catalogue {
  return parseCatalogue(catalogueText(file), file);
}

/** The text of a services.yaml. Throws CatalogueFault if it cannot be read. */
export function catalogueText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new CatalogueFault([`${file}:1: the file cannot be read; check the path and who may read it`]);
  }
}

/** As readCatalogue, for a text already in hand; `file` is only named in faults. */
export function parseCatalogue(text: string, file: string): Catalogue {
  const { written, faults, lineAt } = readServicesFile(text);
  faults.push(...catalogueFaults(written));
  const upstreams = upstreamsOf(written, dirname(file), faults);
  if (faults.length > 0 || !written.brand || !written.portal) {
    const lines = faults.map(fault => ({ line: fault.line ?? lineAt(fault.at), message: fault.message }));
    lines.sort((a, b) => a.line - b.line);
    throw new CatalogueFault([...new Set(lines.map(({ line, message }) => `${file}:${line}: ${message}`))]);
  }
  return { ...catalogueOf(written, written.portal, written.brand), upstreams };
}

function catalogueOf(written: WrittenCatalogue, portal: string, brand: Brand): Omit<Catalogue, 'upstreams'> {
  return {
    portal: { host: new URL(portal).hostname, origin: portal },
    sites: sitesOf(written),
    services: written.services.map(({ value }) => serviceOf(value, written)),
    brand,
  };
}

/** The rules of each upstream, with the PEM files they name, which are looked for beside the catalogue. */
function upstreamsOf(written: WrittenCatalogue, folder: string, faults: Fault[]): Map<string, UpstreamRules> {
  const sites = sitesOf(written);
  return new Map(
    written.upstreams.map(({ value: { origin, health, ...rules }, at }) => {
      const pem = (name: 'ca' | 'certificate' | 'key') => readPem(rules[name], folder, { at: [...at, name], faults });
      const site = sites.find(({ pages }) => pages.some(({ upstream }) => upstream === origin))?.origin ?? origin;
      const pems = { ca: pem('ca'), certificate: pem('certificate'), key: pem('key') };
      for (const { name, message } of unusablePems(pems))
        faults.push({ at: [...at, name], message: `${resolve(folder, rules[name] ?? '')}: ${message}` });
      return [origin, { ...rules, ...pems, health: health && { ...health, site } }];
    }),
  );
}

/** What TLS would throw at the first connection, when nobody reads it: a file cut short, or one that is renewed while its key is not yet. */
function unusablePems({ ca, certificate, key }: Pick<UpstreamRules, 'ca' | 'certificate' | 'key'>) {
  const found: { name: 'ca' | 'certificate'; message: string }[] = [];
  try {
    if (ca) new X509Certificate(ca);
  } catch (error) {
    found.push({ name: 'ca', message: `is no certificate that can be used (${(error as Error).message}); put a whole one there` });
  }
  try {
    if (certificate && key) createSecureContext({ cert: certificate, key });
  } catch (error) {
    found.push({
      name: 'certificate',
      message: `cannot be used with its key (${(error as Error).message}); put a pair that matches there`,
    });
  }
  return found;
}

function readPem(name: string | null, folder: string, { at, faults }: { at: Place; faults: Fault[] }): string | null {
  if (name === null) return null;
  const file = resolve(folder, name);
  try {
    const text = readFileSync(file, 'utf8');
    if (/^-----BEGIN [A-Z ]+-----$/m.test(text)) return text;
    faults.push({ at, message: `${file}: is not a PEM file (-----BEGIN …-----); convert it` });
  } catch {
    faults.push({ at, message: `${file}: the file cannot be read; check the path and who may read it` });
  }
  return null;
}

function serviceOf(service: WrittenService, written: WrittenCatalogue): Service {
  const { pages: _pages, openPages: _openPages, legacyLogins, ...rest } = service;
  return { ...rest, legacyLogins: legacyLogins.map(login => ({ ...login, target: login.target ?? itself(login.address, written) })) };
}

/** An old address that is a page of its own leads to itself, at the scheme the site has today. */
function itself(address: string, written: WrittenCatalogue): string {
  const { hostname, pathname } = new URL(address);
  const site = written.sites.find(({ value }) => new URL(value.origin).hostname === hostname);
  return `${site?.value.origin ?? new URL(address).origin}${pathname}`;
}
