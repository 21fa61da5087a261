import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import manifest from '../package.json' with { type: 'json' };

/** What a reader needs to judge the figures; nothing that names the machine. */
export type Machine = {
  processor: string;
  cores: number;
  platform: string;
  loadAverageBefore: number;
  versions: Record<string, string>;
};

/** @param packages of Debian whose versions matter as well */
export function describeMachine(packages: readonly string[]): Machine {
  const { fastify, '@fastify/http-proxy': httpProxy, undici, casbin } = manifest.dependencies;
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
    loadAverageBefore: loadavg()[0] ?? 0,
    versions: { Node: process.version.slice(1), fastify, '@fastify/http-proxy': httpProxy, undici, casbin, ...debianVersions(packages) },
  };
}

function debianVersions(packages: readonly string[]): Record<string, string> {
  if (packages.length === 0) return {};
  const { stdout } = spawnSync('dpkg-query', ['-W', ...packages], { encoding: 'utf8' });
  const lines = (stdout ?? '').split('\n').filter(line => line.includes('\t'));
  return Object.fromEntries(lines.map(line => line.split('\t') as [string, string]));
}

/** The same in sentences, and how the run was made. */
export function sentences(machine: Machine, pinned: boolean, run: string): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${run} ${machine.cores} cores (${machine.processor}), ${machine.platform}. ${versions.join(', ')}.`,
    pinned
      ? 'Load generator and upstream on one core, the system under test on another.'
      : 'Not pinned (that needs taskset and two cores): the systems share their cores with the load generator.',
    process.platform === 'linux' ? '' : 'Processor time is read from /proc, which this platform does not have.',
    `Load average before the run: ${machine.loadAverageBefore.toFixed(1)}; above 0.5, the machine was doing other work too.`,
  ].join('\n');
}
