import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeEnvFile } from '#config/env-file.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'portal-env-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const fileOf = (content: string) => {
  const file = join(dir, '.env');
  writeFileSync(file, content);
  return file;
};

test('the file sets what the environment does not, however an editor wrote it', () => {
  const env: Record<string, string | undefined> = { HOST: '::1', LOG_LEVEL: undefined };
  expect(takeEnvFile(fileOf('\uFEFFPORT=8081\r\nHOST=127.0.0.1\r\nLOG_LEVEL="warn" # fewer lines\r\n'), env)).toEqual([]);
  expect(env).toEqual({ PORT: '8081', HOST: '::1', LOG_LEVEL: 'warn' });
});

test('a name that is no setting is told, and taken over all the same', () => {
  const env: Record<string, string | undefined> = {};
  const file = fileOf('SESSION_IDEL_MINUTES=5\nSMTP_URL_FILE=/run/smtp\n');
  expect(takeEnvFile(file, env)).toEqual([`${file}: SESSION_IDEL_MINUTES is not a setting; .env.example has them all.`]);
  expect(env.SESSION_IDEL_MINUTES).toBe('5');
});

test('no file is nothing to say, and one that cannot be read is a fault', () => {
  expect(takeEnvFile(join(dir, 'nowhere'), {})).toEqual([]);
  mkdirSync(join(dir, 'folder'));
  expect(() => takeEnvFile(join(dir, 'folder'), {})).toThrow();
});
