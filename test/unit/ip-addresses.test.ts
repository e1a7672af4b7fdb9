// Networks as users write them, and the one spelling each has.
import { expect, test } from 'vitest';
import { canonical, cidr, toAddress, toNumber } from '../../lambdas/domain/ip-addresses.ts';

test.for([
  ['10.0.0.1/24', '10.0.0.0/24'],
  ['10.0.0.1', '10.0.0.1/32'],
  ['255.255.255.255/0', '0.0.0.0/0'],
  ['192.0.2.129/25', '192.0.2.128/25'],
  ['2001:DB8:0:0:0:0:0:1/64', '2001:db8::/64'],
  ['2001:db8::1', '2001:db8::1/128'],
  ['::/0', '::/0'],
  ['::ffff:192.0.2.1/120', '::ffff:192.0.2.0/120'],
] as const)('%s is %s', ([given, network]) => {
  expect(cidr().parse(given)).toBe(network);
  expect(cidr().parse(network)).toBe(network);
});

test.for([
  '',
  'here',
  '10.0.0.0/33',
  '::/129',
  '10.0.0/8',
  '10.0.0.0/',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  'fe80::1%eth0/64',
  '10.0.0.0/1e1',
  5,
  null,
  {},
])('%j is no network', (given) => {
  expect(cidr().safeParse(given).error?.issues[0]?.message).toBe('Value should be IPv4 or IPv6 CIDR format');
});

test('numbers and addresses are the same thing', () => {
  for (const address of ['0.0.0.0', '192.0.2.1', '255.255.255.255', '::', '::1', '2001:db8::ff00:42:8329']) {
    expect(toAddress(toNumber(address), address.includes(':') ? 6 : 4)).toBe(address);
  }
  expect(canonical('2001:0DB8::0:1')).toBe('2001:db8::1');
});
