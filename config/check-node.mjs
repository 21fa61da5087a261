// Node below 24 cannot even read the TypeScript sources ("Unknown file extension .ts"), and below 26 has no Temporal. So this plain
// file looks first, and then hands over to the program named on the command line, with the settings of a `.env` file where there is one.
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [major] = process.versions.node.split('.');
if (Number(major) < 26) {
  console.error(
    `This needs Node 26 or newer, and this is Node ${process.versions.node}: run \`npm ci\`, which brings the right one, and then start it through npm (for example \`npm start\`).`,
  );
  process.exit(1);
}
const { enableCompileCache } = await import('node:module');
// What was compiled for the last start need not be compiled for this one. In the checkout and not in the system's folder for temporary
// files, where another user could leave something for us to run; where this user cannot write, every start compiles anew.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)));
const { takeEnvFile } = await import('./env-file.ts');
try {
  for (const sentence of takeEnvFile('.env', process.env)) console.error(sentence);
} catch {
  console.error('The file .env cannot be read: make it readable for this user, or remove it and set the settings in the environment.');
  process.exit(1);
}
const program = process.argv[2];
process.argv.splice(1, 2, program);
await import(pathToFileURL(resolve(program)).href);
