import { runCommand } from './commands/commands.ts';

/** `npm run portal -- <command>`: what council operations do before there is anybody to sign in. */
// Whoever reads the answer may stop early, as `head` does; what was done stays done.
process.stdout.on('error', () => process.exit(1));

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  now: Date.now,
  print: line => void process.stdout.write(`${line}\n`),
  complain: line => void process.stderr.write(`${line}\n`),
});
