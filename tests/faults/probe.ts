import { ask } from '#tests/raw-http.ts';

/** One question and its answer: `at` is when it began, by the monotonic clock; `got` is 0 when there was none. */
export type Asked = { at: number; expected: 'allowed' | 'refused'; got: number; tookMs: number };
/** Somebody who asks for a page: where, and what their browser sends. */
export type Asker = { port: number; host: string; path: string; headers: readonly (readonly [string, string])[] };

export type Probe = {
  asked: readonly Asked[];
  /** Answers that show a page to somebody who may not see it. */
  wrongAllows(): Asked[];
  /** Answers to whoever may see it that did not show it. */
  failures(): Asked[];
  /** Stops asking, once the last question has its answer. */
  stop(): Promise<void>;
};

const EVERY_MS = 50;

/**
 * Asks twenty times a second for as long as a fault lasts, in turn as somebody who may see their page and as somebody who may not, each
 * time on a connection of its own and without waiting for the answer before.
 */
export function startProbe(allowed: readonly Asker[], refused: readonly Asker[]): Probe {
  const asked: Asked[] = [];
  const open = new Set<Promise<void>>();
  let turn = 0;
  const one = async (expected: Asked['expected'], asker: Asker) => {
    const at = performance.now();
    const got = await statusFor(asker);
    asked.push({ at, expected, got, tookMs: performance.now() - at });
  };
  const timer = setInterval(() => {
    const round = Math.floor(turn / 2);
    const asking = turn++ % 2 === 0 ? one('allowed', allowed[round % allowed.length]!) : one('refused', refused[round % refused.length]!);
    open.add(asking);
    void asking.finally(() => open.delete(asking));
  }, EVERY_MS);
  return {
    asked,
    wrongAllows: () => asked.filter(({ expected, got }) => expected === 'refused' && got === 200),
    failures: () => asked.filter(({ expected, got }) => expected === 'allowed' && got !== 200),
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

/** 0 for whatever is no answer: a gateway that is gone, a connection that was cut. */
async function statusFor({ port, host, path, headers }: Asker): Promise<number> {
  const answer = await ask(port, { target: path, host, headers: [['Accept', 'text/html'], ...headers] }).catch(() => null);
  return answer?.status ?? 0;
}

/** What a run of questions shows, in a line. */
export function sayProbe({ asked, wrongAllows }: Probe): string {
  const took = asked.map(({ tookMs }) => tookMs).toSorted((one, other) => one - other);
  const counts = Object.entries(Object.groupBy(asked, ({ expected, got }) => `${expected} ${got}`)).map(
    ([kind, some = []]) => `${kind}: ${some.length}`,
  );
  return `${asked.length} questions, ${wrongAllows().length} wrong allows, longest ${Math.round(took.at(-1) ?? 0)} ms (${counts.join(', ')})`;
}
