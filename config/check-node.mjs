// Node below 24 cannot even read the TypeScript sources ("Unknown file extension .ts"), so this plain file looks first
// and then hands over to the program named on the command line.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  console.error(
    `This needs Node 24 or newer, and this is Node ${process.versions.node}: run it through npm (for example \`npm start\`), which uses the Node that \`npm ci\` installed.`,
  );
  process.exit(1);
}
const program = process.argv[2];
process.argv.splice(1, 2, program);
await import(pathToFileURL(resolve(program)).href);
