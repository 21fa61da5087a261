import { fileURLToPath } from 'node:url';
import { Eta } from 'eta';
import { sayDay, sayInstant, sayTime } from '#config/calendar.ts';
import type { Brand } from '#config/catalogue.ts';
import { type Assets, readAssets } from './assets.ts';
import type { FieldError } from './forms.ts';
import type { Visitor } from './visitor.ts';

export type Crumb = { text: string; href?: string };
export type Banner = { heading: string; lines: string[]; kind?: 'success' | 'important' };

/** What the frame around every page reads. A page's own data stands beside it. */
export type PageData = {
  title: string;
  /** After the brand's own crumbs; null for a page without a trail (errors). */
  crumbs?: Crumb[] | null;
  errors?: FieldError[];
  banner?: Banner | null;
  visitor?: Visitor | null;
  csrf?: string;
  /** Path of the page on the portal, to mark where the visitor is in the navigation. */
  path?: string;
};

export type Views = {
  /** Renders one template, named by its path from the project's root without ".eta". Throws rather than print a missing value. */
  render(template: string, data: object): string;
  assets: Assets;
};

export type ViewOptions = {
  brand: Brand;
  /** Origin of the portal, for pages that are shown at a legacy host. */
  portalOrigin: string;
  /** Address of the council's administration, for its operators' navigation. */
  councilPath?: string | null;
  /** Where the demo shows its e-mails and texts; every page of the portal then says so. */
  demoOutbox?: string | null;
};

const projectRoot = fileURLToPath(new URL('..', import.meta.url));

/** Makes the renderer. Templates are read at their first use and kept; the assets are read from the installed packages now. */
export function createViews({ brand, portalOrigin, councilPath = null, demoOutbox = null }: ViewOptions): Views {
  const eta = new Eta({ views: projectRoot, cache: true, autoEscape: true, debug: true, escapeFunction: escapeValue });
  const assets = readAssets();
  const frame = {
    brand,
    portalOrigin,
    councilPath,
    demoOutbox,
    assets: assets.addresses,
    layout: '/views/layout',
    wide: false,
    say: { day: sayDay, time: sayTime, instant: sayInstant },
  };
  return { assets, render: (template, data) => eta.render(template, { ...data, ...frame, ...shared(data) }) };
}

/** Every page has these, given or not, so that a template need not ask whether they are there. */
function shared({ visitor = null, csrf = '', path = '', errors = [], banner = null, crumbs = [] }: Partial<PageData>) {
  return { visitor, csrf, path, errors, banner, crumbs };
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

// Eta would print the words "undefined" and "null"; a page with a hole in it must fail in a test, not reach a reader.
function escapeValue(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new TypeError(`a template may print text and numbers, not ${kindOf(value)}`);
  return String(value).replace(/[&<>"']/g, sign => entities[sign] ?? sign);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
