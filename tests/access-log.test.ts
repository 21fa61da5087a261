import type { FastifyReply, FastifyRequest } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openAccessLog } from '#gateway/access-log.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const settled = () => new Promise<void>(resolve => setImmediate(resolve));

/** A log whose writer writes only when told to, and what it was given so far. */
function openLog() {
  const given: string[] = [];
  let written = () => {};
  const write = (lines: string) => {
    given.push(lines);
    return new Promise<number>(resolve => {
      written = () => resolve(0);
    });
  };
  const log = openAccessLog('-', Date.now, () => ({ write, hurry: () => {} }));
  const note = (path: string) => {
    const request = { id: '1', url: path, method: 'GET', headers: { host: 'a.site' }, socket: { bytesWritten: 0 } };
    log.note(request as unknown as FastifyRequest, { elapsedTime: 1 } as FastifyReply, 200);
  };
  return { log, given, note, written: () => written() };
}

const countOf = (lines: string) => lines.split('\n').length - 1;

test('lines that come while others are written wait until there are many of them, or for half a second', async () => {
  const { log, given, note, written } = openLog();
  for (let line = 0; given.length === 0; line++) note(`/page-${line}`);
  expect(countOf(given[0]!)).toBeGreaterThan(100);
  note('/meanwhile');
  written();
  await settled();
  expect(given).toHaveLength(1);
  note('/later');
  vi.advanceTimersByTime(500);
  expect(given.slice(1).map(countOf)).toEqual([2]);
  written();
  await settled();
  note('/last');
  const closed = log.close();
  await settled();
  written();
  await closed;
  expect(given.slice(2).map(countOf)).toEqual([1]);
});
