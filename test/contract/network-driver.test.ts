import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiError, Superseded } from '../../lambdas/domain/errors.ts';
import { NoopNetworkDriver } from '../../lambdas/drivers/network/noop.ts';
import { AnyIdNetworkDriver } from '../../lambdas/drivers/network/noop-any-id.ts';
import type { TableNetworkDriver } from '../../lambdas/drivers/network/table-network.ts';
import type { VpcNetworkDriver } from '../../lambdas/drivers/network/vpc.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { LoopbackNetworkDriver } from '../../local/network/loopback-network.ts';
import { wanted } from '../support/vip-requests.ts';
import { VpcUnderContract } from '../support/vpc-under-contract.ts';

type Fence = (amphoraId: string) => Promise<void>;
const clock = { now: () => 1_700_000_000_000 };
const newId = () => randomUUID();

const vpc = await VpcUnderContract.start();
afterAll(() => vpc[Symbol.asyncDispose]());

type Make = (table: SqliteTable, cidr: string) => TableNetworkDriver | VpcNetworkDriver;
const implementations: Record<string, Make> = {
  noop: (table, cidr) =>
    new NoopNetworkDriver({ table, clock, newId, subnets: [{ name: 'vip-subnet', network_name: 'vip-net', cidr }] }),
  'noop with any id': (table, cidr) =>
    new AnyIdNetworkDriver({ table, clock, newId, subnets: [{ name: 'vip-subnet', network_name: 'vip-net', cidr }] }),
  loopback: (table, cidr) => new LoopbackNetworkDriver({ table, clock, newId, cidr, fence: async () => {} }),
  vpc: (table, cidr) => vpc.driver({ table, clock, newId }, cidr),
};

/** A subnet of its own lacks the first address and the last; a range that is reserved in a larger subnet is handed out whole. */
const edgeOf = (name: string): 0 | 1 => (name === 'vpc' ? 0 : 1);

/** Those that take only what there is. */
const strict = Object.entries(implementations).filter(([name]) => name !== 'noop with any id');

const refusal = (status: number, faultstring: string | RegExp) =>
  expect.objectContaining({ name: 'ApiError', status, faultstring: expect.stringMatching(faultstring) });
const amphora = (id: string) => ({ id, compute_id: `c-${id}`, lb_network_ip: '127.0.0.1', vrrp_port_id: randomUUID() });
const unknownId = '00000000-0000-4000-8000-000000000000';

describe.each(Object.entries(implementations))('network driver: %s', (name, make) => {
  const edge = edgeOf(name);
  const addressOf = (number: number) => `127.90.0.${edge + number}`;
  let table: SqliteTable;
  let network: ReturnType<Make>;
  let subnet_id: string;
  let network_id: string;

  beforeEach(async () => {
    table = new SqliteTable({ path: ':memory:' });
    network = make(table, '127.90.0.0/24');
    [{ id: subnet_id, network_id } = { id: '', network_id: '' }] = await network.listSubnets();
  });
  afterEach(() => table.close());

  it('has the same subnet after every restart', async () => {
    const again = await make(table, '127.90.0.0/24').listSubnets();
    expect(again).toEqual(await network.listSubnets());
    expect(await network.getSubnet(subnet_id)).toMatchObject({
      id: subnet_id,
      network_id,
      name: 'vip-subnet',
      network_name: 'vip-net',
      cidr: '127.90.0.0/24',
      ip_version: 4,
    });
    expect(subnet_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('allocates the lowest free address, by subnet or by network', async () => {
    const first = await network.allocateVip(wanted({ subnet_id }));
    const second = await network.allocateVip(wanted({ network_id }));
    expect([first.vip_address, second.vip_address]).toEqual([addressOf(0), addressOf(1)]);
    expect(first).toMatchObject({ vip_subnet_id: subnet_id, vip_network_id: network_id });
  });

  it('answers the same load balancer with the same VIP, at once and after a restart', async () => {
    const request = wanted({ subnet_id });
    const answers = await Promise.all([1, 2, 3].map(() => network.allocateVip(request)));
    answers.push(await make(table, '127.90.0.0/24').allocateVip(request));
    expect(new Set(answers.map((vip) => JSON.stringify(vip))).size).toBe(1);
    expect(await network.listVips()).toEqual([
      { load_balancer_id: request.load_balancer_id, vip: answers[0], allocated_at: clock.now() },
    ]);
    expect((await network.allocateVip(wanted({ subnet_id }))).vip_address).toBe(addressOf(1));
  });

  it('never gives an address twice to 50 that ask at once, of two processes', async () => {
    const other = make(table, '127.90.0.0/24');
    const asked = Array.from({ length: 50 }, (_, n) => (n % 2 ? other : network).allocateVip(wanted({ subnet_id })));
    const addresses = (await Promise.all(asked)).map((vip) => vip.vip_address);
    expect(new Set(addresses).size).toBe(50);
  });

  it('gives every address of a subnet once, and then no more', async () => {
    const tiny = make(table, '127.91.0.0/28');
    const asked = Array.from({ length: 17 - 2 * edge }, () => tiny.allocateVip(wanted({ network_id })));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(16 - 2 * edge);
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    expect(refused?.reason).toEqual(refusal(409, /^No more IP addresses available on network/));
  });

  it('finds what another process gave back to a full subnet', async () => {
    const [one, other] = [make(table, '127.91.0.0/29'), make(table, '127.91.0.0/29')];
    const requests = Array.from({ length: 8 - 2 * edge }, () => wanted({ network_id }));
    const vips = await Promise.all(requests.map((request) => one.allocateVip(request)));
    await other.releaseVip(requests[2]!.load_balancer_id, vips[2]!);
    expect((await one.allocateVip(wanted({ network_id }))).vip_address).toBe(vips[2]!.vip_address);
  });

  it('allocates the address that is asked for, once', async () => {
    const vip = await network.allocateVip(wanted({ subnet_id, address: '127.90.0.77' }));
    expect(vip.vip_address).toBe('127.90.0.77');
    await expect(network.allocateVip(wanted({ network_id, address: '127.90.0.77' }))).rejects.toEqual(
      refusal(409, /^The VIP IP address is already in use: /),
    );
  });

  const outside = ['127.90.1.1', '2001:db8::1', ...(edge === 1 ? ['127.90.0.0', '127.90.0.255'] : ['127.89.255.255'])];
  it.each(outside)('refuses %s', async (address) => {
    await expect(network.allocateVip(wanted({ subnet_id, address }))).rejects.toEqual(refusal(400, 'not a valid IP'));
    await expect(network.allocateVip(wanted({ network_id, address }))).rejects.toEqual(
      refusal(400, 'does not contain a subnet for VIP address'),
    );
  });

  it('takes a port that is there and unattached, and leaves it when the VIP is released', async () => {
    const port = await network.addresses.createPort(subnet_id);
    const request = wanted({ port_id: port.id });
    const vip = await network.allocateVip(request);
    expect(vip).toMatchObject({ vip_address: port.address, vip_port_id: port.id, vip_subnet_id: subnet_id });
    expect(await network.allocateVip(request)).toEqual(vip);
    await expect(network.allocateVip(wanted({ port_id: port.id }))).rejects.toEqual(refusal(409, 'already in use'));
    await network.releaseVip(request.load_balancer_id, vip);
    expect((await network.addresses.getPort(port.id)).device_id).toBe(null);
    expect((await network.allocateVip(wanted({ port_id: port.id }))).vip_port_id).toBe(port.id);
  });

  it('refuses a port that contradicts the rest of the request', async () => {
    const port = await network.addresses.createPort(subnet_id);
    for (const wrong of [{ network_id: unknownId }, { subnet_id: unknownId }, { address: '127.90.0.200' }]) {
      await expect(network.allocateVip(wanted({ port_id: port.id, ...wrong }))).rejects.toMatchObject({ status: 400 });
    }
  });

  it('knows no security groups and QoS policies it was not told of', async () => {
    const unknown = (noun: string) => refusal(400, `^${noun} ${unknownId} not found\\.$`);
    await expect(network.checkSecurityGroup(unknownId)).rejects.toEqual(unknown('Security Group'));
    await expect(network.checkQosPolicy(unknownId)).rejects.toEqual(unknown('qos_policy'));
  });

  it('releases a VIP once, and gives its address again', async () => {
    const request = wanted({ subnet_id });
    const vip = await network.allocateVip(request);
    await network.plugVip(request.load_balancer_id, vip, amphora('a'));
    await network.releaseVip(request.load_balancer_id, vip);
    const next = await network.allocateVip(wanted({ subnet_id }));
    expect(next.vip_address).toBe(vip.vip_address);
    await network.releaseVip(request.load_balancer_id, vip);
    await expect(network.allocateVip(wanted({ subnet_id, address: next.vip_address }))).rejects.toThrow(ApiError);
  });

  it('gives an amphora one interface, until it is unplugged', async () => {
    const request = wanted({ subnet_id });
    const vip = await network.allocateVip(request);
    const plug = (id: string) => network.plugVip(request.load_balancer_id, vip, amphora(id));
    const [first, again, other] = await Promise.all([plug('a'), plug('a'), plug('b')]);
    expect(again).toEqual(first);
    expect(new Set([vip.vip_address, first.vrrp_ip, other.vrrp_ip]).size).toBe(3);
    await network.unplugVip(request.load_balancer_id, vip, 'a');
    await network.unplugVip(request.load_balancer_id, vip, 'a');
    expect((await plug('c')).vrrp_ip).not.toBe(other.vrrp_ip);
  });

  describe('whose VIP', () => {
    const lb = randomUUID();
    const setUp = async () => {
      const driver = make(table, '127.90.0.0/24');
      const vip = await driver.allocateVip(wanted({ load_balancer_id: lb, subnet_id }));
      const take = (id: string, epoch: number) => driver.takeVip(lb, vip, amphora(id), epoch);
      return { driver, vip, take, owner: () => driver.vipOwner(lb) };
    };

    it('has no owner until it is taken, and then the last one that took it', async () => {
      const { take, owner } = await setUp();
      expect(await owner()).toBe(null);
      await take('a', 1);
      await take('a', 1);
      expect(await owner()).toBe('a');
      await take('b', 2);
      expect(await owner()).toBe('b');
    });

    it('does not move for a lower epoch, nor for another amphora at the same one', async () => {
      const { take, owner } = await setUp();
      await take('a', 5);
      await expect(take('b', 4)).rejects.toThrow(Superseded);
      await expect(take('b', 5)).rejects.toThrow(Superseded);
      expect(await owner()).toBe('a');
    });

    it('ends up with the highest epoch when many take it at once', async () => {
      const { take, owner } = await setUp();
      const takes = Array.from({ length: 10 }, (_, epoch) => take(`amphora-${epoch}`, epoch));
      await Promise.allSettled(takes);
      expect(await owner()).toBe('amphora-9');
    });

    it('has no owner when that is unplugged, and does not forget the epoch', async () => {
      const { driver, vip, take, owner } = await setUp();
      await take('a', 5);
      await driver.unplugVip(lb, vip, 'a');
      expect(await owner()).toBe(null);
      await expect(take('b', 4)).rejects.toThrow(Superseded);
      await take('b', 6);
      expect(await owner()).toBe('b');
    });

    it('cannot be taken once it was released', async () => {
      const { driver, vip, take } = await setUp();
      await driver.releaseVip(lb, vip);
      await expect(take('a', 1)).rejects.toThrow(Superseded);
    });
  });
});

describe.each(Object.entries(implementations).filter(([name]) => name !== 'vpc'))(
  'network driver: %s',
  (_name, make) => {
    it('gives the address of an interface again when its amphora was unplugged', async () => {
      const network = make(new SqliteTable({ path: ':memory:' }), '127.90.0.0/24');
      const [{ id: subnet_id } = { id: '' }] = await network.listSubnets();
      const request = wanted({ subnet_id });
      const vip = await network.allocateVip(request);
      const plug = (id: string) => network.plugVip(request.load_balancer_id, vip, amphora(id));
      const first = await plug('a');
      await network.unplugVip(request.load_balancer_id, vip, 'a');
      expect((await plug('c')).vrrp_ip).toBe(first.vrrp_ip);
    });
  },
);

describe('taking a VIP on loopback', () => {
  const lb = randomUUID();
  const setUp = async (fence: Fence) => {
    const table = new SqliteTable({ path: ':memory:' });
    const driver = new LoopbackNetworkDriver({ table, clock, newId, fence });
    const [subnet] = await driver.listSubnets();
    const vip = await driver.allocateVip(wanted({ load_balancer_id: lb, subnet_id: subnet!.id }));
    const take = (id: string, epoch: number, leaving: string | null = null) =>
      driver.takeVip(lb, vip, amphora(id), epoch, leaving);
    return { driver, vip, take };
  };

  it('fences everyone who had it, and the owner when it is released', async () => {
    const fenced: string[] = [];
    const { driver, vip, take } = await setUp(async (id) => void fenced.push(id));
    await take('a', 1);
    expect(fenced).toEqual([]);
    await take('b', 2);
    expect(fenced).toEqual(['a']);
    await expect(take('c', 1)).rejects.toThrow(Superseded);
    expect(fenced).toEqual(['a']);
    await driver.releaseVip(lb, vip);
    expect(fenced).toEqual(['a', 'b']);
  });

  it('is completed by the next try when the first one was cut short', async () => {
    const fenced: string[] = [];
    let isBroken = true;
    const { driver, take } = await setUp(async (id) => {
      if (isBroken) throw new Error('killed here');
      fenced.push(id);
    });
    await take('a', 1);
    await expect(take('b', 2)).rejects.toThrow('killed here');
    isBroken = false;
    await take('b', 2);
    expect(fenced).toEqual(['a']);
    expect(await driver.vipOwner(lb)).toBe('b');
  });

  it('spares the one that leaves by itself, and nobody else, until it is asked again without', async () => {
    const fenced: string[] = [];
    const { driver, take } = await setUp(async (id) => void fenced.push(id));
    await take('a', 1);
    await take('b', 2, 'a');
    expect([await driver.vipOwner(lb), ...fenced]).toEqual(['b']);
    await take('c', 3, 'a');
    expect([await driver.vipOwner(lb), ...fenced]).toEqual(['c', 'b']);
    await take('c', 3);
    expect(fenced).toEqual(['b', 'a']);
  });

  it('fences one that was to leave when the VIP goes on to the next', async () => {
    const fenced: string[] = [];
    const { take } = await setUp(async (id) => void fenced.push(id));
    await take('a', 1);
    await take('b', 2, 'a');
    await expect(take('b', 1)).rejects.toThrow(Superseded);
    await take('c', 3);
    expect(fenced.toSorted()).toEqual(['a', 'b']);
  });

  it('fences an amphora that was unplugged when another one takes it', async () => {
    const fenced: string[] = [];
    const { driver, vip, take } = await setUp(async (id) => void fenced.push(id));
    await take('a', 1);
    await driver.unplugVip(lb, vip, 'a');
    await take('b', 2);
    expect(fenced).toEqual(['a']);
  });
});

describe.each(strict)('network driver: %s', (_name, make) => {
  it('refuses what is not there', async () => {
    const table = new SqliteTable({ path: ':memory:' });
    const network = make(table, '127.90.0.0/24');
    const [{ id: subnet_id } = { id: '' }] = await network.listSubnets();
    const texts = { subnet_id: 'Subnet', network_id: 'Network', port_id: 'Port' };
    for (const [field, resource] of Object.entries(texts)) {
      await expect(network.allocateVip(wanted({ [field]: unknownId }))).rejects.toEqual(
        refusal(400, `^${resource} ${unknownId} not found\\.$`),
      );
    }
    await expect(network.allocateVip(wanted({ subnet_id, network_id: unknownId }))).rejects.toThrow(ApiError);
    await expect(network.getSubnet(unknownId)).rejects.toEqual(refusal(400, `^Subnet ${unknownId} not found\\.$`));
    await table.close();
  });
});

describe('additional VIPs', () => {
  const subnets = ['127.92.0.0/24', '127.92.1.0/24', '2001:db8::/64'].map((cidr, number) => ({
    name: `subnet-${number}`,
    network_name: 'vip-net',
    cidr,
  }));
  let network: TableNetworkDriver;
  let ids: string[];
  beforeEach(async () => {
    network = new NoopNetworkDriver({ table: new SqliteTable({ path: ':memory:' }), clock, newId, subnets });
    ids = (await network.listSubnets()).map(({ id }) => id);
  });
  const wish = (subnet_id: string, ip_address: string | null = null, port_id: string | null = null) => ({
    subnet_id,
    ip_address,
    port_id,
  });

  it('are the same when asked for again, as after a crash half-way', async () => {
    const first = wanted({ subnet_id: ids[0]!, additional_vips: [wish(ids[1]!)] });
    const vip = await network.allocateVip(first);
    const whole = { ...first, additional_vips: [wish(ids[1]!), wish(ids[2]!)] };
    const again = await network.allocateVip(whole);
    expect(again.vip_port_id).toBe(vip.vip_port_id);
    expect(again.additional_vips?.map((one) => one.ip_address)).toEqual(['127.92.1.1', '2001:db8::1']);
    expect(again.additional_vips?.[0]).toEqual(vip.additional_vips?.[0]);
    expect(await network.allocateVip(whole)).toEqual(again);
  });

  it('are given back with the VIP, ports that were there before stay', async () => {
    const port = await network.addresses.createPort(ids[1]!, '127.92.1.50');
    const additional_vips = [wish(ids[1]!, null, port.id), wish(ids[2]!, '2001:db8::9')];
    const request = wanted({ subnet_id: ids[0]!, additional_vips });
    const vip = await network.allocateVip(request);
    expect((await network.addresses.getPort(port.id)).device_id).toBe(request.load_balancer_id);
    await network.releaseVip(request.load_balancer_id, vip);
    await network.releaseVip(request.load_balancer_id, vip);
    expect((await network.addresses.getPort(port.id)).device_id).toBe(null);
    const next = await network.allocateVip(wanted({ subnet_id: ids[0]!, additional_vips }));
    expect(next).toMatchObject({ vip_address: vip.vip_address });
    expect(next.additional_vips?.map((one) => one.ip_address)).toEqual(['127.92.1.50', '2001:db8::9']);
  });

  it('that cannot be had leave nothing behind', async () => {
    const taken = await network.allocateVip(wanted({ subnet_id: ids[2]!, address: '2001:db8::9' }));
    const additional_vips = [wish(ids[1]!), wish(ids[2]!, taken.vip_address)];
    const asked = network.allocateVip(wanted({ subnet_id: ids[0]!, additional_vips }));
    await expect(asked).rejects.toEqual(refusal(409, /^The VIP IP address is already in use: /));
    expect(await network.listVips()).toHaveLength(1);
    const free = await network.allocateVip(wanted({ subnet_id: ids[0]!, additional_vips: [wish(ids[1]!)] }));
    expect([free.vip_address, free.additional_vips?.[0]?.ip_address]).toEqual(['127.92.0.1', '127.92.1.1']);
  });
});
