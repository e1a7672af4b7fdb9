import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DriverError, Superseded } from '../../lambdas/domain/errors.ts';
import { seeded } from '../support/random.ts';
import { type Balancer, failure, subnetId, VpcWorld } from '../support/vpc-world.ts';

let world: VpcWorld;
beforeEach(async () => {
  world = await VpcWorld.start();
});
afterEach(() => world[Symbol.asyncDispose]());

const families = [
  ['IPv4', 'subnet-a', 'AssignPrivateIpAddresses'],
  ['IPv6', 'subnet-a#v6', 'AssignIpv6Addresses'],
] as const;

async function plugged(subnet: string): Promise<{ balancer: Balancer; holder(): string | undefined }> {
  const balancer = await world.balancer({ subnet_id: subnetId(subnet) });
  for (const id of ['a', 'b', 'c']) await balancer.plug(id);
  return { balancer, holder: () => world.holderOf(balancer.vip.vip_address) };
}

/** What the call came to, once it is over; until then nobody waits for it. */
const outcome = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe.each(families)('taking an %s VIP', (_family, subnet, assign) => {
  it('takes it from whoever has it, alive or not', async () => {
    const { balancer, holder } = await plugged(subnet);
    await balancer.take('a', 1);
    await balancer.take('b', 2);
    expect(holder()).toBe('b');
    await balancer.take('b', 2);
    expect(holder()).toBe('b');
  });

  it('has no effect at a lower epoch', async () => {
    const { balancer, holder } = await plugged(subnet);
    await balancer.take('b', 2);
    await expect(balancer.take('a', 1)).rejects.toThrow(Superseded);
    expect([holder(), await balancer.owner()]).toEqual(['b', 'b']);
  });

  it('is handed back when it was overtaken on its way to AWS', async () => {
    const { balancer, holder } = await plugged(subnet);
    const { arrival, release } = world.ec2.hold(assign);
    const late = outcome(balancer.take('a', 1));
    await arrival;
    await balancer.take('b', 2);
    release();
    expect(await late).toBeInstanceOf(Superseded);
    expect([holder(), await balancer.owner()]).toEqual(['b', 'b']);
  });

  it('is handed back to whoever has it by then, when that was overtaken too', async () => {
    const { balancer, holder } = await plugged(subnet);
    const first = world.ec2.hold(assign);
    const late = outcome(balancer.take('a', 1));
    await first.arrival;
    await balancer.take('b', 2);
    const second = world.ec2.hold(assign);
    first.release();
    await second.arrival;
    await balancer.take('c', 3);
    second.release();
    expect(await late).toBeInstanceOf(Superseded);
    expect([holder(), await balancer.owner()]).toEqual(['c', 'c']);
  });

  it('is handed back by the next try of a late call that was killed after its move', async () => {
    const { balancer, holder } = await plugged(subnet);
    const { arrival, release } = world.ec2.hold(assign);
    const late = failure(balancer.take('a', 1));
    await arrival;
    await balancer.take('b', 2);
    world.ec2.on(assign, 'after');
    release();
    expect((await late).isTransient).toBe(true);
    await expect(balancer.take('a', 1)).rejects.toThrow(Superseded);
    expect(holder()).toBe('b');
  });

  it('leaves nothing when the VIP was released meanwhile', async () => {
    const before = world.footprint();
    const { balancer } = await plugged(subnet);
    const { arrival, release } = world.ec2.hold(assign);
    const late = outcome(balancer.take('a', 1));
    await arrival;
    await balancer.release();
    release();
    expect(await late).toBeInstanceOf(Superseded);
    expect(world.footprint()).toEqual(before);
  });

  it('ends with the highest epoch when many take it at once', async () => {
    const { balancer, holder } = await plugged(subnet);
    const ids = ['a', 'b', 'c', 'a', 'b', 'c'];
    await Promise.allSettled(ids.map((id, epoch) => balancer.take(id, epoch + 1)));
    expect([holder(), await balancer.owner()]).toEqual(['c', 'c']);
  });
});

describe('the two calls that move an IPv6 VIP', () => {
  it.each(['before', 'after'] as const)('are repeated when killed %s the second', async (moment) => {
    const { balancer, holder } = await plugged('subnet-a#v6');
    await balancer.take('a', 1);
    world.ec2.on('AssignIpv6Addresses', moment);
    await failure(balancer.take('b', 2));
    expect(holder()).toBe(moment === 'before' ? undefined : 'b');
    await balancer.take('b', 2);
    expect(holder()).toBe('b');
    expect(world.ec2.last('AssignIpv6Addresses')).not.toHaveProperty('AllowReassignment');
  });

  it('are repeated when the first was carried out and not answered', async () => {
    const { balancer, holder } = await plugged('subnet-a#v6');
    await balancer.take('a', 1);
    world.ec2.on('UnassignIpv6Addresses', 'after');
    await failure(balancer.take('b', 2));
    expect(holder()).toBeUndefined();
    await balancer.take('b', 2);
    expect(holder()).toBe('b');
  });
});

describe('a public VIP', () => {
  it('that nobody has is not had by a late call either, whose amphora stays plugged', async () => {
    const { balancer, holder } = await plugged('subnet-p');
    const before = structuredClone(world.interfacesOf('b'));
    await balancer.take('a', 5);
    const { arrival, release } = world.ec2.hold('AssignPrivateIpAddresses');
    const late = outcome(balancer.take('b', 6));
    await arrival;
    await balancer.take('a', 7);
    await balancer.unplug('a');
    release();
    expect(await late).toBeInstanceOf(Superseded);
    expect(holder()).toBeUndefined();
    expect(world.interfacesOf('b')).toEqual(before);
    await balancer.take('b', 8);
    expect(holder()).toBe('b');
  });

  it('leaves no Elastic IP when it was released while it was taken', async () => {
    const before = world.footprint();
    const { balancer } = await plugged('subnet-p');
    const { arrival, release } = world.ec2.hold('AllocateAddress');
    const late = outcome(balancer.take('a', 1));
    await arrival;
    await balancer.release();
    release();
    expect(await late).toBeInstanceOf(Error);
    await outcome(balancer.take('a', 1));
    expect(world.footprint()).toEqual(before);
  });
});

describe.each(families)('calls for an %s VIP, in whatever order they reach AWS', (_family, subnet) => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))('end with one owner, who has it (%i)', async (seed) => {
    const random = seeded(seed);
    const { balancer, holder } = await plugged(subnet);
    world.ec2.onTheWayMs = () => Math.floor(random() * 6);
    const calls = Array.from({ length: 7 }, (_, epoch) => ['a', 'b', 'c'][Math.floor(random() * 3)]! + (epoch + 1));
    const actions = ['AssignPrivateIpAddresses', 'AssignIpv6Addresses', 'UnassignIpv6Addresses'];
    for (const action of actions) world.ec2.on(action, random() < 0.5 ? 'before' : 'after', { times: 2 });
    const outcomes = await Promise.all(
      calls.toSorted(() => random() - 0.5).map((call) => settled(() => balancer.take(call[0]!, Number(call[1])))),
    );
    expect(outcomes).not.toContain('given up');
    expect([holder(), await balancer.owner()]).toEqual([calls.at(-1)![0], calls.at(-1)![0]]);
  });
});

/** As a flow does: tried again until it is done, or there is nothing to do any more. */
async function settled(take: () => Promise<void>): Promise<'done' | 'superseded' | 'given up'> {
  for (let attempt = 0; attempt < 30; attempt++) {
    const error = await take().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === undefined) return 'done';
    if (error instanceof Superseded) return 'superseded';
    if (!(error instanceof DriverError && error.isTransient)) throw error;
  }
  return 'given up';
}
