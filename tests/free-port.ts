import { once } from 'node:events';
import { createServer } from 'node:net';

// Below what systems give to whoever asks for any port: so nobody is given one while the program on it starts again. Each worker of
// vitest goes through two thousand of its own.
const LOWEST = 20_000;
const OWN = 2_000;
const WORKERS = 6;
const first = LOWEST + (Number(process.env.VITEST_POOL_ID ?? 0) % WORKERS) * OWN;
let next = Math.floor(Math.random() * OWN);

/** A port nobody listens on, for programs and addresses that must know theirs before anybody listens. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < OWN; tries += 1) {
    const port = first + (next++ % OWN);
    if (await isFree(port)) return port;
  }
  throw new Error(`From ${first} on, ${OWN} ports are taken.`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
