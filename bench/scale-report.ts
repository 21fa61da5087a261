import { availableParallelism, cpus, loadavg } from 'node:os';
import type { Stall } from './loop-watch.ts';

type Row = { figure: string; asked: string; seen: string; missed: boolean };

/** What was asked and seen of a county, said at once and printed as a table at the end. */
type Report = {
  say(what: string): void;
  /** A figure that depends on the machine: for a person to read. */
  time(figure: string, asked: string, seen: string): void;
  /** One that does not: too much of it is a fault. */
  must(figure: string, most: number, unit: string, seen: number): void;
  /** Prints the table, and complains of what was missed. Returns whether nothing was. */
  end(): boolean;
};

export function beginReport(): Report {
  const rows: Row[] = [];
  const load = loadavg()[0]!.toFixed(1);
  const say = (what: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${what}`);
  function add(row: Row) {
    rows.push(row);
    say(`${row.figure}: ${row.seen}`);
  }
  return {
    say,
    time: (figure, asked, seen) => add({ figure, asked, seen, missed: false }),
    must: (figure, most, unit, seen) =>
      add({ figure, asked: `≤ ${most}${unit}`, seen: `${Math.round(seen * 10) / 10}${unit}`, missed: seen > most }),
    end() {
      console.log('\n| figure | asked | seen |\n| --- | --: | --: |');
      for (const { figure, asked, seen } of rows) console.log(`| ${figure} | ${asked} | ${seen} |`);
      console.log(`\n${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}.`);
      console.log(`Load average before ${load}, after ${loadavg()[0]!.toFixed(1)}.`);
      const missed = rows.filter(row => row.missed);
      for (const { figure, asked, seen } of missed) console.error(`Missed: ${figure}: ${seen} instead of ${asked}`);
      return missed.length === 0;
    },
  };
}

/** The value below which that part of all lies. */
export function at(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

export const ms = (value: number) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
export const sayStall = ({ stallMs, ownMs }: Stall) => `${ms(stallMs)} (at most ${ms(ownMs)} of its own)`;
