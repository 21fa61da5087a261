import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createQueue, type Guest } from '#gateway/forwarding/queue.ts';

/** Somebody with a request, who says when it begins. */
type Visit = Guest & { began: boolean };
function visit(visitor: number, service = String(visitor)): Visit {
  const one: Visit = {
    visitor,
    service,
    since: 0,
    standing: 'away',
    began: false,
    begin: () => {
      one.began = true;
    },
    giveUp: () => {},
  };
  return one;
}
const visits = (visitor: number, count: number) => Array.from({ length: count }, () => visit(visitor));
const begun = (all: readonly Visit[]) => all.filter(({ began }) => began).length;
const turn = () => new Promise(resolve => setImmediate(resolve));

describe('of fifty connections', () => {
  test('one visitor gets forty, and 400 places to wait, however many requests there are', () => {
    const queue = createQueue(50, () => 0);
    const greedy = visits(0, 500);
    expect(greedy.filter(one => queue.enter(one))).toHaveLength(40 + 400);
    expect(begun(greedy)).toBe(40);
    const other = visit(1);
    expect([queue.enter(other), other.began]).toEqual([true, true]);
  });

  test('one service gets no more, whoever asks for it', async () => {
    const queue = createQueue(50, () => 0);
    const hanging = Array.from({ length: 500 }, (_, visitor) => visit(visitor, 'hangs'));
    expect(hanging.filter(one => queue.enter(one))).toHaveLength(40 + 400);
    const neighbours = Array.from({ length: 11 }, (_, visitor) => visit(visitor, 'well'));
    for (const one of neighbours) expect(queue.enter(one)).toBe(true);
    expect([begun(hanging), begun(neighbours)]).toEqual([40, 10]);
    queue.leave(neighbours[0]!);
    await turn();
    expect([begun(hanging), begun(neighbours)]).toEqual([40, 11]);
  });

  test('all are used when there are enough visitors and services, and 500 more may wait', () => {
    const queue = createQueue(50, () => 0);
    const all = Array.from({ length: 100 }, (_, visitor) => visits(visitor, 10)).flat();
    expect(all.filter(one => queue.enter(one))).toHaveLength(50 + 500);
    expect(begun(all)).toBe(50);
  });
});

test('of few connections a single browser may use all', () => {
  const queue = createQueue(6, () => 0);
  const all = visits(0, 6);
  for (const one of all) queue.enter(one);
  expect(begun(all)).toBe(6);
});

test('a place that is given back goes to who has waited longest and has not had enough', async () => {
  const queue = createQueue(10, () => 0);
  const greedy = visits(0, 10);
  const others = Array.from({ length: 2 }, (_, index) => visit(index + 1));
  const late = visit(99);
  for (const one of [...greedy, ...others, late]) queue.enter(one);
  expect([begun(greedy), begun(others), late.began]).toEqual([8, 2, false]);
  queue.leave(others[0]!);
  queue.leave(others[0]!);
  await turn();
  expect([begun(greedy), late.began]).toEqual([8, true]);
  queue.leave(greedy[0]!);
  await turn();
  expect(begun(greedy)).toBe(9);
});

test('whatever happens, nobody has more than allowed, and no connection is idle while somebody may have it', async () => {
  const few = fc.integer({ min: 0, max: 3 });
  const step = fc.record({ visitor: few, service: few.map(String), leaves: fc.boolean(), which: fc.nat() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      const queue = createQueue(10, () => 0);
      const present: Visit[] = [];
      for (const { visitor, service, leaves, which } of steps) {
        if (leaves && present.length > 0) queue.leave(present.splice(which % present.length, 1)[0]!);
        else {
          const one = visit(visitor, service);
          if (queue.enter(one)) present.push(one);
        }
        await turn();
        const has = (part: 'visitor' | 'service', one: Visit) => begun(present.filter(other => other[part] === one[part]));
        expect(begun(present)).toBeLessThanOrEqual(10);
        for (const one of present) {
          const most = Math.max(has('visitor', one), has('service', one));
          expect(most).toBeLessThanOrEqual(8);
          if (begun(present) < 10 && most < 8) expect(one.began).toBe(true);
        }
      }
    }),
    { numRuns: 200 },
  );
});
