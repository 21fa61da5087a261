import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';

export const onServers = 'gateway on PostgreSQL and Redis';
const MOST_SHOWN = 20;

type Side = 'SQLite' | 'PostgreSQL';
type Asked = { side: Side; name: string; skipped: boolean };

/** On which side of the switches a test runs, and its name without it: a project of its own, or the end of the suite's title. */
function askedBy(test: TestCase): Asked | null {
  const file = relative(test.project.config.root, test.module.moduleId);
  const skipped = test.result().state === 'skipped';
  if (test.project.name === onServers) return { side: 'PostgreSQL', name: `${file} > ${test.fullName}`, skipped };
  if (test.project.name === 'gateway') return { side: 'SQLite', name: `${file} > ${test.fullName}`, skipped };
  const [, suite, side, rest] = /^(.* on )(SQLite|PostgreSQL)( > .*)$/.exec(test.fullName) ?? [];
  return side === undefined ? null : { side: side as Side, name: `${file} > ${suite}…${rest}`, skipped };
}

const namesOn = (asked: readonly Asked[], side: Side) => asked.filter(test => test.side === side).map(({ name }) => name);

/** What is wrong, a line for each fault: a test that only one side has, one that is skipped on either, and numbers that differ. */
export function faultsOf(asked: readonly Asked[]): string[] {
  const [sqlite, postgres] = [namesOn(asked, 'SQLite'), namesOn(asked, 'PostgreSQL')];
  const faults = [
    ...asked.filter(({ skipped }) => skipped).map(({ side, name }) => `skipped on ${side}: ${name}`),
    ...[...new Set(sqlite).difference(new Set(postgres))].map(name => `not asked of PostgreSQL: ${name}`),
    ...[...new Set(postgres).difference(new Set(sqlite))].map(name => `not asked of SQLite: ${name}`),
  ];
  const differ = faults.length === 0 && sqlite.length !== postgres.length;
  return differ ? [`SQLite has ${sqlite.length} tests, PostgreSQL ${postgres.length}`] : faults;
}

/** Prints how many tests ran on each side of both switches, and fails the run when they are not the same. */
export function countBothSides(): Reporter {
  let vitest: Vitest;
  return {
    onInit(started) {
      vitest = started;
    },
    onTestRunEnd(modules: readonly TestModule[]) {
      const projects = vitest.projects.map(({ name }) => name);
      // Whoever asks for some tests by name, or for one project alone, has not asked for both.
      if (vitest.config.testNamePattern || projects.includes('gateway') !== projects.includes(onServers)) return;
      const asked = modules.flatMap(module => [...module.children.allTests()].flatMap(test => askedBy(test) ?? []));
      if (asked.length === 0) return;
      const [sqlite, postgres] = [namesOn(asked, 'SQLite').length, namesOn(asked, 'PostgreSQL').length];
      console.log(`\nBoth sides: ${sqlite} tests on SQLite in one process, ${postgres} on PostgreSQL, the gateway's with Redis.`);
      const faults = faultsOf(asked);
      for (const fault of faults.slice(0, MOST_SHOWN)) console.error(`  ${fault}`);
      if (faults.length > 0) process.exitCode = 1;
    },
  };
}
