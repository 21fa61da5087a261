// Node below 24 cannot even read the TypeScript sources ("Unknown file extension .ts"), so this plain file looks first
// and then hands over to the program named on the command line, with the settings of a `.env` file where there is one.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  console.error(
    `This needs Node 24 or newer, and this is Node ${process.versions.node}: run it through npm (for example \`npm start\`), which uses the Node that \`npm ci\` installed.`,
  );
  process.exit(1);
}
// What is set already wins over the file.
if (existsSync('.env')) process.loadEnvFile('.env');
const program = process.argv[2];
process.argv.splice(1, 2, program);
await import(pathToFileURL(resolve(program)).href);
