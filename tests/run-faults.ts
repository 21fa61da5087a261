import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { filesWithFaults } from './faults/matrix.ts';

/** `npm run test:faults`: every test that shows a fault of the matrix and everything else in tests/faults, in its long form. */
const root = fileURLToPath(new URL('..', import.meta.url));
const projects = ['browser', 'faults', 'alone', 'gateway', 'fast'].flatMap(name => ['--project', name]);
const args = ['node_modules/vitest/vitest.mjs', 'run', ...projects, 'tests/faults/', ...filesWithFaults().keys()];
const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env: { ...process.env, LONG: '1' } });
child.once('exit', code => {
  process.exitCode = code ?? 1;
});
