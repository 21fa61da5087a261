import { compile } from '@fastify/proxy-addr';
import { remembered } from './remembered.ts';

/**
 * Whether somebody may say who the client is, by their address. Every request asks twice or more, and taking an address apart costs as
 * much as the decision whether its page may be opened: so the answer is remembered.
 * @param proxies addresses and networks, or names of them such as `loopback`
 */
export function createTrust(proxies: readonly string[]): (address: string | undefined, hop: number) => boolean {
  const compiled = compile([...proxies]);
  // How many proxies lie between does not count for addresses and networks.
  const trust = remembered(address => compiled(address, 0));
  // Of a connection that was reset before anybody looked, the system does not say any more whose it was.
  return address => address !== undefined && trust(address);
}
