// The gateway runs on the Node release pinned in package.json, which comes as one optional package per platform.
// npm links a package's `bin` only when a single package owns the name, and npm 10 drops the link when several
// optional ones do, so it is made here: `npm start` then finds the pinned `node` first on its PATH.
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';

const { platform, arch } = process;
const name = platform === 'darwin' ? `node-bin-darwin-${arch}` : `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
if (platform !== 'win32' && existsSync(`node_modules/${name}/bin/node`)) {
  mkdirSync('node_modules/.bin', { recursive: true });
  rmSync('node_modules/.bin/node', { force: true });
  symlinkSync(`../${name}/bin/node`, 'node_modules/.bin/node');
}
