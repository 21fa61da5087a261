import { type ParseArgsConfig, parseArgs } from 'node:util';
import { OperatorFault } from '#config/operator-fault.ts';

/** What a command may touch of the process. Answers and links go to `print`, faults to `complain`. */
export type Surroundings = {
  env: Record<string, string | undefined>;
  now: () => number;
  print(line: string): void;
  complain(line: string): void;
};

/** Exit codes: everything is well; the command could not do its work; it did, and something needs a person's eyes or is not allowed. */
export const exits = { fine: 0, failed: 1, someRows: 2, notAllowed: 3 } as const;
export type Exit = (typeof exits)[keyof typeof exits];

export type Command = {
  /** How to call it, one line for each form. */
  usage: readonly string[];
  /** What else somebody needs to know who calls it for the first time. */
  notes?: readonly string[];
  run(args: string[], around: Surroundings): Promise<Exit>;
};

/** The command cannot do what was asked; its message is one sentence that says what to do. */
export class CommandFault extends OperatorFault {
  override name = 'CommandFault';
}

/** The command was called wrongly: its usage is shown as well. */
export class UsageFault extends OperatorFault {
  override name = 'UsageFault';
}

type Options = NonNullable<ParseArgsConfig['options']>;

/** Reads a command's arguments. Throws UsageFault when one is unknown, missing or too many. */
export function readArguments<const T extends Options>(args: string[], options: T, positionals: { least: number; most: number }) {
  const read = parse(args, options);
  if (read.positionals.length < positionals.least) throw new UsageFault('Something is missing.');
  if (read.positionals.length > positionals.most) throw new UsageFault(`"${read.positionals[positionals.most]}" is one word too many.`);
  return read;
}

function parse<const T extends Options>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error;
    // Node adds hints for programmers after its first sentence.
    throw new UsageFault(`${message.split(/\. |\n/, 1)[0]?.replace(/\.$/, '')}.`);
  }
}
