import { compile } from '@fastify/proxy-addr';

const KEPT = 1_000;
const LONGEST_ADDRESS = 45;

/**
 * Whether somebody may say who the client is, by their address. Every request asks twice or more, and taking an address apart costs as
 * much as the decision whether its page may be opened: so the answer is remembered.
 * @param proxies addresses and networks, or names of them such as `loopback`
 */
export function createTrust(proxies: readonly string[]): (address: string | undefined, hop: number) => boolean {
  const trust = compile([...proxies]);
  const known = new Map<string, boolean>();
  return (address, hop) => {
    // Of a connection that was reset before anybody looked, the system does not say any more whose it was.
    if (address === undefined) return false;
    const remembered = known.get(address);
    if (remembered !== undefined) return remembered;
    const trusted = trust(address, hop);
    // What stands in X-Forwarded-For anybody can have written.
    if (address.length > LONGEST_ADDRESS) return trusted;
    if (known.size === KEPT) known.clear();
    known.set(address, trusted);
    return trusted;
  };
}
