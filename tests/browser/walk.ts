import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { demoPeople } from '#config/demo/people.ts';
import { startApp, type TestApp } from '../app.ts';
import { launchChromium, openVisitor, signInHere, type Visitor } from './visitor.ts';

/** One walk through the demo: the running gateway, the browser, and the people who sit at their computers, by name. */
export type Walk = {
  readonly app: TestApp;
  readonly javaScript: boolean;
  /** The same person at the same computer each time; the name is whatever the story calls them. */
  visitor(name: string): Promise<Visitor>;
  /** Sits down at a new computer that has a copy of somebody's cookies. */
  copyOf(name: string): Promise<Visitor>;
  signIn(visitor: Visitor, userId: string): Promise<void>;
  /** What was sent to an e-mail address, newest first. */
  emailsTo(address: string): Promise<{ subject: string | null; text: string }[]>;
  newestCode(): Promise<string>;
};

/** Starts a walk for the tests around it. They are steps of one story: after one has failed the others are not tried. */
export function startWalk({ javaScript }: { javaScript: boolean }): Walk {
  let app: TestApp;
  let browser: Browser;
  let stopped = false;
  const visitors = new Map<string, Visitor>();

  beforeAll(async () => {
    [app, browser] = await Promise.all([startApp(), launchChromium()]);
  });
  afterAll(async () => {
    await browser?.close();
    await app?.close();
  });
  beforeEach(({ skip }) => {
    if (stopped) skip('an earlier step failed');
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') stopped = true;
    const complaints = [...visitors.values()].flatMap(visitor => visitor.complaints.splice(0));
    expect(complaints, 'what the browser complained about').toEqual([]);
  });

  async function open(name: string, cookies: NonNullable<Parameters<typeof openVisitor>[1]>['cookies'] = []): Promise<Visitor> {
    const visitor = await openVisitor(browser, { javaScript, cookies });
    visitors.set(name, visitor);
    return visitor;
  }

  return {
    get app() {
      return app;
    },
    javaScript,
    visitor: async name => visitors.get(name) ?? open(name),
    copyOf: async name => open(`${name}, copied`, await visitors.get(name)?.context.cookies()),
    signIn: (visitor, userId) => signInHere(visitor, userId, passwordOf(userId)),
    emailsTo: async address => (await app.outbox()).filter(({ kind, to }) => kind === 'email' && to === address),
    async newestCode() {
      const text = (await app.outbox()).find(({ kind }) => kind === 'text')?.text ?? '';
      return /^(\d{6}) is your Services Portal security code/.exec(text)?.[1] ?? 'no code was sent';
    },
  };
}

function passwordOf(userId: string): string {
  const person = demoPeople.find(one => one.userId === userId);
  if (!person) throw new Error(`the demo has nobody called ${userId}`);
  return person.password;
}
