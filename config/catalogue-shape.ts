import { isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import { instantOf } from './calendar.ts';
import { originFault, pathFault, readAddress } from './catalogue-addresses.ts';
import { headerNameFault, identityHeaders, namesFault } from './catalogue-headers.ts';

/** Where something stands in the file: keys and positions from the top. */
export type Place = readonly PropertyKey[];
export type Fault = { at: Place; message: string; line?: number };
/** A part of the file that was read well, with its place for later faults. */
export type Read<T> = { value: T; at: Place };

const checked = (faultOf: (text: string) => string | null) =>
  z.string('must be a text').superRefine((text, context) => {
    const wrong = faultOf(text);
    if (wrong) context.addIssue({ code: 'custom', message: `${text}: ${wrong}` });
  });

const words = z.string('must be a text').trim().min(1, 'must not be empty');
const email = z.email('must be an email address');
const origin = checked(originFault);
const path = checked(pathFault);
const address = checked(text => {
  const read = readAddress(text);
  return typeof read === 'string' ? read : null;
});
const portalPath = checked(text => (/^\/(?!\/)/.test(text) ? pathFault(text) : 'must be a path on the portal, like /sign-in'));
const href = z.string('must be a text').regex(/^(?:https?:\/\/\S+|\/(?!\/)\S*)$/, 'must be a web address or a path on the portal');
const time = z.string('must be a text').transform((text, context) => {
  const at = instantOf(text);
  if (at === null) context.addIssue({ code: 'custom', message: `${text}: must be a time, written like 2019-03-04 07:30` });
  return at ?? z.NEVER;
});
const day = z.iso.date('must be a date of the calendar, written like 2019-03-04');

const headers = z
  .partialRecord(z.enum(identityHeaders, `must be one of ${identityHeaders.join(', ')}`), checked(headerNameFault))
  .superRefine((names, context) => {
    const wrong = namesFault(names);
    if (wrong) context.addIssue({ code: 'custom', message: wrong });
  });

const writtenOpenPage = z.strictObject({
  address,
  match: z.enum(['exact', 'prefix'], 'must be exact (this address alone) or prefix (this address and everything below it)'),
  upstream: origin.optional(),
  oddPaths: z.boolean('must be true or false').default(false),
});

const writtenPage = writtenOpenPage.extend({ headers: headers.default({}) });

const writtenService = z.strictObject({
  id: z.string('must be a text').regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, 'must be lower-case words joined by hyphens, like music-service'),
  shortName: words,
  fullName: words,
  alsoKnownAs: z.array(words, 'must be a list').default([]),
  description: words,
  contact: z.strictObject({ name: words, email, phone: words.nullable().default(null) }),
  whoMayGrant: z.enum(['organisation-administrators', 'council'], 'must be organisation-administrators or council'),
  opensOn: day.nullable().default(null),
  oldPageEndsOn: day.nullable().default(null),
  start: address,
  archived: z.boolean('must be true or false').default(false),
  maintenance: z
    .strictObject({ words: words.max(100, 'must be 100 characters or less; they stand on the tile'), until: time.nullable().default(null) })
    .nullable()
    .default(null),
  pages: z.array(writtenPage, 'must be a list').min(1, 'must have at least one page'),
  openPages: z.array(writtenOpenPage, 'must be a list').default([]),
  legacyLogins: z.array(z.strictObject({ row: words, address, target: address.optional() }), 'must be a list').default([]),
});

const writtenSite = z.strictObject({
  origin,
  upstream: origin,
  rest: z.literal('open', 'can only be open; leave it out to answer nothing but the pages listed').optional(),
  shared: z.array(path, 'must be a list of paths').default([]),
  bookmarks: z.record(path, portalPath).default({}),
});

const seconds = z.int('must be a whole number of seconds').min(1, 'must be 1 or more').max(86_400, 'must be 86400 (a day) or less');

const wrongStatus = 'must be a status that ends an answer, from 200 to 599';

const writtenUpstream = z.strictObject({
  origin,
  ca: words.nullable().default(null),
  certificate: words.nullable().default(null),
  key: words.nullable().default(null),
  serverName: words.nullable().default(null),
  host: z.enum(['site', 'upstream'], 'must be site (the name people see) or upstream (the name in its own origin)').default('site'),
  connectSeconds: seconds.nullable().default(null),
  headersSeconds: seconds.nullable().default(null),
  bodySeconds: seconds.nullable().default(null),
  connections: z.int('must be a whole number').min(1, 'must be 1 or more').max(10_000, 'must be 10000 or less').nullable().default(null),
  health: z
    .strictObject({
      path,
      status: z.int(wrongStatus).min(200, wrongStatus).max(599, wrongStatus).nullable().default(null),
      everySeconds: seconds.default(10),
    })
    .nullable()
    .default(null),
});

const writtenBrand = z.strictObject({
  council: words,
  productName: words,
  crumbs: z.array(z.strictObject({ text: words, href })),
  accountName: words,
  accountsEmail: email,
  address: words,
  website: href,
  links: z.strictObject({ privacy: href, disclaimer: href, accessibility: href, contact: href }),
  helpLinks: z.strictObject({ eamw: href, eamwGuide: href }),
});

// Sites and services are read one by one below, so that a fault in one does not hide the faults of the others.
const writtenFile = z.strictObject({
  portal: origin,
  brand: z.unknown(),
  sites: z.unknown(),
  upstreams: z.unknown().optional(),
  services: z.unknown(),
});

export type WrittenPage = z.infer<typeof writtenOpenPage> & Partial<z.infer<typeof writtenPage>>;
export type WrittenService = z.infer<typeof writtenService>;
export type WrittenSite = z.infer<typeof writtenSite>;
export type WrittenUpstream = z.infer<typeof writtenUpstream>;
export type WrittenBrand = z.infer<typeof writtenBrand>;
export type WrittenCatalogue = {
  portal: string | null;
  brand: WrittenBrand | null;
  sites: Read<WrittenSite>[];
  upstreams: Read<WrittenUpstream>[];
  services: Read<WrittenService>[];
  /** False when some site could not be read, so "no such site" would be a false alarm. */
  allSitesRead: boolean;
};

/** Reads the file's text as far as it can be read, with every fault of its form. */
export function readServicesFile(text: string): { written: WrittenCatalogue; faults: Fault[]; lineAt: (at: Place) => number } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const faults: Fault[] = document.errors.map(error => ({
    at: [],
    line: error.linePos?.[0].line ?? 1,
    message: `${error.message.split(' at line ')[0]?.split('\n')[0]}; correct the YAML`,
  }));
  const whole: unknown = faults.length > 0 ? null : document.toJS();
  const lineAt = (at: Place) => lineOf(document.contents, at, lines);
  if (faults.length > 0)
    return { written: { portal: null, brand: null, sites: [], upstreams: [], services: [], allSitesRead: false }, faults, lineAt };
  const top = typeof whole === 'object' && whole !== null && !Array.isArray(whole) ? (whole as Record<string, unknown>) : {};
  keep(writtenFile, top, [], faults);
  const brand = keep(writtenBrand, top.brand, ['brand'], faults);
  const sites = keepEach(writtenSite, top.sites, 'sites', faults);
  const upstreams = top.upstreams === undefined ? [] : keepEach(writtenUpstream, top.upstreams, 'upstreams', faults);
  const services = keepEach(writtenService, top.services, 'services', faults);
  const portal = originFault(String(top.portal)) === null ? String(top.portal) : null;
  const allSitesRead = Array.isArray(top.sites) && top.sites.length === sites.length;
  return { written: { portal, brand, sites, upstreams, services, allSitesRead }, faults, lineAt };
}

function keepEach<T>(shape: z.ZodType<T>, list: unknown, name: string, faults: Fault[]): Read<T>[] {
  if (!Array.isArray(list) || list.length === 0) {
    faults.push({ at: [name], message: `${name}: must be a list with at least one entry` });
    return [];
  }
  return list.flatMap((entry: unknown, index) => {
    const value = keep(shape, entry, [name, index], faults);
    return value === null ? [] : [{ value, at: [name, index] }];
  });
}

function keep<T>(shape: z.ZodType<T>, value: unknown, at: Place, faults: Fault[]): T | null {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys)
        faults.push({ at: [...at, ...issue.path, key], message: `${key}: is not a known key here; check its spelling or remove it` });
    } else {
      const place = [...at, ...issue.path];
      const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
      faults.push({ at: place, message: `${nameOf(place)}: ${has(value, issue.path) ? message : 'is missing; add it'}` });
    }
  }
  return null;
}

function has(value: unknown, path: Place): boolean {
  let inner = value;
  for (const key of path) {
    if (typeof inner !== 'object' || inner === null || !(key in inner)) return false;
    inner = (inner as Record<PropertyKey, unknown>)[key];
  }
  return inner !== undefined;
}

function nameOf(at: Place): string {
  return String(at.filter(key => typeof key === 'string').at(-1) ?? 'the file');
}

/** The line of the deepest node on the way to a place: a missing key is reported at the entry it is missing from. */
function lineOf(top: Node | null, at: Place, lines: LineCounter): number {
  let node: Node | null = top;
  let line = 1;
  for (const key of at) {
    let next: Node | null = null;
    if (isMap(node)) {
      const pair = node.items.find(item => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key));
      if (pair && isScalar(pair.key)) line = lineStart(pair.key, lines) ?? line;
      next = (pair?.value as Node | null) ?? null;
    } else if (node && 'items' in node && typeof key === 'number') {
      next = ((node.items as unknown[])[key] as Node | undefined) ?? null;
      if (next) line = lineStart(next, lines) ?? line;
    }
    if (!next) break;
    node = next;
  }
  return line;
}

function lineStart(node: Node, lines: LineCounter): number | null {
  return node.range ? lines.linePos(node.range[0]).line : null;
}
