import type { Page } from '#config/catalogue.ts';
import type { Decision, Outcome, Reason } from '#policies/decision.ts';

/** What one process has judged and answered since it began. Whole numbers in memory: a request pays for three additions, no more. */
export type Counts = {
  judged(page: Page, decision: Decision): void;
  /**
   * @param host the site's; empty for the portal and for hosts that are not ours
   * @param status 0 if nobody got an answer
   */
  answered(host: string, page: Page | null, status: number): void;
  rows(): readonly Row[];
};

/** One service on one site. Open, shared and unlisted addresses have no service. */
export type Row = {
  site: string;
  service: string;
  outcomes: Record<Outcome, number>;
  reasons: Record<Reason, number>;
  /** By the first digit of the status. */
  classes: number[];
};

/** Counts go on over a reload of the catalogue: they hang on names, and the pages of a catalogue that is gone are forgotten. */
export function createCounts(): Counts {
  const rows = new Map<string, Row>();
  const ofPage = new WeakMap<Page, Row>();

  function rowFor(site: string, service: string): Row {
    const key = `${site}/${service}`;
    const known = rows.get(key);
    if (known) return known;
    const fresh = { site, service, outcomes: { allow: 0, 'sign-in': 0, deny: 0 }, reasons: { ...noneYet }, classes: [0, 0, 0, 0, 0, 0] };
    rows.set(key, fresh);
    return fresh;
  }

  /** Known by the page itself after its first request: no text is put together for the others. */
  function rowOf(page: Page): Row {
    const known = ofPage.get(page);
    if (known) return known;
    const row = rowFor(page.host, page.service ?? '');
    ofPage.set(page, row);
    return row;
  }

  return {
    judged(page, { outcome, reason }) {
      const row = rowOf(page);
      row.outcomes[outcome] += 1;
      row.reasons[reason] += 1;
    },
    answered(host, page, status) {
      const { classes } = page === null ? rowFor(host, '') : rowOf(page);
      const first = Math.trunc(status / 100);
      if (first in classes) classes[first]! += 1;
    },
    rows: () => [...rows.values()],
  };
}

/** Every reason there is, so that each row has the same shape from the beginning. */
const noneYet: Record<Reason, number> = {
  granted: 0,
  'open-page': 0,
  'shared-page': 0,
  'not-signed-in': 0,
  'person-inactive': 0,
  'not-a-member': 0,
  'organisation-closed': 0,
  'service-unknown': 0,
  'service-not-open': 0,
  'no-subscription': 0,
  'no-grant': 0,
  blocked: 0,
  'rights-not-known': 0,
};
