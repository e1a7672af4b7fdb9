import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../lambdas/domain/ip-addresses.ts';
import { NoopNetworkDriver } from '../../lambdas/drivers/network/noop.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { wanted } from '../support/vip-requests.ts';

const clock = { now: () => 1_700_000_000_000 };
const newId = () => randomUUID();

describe('addresses', () => {
  it('are unique across restarts of the service', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'network-'));
    const open = () => new SqliteTable({ path: join(directory, 'table.db') });
    const addresses: string[] = [];
    for (let start = 0; start < 3; start += 1) {
      const table = open();
      const network = new NoopNetworkDriver({ table, clock, newId });
      const [subnet] = await network.listSubnets();
      for (let n = 0; n < 5; n += 1) {
        addresses.push((await network.allocateVip(wanted({ subnet_id: subnet!.id }))).vip_address);
      }
      await table.close();
    }
    expect(new Set(addresses).size).toBe(15);
    rmSync(directory, { recursive: true });
  });

  it('come from the subnet of the right family when a network has several', async () => {
    const table = new SqliteTable({ path: ':memory:' });
    const subnets = ['2001:db8::/64', '198.18.0.0/24', '198.18.1.0/24'];
    const settings = subnets.map((cidr, n) => ({ name: `subnet-${n}`, network_name: 'net', cidr }));
    const network = new NoopNetworkDriver({ table, clock, newId, subnets: settings });
    const [six] = await network.listSubnets();
    const network_id = six!.network_id;
    const asked = [{ network_id }, { subnet_id: six!.id }, { network_id, address: '198.18.1.9' }];
    const vips = await Promise.all(asked.map((request) => network.allocateVip(wanted(request))));
    expect(vips.map((vip) => vip.vip_address)).toEqual(['198.18.0.1', '2001:db8::1', '198.18.1.9']);
    const address = '2001:DB8:0:0::FF';
    expect((await network.allocateVip(wanted({ network_id, address }))).vip_address).toBe('2001:db8::ff');
    await table.close();
  });

  it('have one spelling', () => {
    expect(canonical('2001:0db8:0000::0001')).toBe('2001:db8::1');
    expect(canonical('::ffff:192.0.2.1')).toBe('::ffff:192.0.2.1');
    expect(canonical('192.0.2.1')).toBe('192.0.2.1');
  });
});
