import { expect, test } from 'vitest';
import { createTrust } from '#gateway/trusted-proxies.ts';

test.each([
  ['127.0.0.1', true],
  ['::ffff:127.0.0.1', true],
  ['10.1.2.3', true],
  ['10.2.2.3', false],
  ['fd00::7', true],
  ['203.0.113.9', false],
  ['127.0.0.1, 203.0.113.9', false],
  ['not an address', false],
  ['', false],
  [undefined, false],
])('%j may say who the client is: %s, however often it is asked', (address, trusted) => {
  const trust = createTrust(['loopback', '10.1.0.0/16', 'fd00::/8']);
  for (let times = 0; times < 3; times += 1)
    expect([trust(address, 0), trust('127.0.0.1', 0), trust('203.0.113.9', 1)]).toEqual([trusted, true, false]);
});
