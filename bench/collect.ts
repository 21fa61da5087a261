import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Loaded into a gateway before its own modules (`--import`): on SIGURG, which means nothing to it, it collects all garbage, so that what
// it holds can be told from what has not been collected yet.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;
process.on('SIGURG', () => collect({ type: 'major', execution: 'sync', flavor: 'last-resort' }));
