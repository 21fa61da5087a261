/**
 * What stands between a published flaw and the gateway: the words of the source to take out, what to put in their place (sometimes the
 * flaw itself, where the defence is that something is not done), and the tests that must fail then. A test keeps the words up to date.
 */
export type Defence = {
  rows: readonly number[];
  out: string;
  edits: readonly Edit[];
  tests: readonly string[];
  /** Without it something waits for ever, so running out of time is the failure that is meant. */
  hangs?: true;
};
export type Edit = { file: string; take: string; put: string };

export const edit = (file: string, take: string, put = ''): Edit => ({ file, take, put });
export const server = (take: string, put = ''): Edit => edit('gateway/server.ts', take, put);
/** Another idea of which path a page is looked up by. */
export const lookUp = (by: string): Edit => edit('gateway/site-scope.ts', 'splitTarget(request.url).path);', `${by});`);

export const attacks = 'tests/gateway/attacks.test.ts';
export const upgrades = 'tests/gateway/attacks-upgrades.test.ts';
