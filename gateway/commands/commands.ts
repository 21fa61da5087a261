import { OperatorFault } from '#config/operator-fault.ts';
import { isBusy } from '#store/sqlite-busy.ts';
import { type Command, exits, type Surroundings, UsageFault } from './command.ts';

type Entry = { what: string; load(): Promise<Command> };

const commands: Record<string, Entry> = {
  check: { what: 'Check the settings, the catalogue and the data.', load: async () => (await import('./check.ts')).check },
  import: {
    what: 'Import people from a CSV file; a dry run unless --apply is given.',
    load: async () => (await import('./import.ts')).importPeople,
  },
  subscribe: {
    what: 'Let an organisation have a service, or take it away.',
    load: async () => (await import('./subscribe.ts')).subscribing,
  },
  council: { what: 'Say who runs the portal for the council.', load: async () => (await import('./council.ts')).council },
  link: { what: 'Print a fresh link to choose a password.', load: async () => (await import('./link.ts')).link },
  people: {
    what: 'Find people by name, user ID or email address, in every organisation.',
    load: async () => (await import('./people.ts')).people,
  },
  explain: { what: 'Say what an address is, and who may open it and why.', load: async () => (await import('./explain.ts')).explain },
  backup: {
    what: 'Write everything that is kept to a folder, while the gateway runs.',
    load: async () => (await import('./backup.ts')).backup,
  },
  restore: { what: 'Begin an empty installation from such a folder.', load: async () => (await import('./restore.ts')).restore },
  export: { what: 'Print every rule that holds, as Casbin reads it.', load: async () => (await import('./export.ts')).exportRules },
};

const call = 'npm run portal --';

/** Runs one command and returns the exit code. Every fault becomes one sentence; stacks are of no use to who reads them here. */
export async function runCommand([name, ...args]: string[], around: Surroundings): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    around.print(usageOfAll());
    return name === undefined ? exits.failed : exits.fine;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) {
    around.complain(`There is no command "${name}".\n\n${usageOfAll()}`);
    return exits.failed;
  }
  const command = await entry.load();
  if (args.includes('--help')) {
    around.print([entry.what, '', usageOf(command), ...(command.notes ?? [])].join('\n'));
    return exits.fine;
  }
  try {
    return await command.run(args, around);
  } catch (error) {
    around.complain(error instanceof UsageFault ? `${error.message}\n${usageOf(command)}` : sentenceOf(error));
    return exits.failed;
  }
}

function usageOf({ usage }: Command): string {
  return ['Usage:', ...usage.map(line => `  ${call} ${line}`)].join('\n');
}

function usageOfAll(): string {
  const rows = Object.entries(commands).map(([name, { what }]) => `  ${name.padEnd(10)} ${what}`);
  return [`Usage: ${call} <command>`, '', ...rows, '', `${call} <command> --help says how to call one.`].join('\n');
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof OperatorFault) return error.message;
  if (isBusy(error)) return 'The data are in use by somebody else: wait a moment and try again.';
  const { code } = error as NodeJS.ErrnoException;
  if (/^(ECONN|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT)/.test(code ?? '')) return `The database cannot be reached (${code}): check DATABASE_URL.`;
  const what = error instanceof AggregateError ? error.errors.map(String).join(', ') : error.message;
  return `That did not work: ${what.split('\n', 1)[0] || code || error.name}.`;
}
