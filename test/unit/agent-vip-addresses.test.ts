import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Configuration } from '../../amphora/agent/configuration.ts';
import { addressesIn, VipAddresses } from '../../amphora/agent/vip-addresses.ts';

const load_balancer_id = 'aaaaaaaa-0000-4000-8000-000000000001';
const vip = { load_balancer_id, ip_address: '10.0.0.9', epoch: 1 };
const holding = (text: string) => ({ vip, current: { load_balancer_id, text } as Configuration });

let said: string[];
const run = async (...words: string[]) => said.push(words.join(' '));
beforeEach(() => {
  said = [];
});

describe('addresses a configuration listens on', () => {
  test('are those of listeners, of both families and of every VIP', () => {
    const text = readFileSync('test/golden/haproxy/additional-vips.cfg', 'utf8');
    expect([...new Set(addressesIn(text))].sort()).toEqual(['127.0.0.1', '127.0.0.2', '::1']);
  });

  test('are those of UDP listeners, and not of their members', () => {
    const text = readFileSync('test/golden/keepalived/both-families.conf', 'utf8');
    expect([...new Set(addressesIn(text))].sort()).toEqual(['192.0.2.10', '192.0.2.11', '2001:db8::10']);
  });
});

describe('an amphora that puts VIPs on its interface', () => {
  test('has the VIP while it holds it, and each address once', async () => {
    const addresses = new VipAddresses({ vip_interface: 'lo' }, run);
    await addresses.follow({ vip, current: null });
    await addresses.follow(holding('    bind 10.0.0.9:80\n    bind [fd00::9]:80\n'));
    expect(said).toEqual(['address replace 10.0.0.9/32 dev lo', 'address replace fd00::9/128 dev lo nodad']);
    await addresses.follow({ vip: null, current: null });
    expect(said.slice(2)).toEqual(['address delete 10.0.0.9/32 dev lo', 'address delete fd00::9/128 dev lo']);
  });

  test('has none of a configuration whose VIP is elsewhere', async () => {
    const addresses = new VipAddresses({ vip_interface: 'lo' }, run);
    await addresses.follow({ ...holding('    bind 10.0.0.9:80\n'), vip: null });
    expect(said).toEqual([]);
  });

  test('tries again what could not be put there', async () => {
    let isRefused = true;
    const addresses = new VipAddresses({ vip_interface: 'lo' }, async (...words) => {
      if (isRefused) throw new Error('RTNETLINK answers: Operation not permitted');
      said.push(words.join(' '));
    });
    await expect(addresses.follow({ vip, current: null })).rejects.toThrow('not permitted');
    isRefused = false;
    await addresses.follow({ vip, current: null });
    expect(said).toEqual(['address replace 10.0.0.9/32 dev lo']);
  });

  test('touches no interface where it is told of none', async () => {
    await new VipAddresses({}, run).follow({ vip, current: null });
    expect(said).toEqual([]);
  });
});
