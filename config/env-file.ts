import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { settingsTable } from './settings-table.ts';

type Env = Record<string, string | undefined>;

/**
 * Takes the settings of a `.env` file, where there is one, into the environment; what is set already wins over the file. Returns
 * sentences about names that are no settings: a misspelled one would otherwise do nothing, and nobody would know.
 */
export function takeEnvFile(file: string, env: Env): string[] {
  if (!existsSync(file)) return [];
  // Node's own loader takes a byte order mark for the beginning of the first name.
  const entries = Object.entries(parseEnv(readFileSync(file, 'utf8').replace(/^\uFEFF/, '')));
  for (const [name, value] of entries) env[name] ??= value;
  return entries.flatMap(([name]) => (isSetting(name) ? [] : [`${file}: ${name} is not a setting; .env.example has them all.`]));
}

const isSetting = (name: string): boolean => settingsTable.some(row => name === row.name || name === `${row.name}_FILE`);
