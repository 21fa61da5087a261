/** Tests of what can fail ask for seconds what `npm run test:faults` asks for minutes, with LONG=1. */
export const long = process.env.LONG === '1';
