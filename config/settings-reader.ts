import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { settingsTable } from './settings-table.ts';

type Env = Record<string, string | undefined>;
export type Reader = ReturnType<typeof readerOf>;

/** One way to the value of a setting: its text, blank counting as not set, the default from the table, and checks that collect faults. */
export function readerOf(env: Env, faults: string[]) {
  const given = (name: string): string | null => {
    const row = settingsTable.find(entry => entry.name === name);
    if (!row) throw new Error(`${name} is not in the settings table`);
    return row.secret ? secretText(env, name, faults) : textOf(env, name);
  };
  const withDefault = (name: string) => given(name) ?? settingsTable.find(entry => entry.name === name)?.default ?? '';
  return {
    isSet: (name: string) => textOf(env, name) !== null || textOf(env, `${name}_FILE`) !== null,
    fault: (name: string, advice: string) => void faults.push(`${name}: ${advice}`),
    optional: (name: string) => given(name),
    text: withDefault,
    whole(name: string, least: number, most: number): number {
      const value = withDefault(name);
      if (/^\d{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most) return Number(value);
      faults.push(`${name}: must be a whole number from ${least} to ${most}`);
      return least;
    },
    oneOf<T extends string>(name: string, choices: readonly T[]): T {
      const found = choices.find(choice => choice === withDefault(name));
      if (found === undefined) faults.push(`${name}: must be one of ${choices.join(', ')}`);
      return found ?? (choices[0] as T);
    },
    url(name: string, schemes: readonly string[]): string | null {
      const value = given(name);
      if (value === null) return null;
      if (!URL.canParse(value) || !schemes.includes(new URL(value).protocol)) {
        // The value is not repeated: an address like this usually carries a password.
        faults.push(`${name}: must be an address that starts with ${schemes.map(scheme => `${scheme}//`).join(' or ')}`);
      }
      return value;
    },
  };
}

function textOf(env: Env, name: string): string | null {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? null : value;
}

function secretText(env: Env, name: string, faults: string[]): string | null {
  const file = textOf(env, `${name}_FILE`);
  const direct = textOf(env, name);
  if (file === null) return direct;
  if (direct !== null) {
    faults.push(`${name}: is set both directly and by ${name}_FILE; keep one of them`);
    return direct;
  }
  try {
    return readFileSync(file, 'utf8').trim() || null;
  } catch {
    faults.push(`${name}_FILE: the file ${file} cannot be read; check that it exists and who may read it`);
    return null;
  }
}

/** Whether only this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Whether an entry is an IP address, or a range such as 10.0.0.0/8. */
export function isAddressOrRange(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  // A range of 0 bits would let every client name its own address.
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (family === 4 ? 32 : 128));
}

/** The parts between commas, without spaces around them; empty ones do not count. */
export function commaList(text: string): string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
}
