import { monitorEventLoopDelay } from 'node:perf_hooks';

// Loaded before a gateway: answers every message with the longest wait of its event loop since the last one, its
// memory, and the processor time it has taken so far.
const RESOLUTION_MS = 2;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();

export type LoopState = { stallMs: number; rssMiB: number; cpuMs: number };

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  const stallMs = Math.max(0, delay.max / 1e6 - RESOLUTION_MS);
  const state: LoopState = { stallMs, rssMiB: process.memoryUsage.rss() / 2 ** 20, cpuMs: (user + system) / 1000 };
  delay.reset();
  process.send?.(state);
});
process.channel?.unref();
