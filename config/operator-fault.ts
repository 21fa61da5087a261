/**
 * Something stops us that whoever runs the installation can mend: a setting, a file, a folder, a key, a word on the command line.
 * The message says in a sentence what to do, so it is all that is shown; of any other error the stack is what helps.
 */
export class OperatorFault extends Error {
  override name = 'OperatorFault';
  /** Where there are several: each in a sentence of its own. */
  readonly faults?: readonly string[];
}
