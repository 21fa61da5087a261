const EVERY_MS = 2;

/**
 * `stallMs` is the longest wait between two turns of the event loop, `ownMs` the most processor time that its thread took between two.
 * The second is of its own making; the rest of a stall it waited for a processor that others had.
 */
export type Stall = { stallMs: number; ownMs: number };
export type LoopState = Stall & { rssMiB: number; cpuMs: number };

/** Watches the event loop of this thread from now on. Every call tells of the time since the last one. */
export function watchLoop(): () => Stall {
  let longest: Stall = { stallMs: 0, ownMs: 0 };
  let before = { at: performance.now(), taken: ownTime() };
  const turn = () => {
    const now = { at: performance.now(), taken: ownTime() };
    longest = {
      stallMs: Math.max(longest.stallMs, now.at - before.at - EVERY_MS),
      ownMs: Math.max(longest.ownMs, now.taken - before.taken),
    };
    before = now;
  };
  setInterval(turn, EVERY_MS).unref();
  return () => {
    turn();
    const told = longest;
    longest = { stallMs: 0, ownMs: 0 };
    return told;
  };
}

function ownTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

// Loaded before a gateway, it answers every message with the state since the last one.
if (process.send) {
  const stall = watchLoop();
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ ...stall(), rssMiB: process.memoryUsage.rss() / 2 ** 20, cpuMs: (user + system) / 1000 } satisfies LoopState);
  });
  process.channel?.unref();
}
