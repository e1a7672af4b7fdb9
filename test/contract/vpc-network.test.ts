import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VipRule } from '../../lambdas/drivers/network/network-driver.ts';
import { vpcSubnets } from '../support/ec2-world.ts';
import { Balancer, failure, groupId, machine, subnetId, VpcWorld } from '../support/vpc-world.ts';

let world: VpcWorld;
let before: object;
beforeEach(async () => {
  world = await VpcWorld.start();
  before = world.footprint();
});
afterEach(() => world[Symbol.asyncDispose]());

const publicWish = { subnet_id: subnetId('subnet-p') };
const web: VipRule[] = [
  { protocol: 'tcp', port: 80, cidr: '0.0.0.0/0' },
  { protocol: 'tcp', port: 443, cidr: '10.0.0.0/8' },
];
const rules = () => [...world.account.groups.values()].flatMap((group) => group.rules);
const doors = () => rules().map(({ protocol, from, cidr }) => `${protocol} ${from} ${cidr}`);

describe('a VIP in a VPC', () => {
  it("is a secondary address of the amphora's interface in its subnet", async () => {
    const balancer = await world.balancer();
    const plugged = await balancer.plug('a');
    await balancer.take('a', 1);
    const [its, ...more] = world.interfacesOf('a');
    expect(more).toEqual([]);
    expect(its!.addresses).toEqual([plugged.vrrp_ip, balancer.vip.vip_address]);
    expect(world.ec2.last('AssignPrivateIpAddresses')).toMatchObject({ AllowReassignment: 'true' });
  });

  it('has the same ids in every process', async () => {
    const balancer = await world.balancer();
    const again = new Balancer(world.network(), balancer.id, balancer.vip);
    expect(await again.plug('a')).toEqual(await balancer.plug('a'));
    const [subnet] = await world.network().listSubnets();
    expect(subnet).toMatchObject({ id: subnetId('subnet-a'), availability_zone: 'az1' });
    await world.network().checkSecurityGroup(groupId('sg-mine'));
  });

  it('of another subnet gets an interface more, which ends with the machine', async () => {
    const balancer = await world.balancer(publicWish);
    const plugged = await balancer.plug('a');
    expect(await balancer.plug('a')).toEqual(plugged);
    await balancer.take('a', 1);
    const [own, more, ...others] = world.interfacesOf('a');
    expect(others).toEqual([]);
    expect(own!.addresses).toHaveLength(1);
    expect(more).toMatchObject({ subnet: { id: 'subnet-p' }, attachment: { device: 1, deleteOnTermination: true } });
    expect(more!.addresses).toEqual([plugged.vrrp_ip, balancer.vip.vip_address]);
    await balancer.unplug('a');
    expect(world.interfacesOf('a')).toHaveLength(1);
  });

  it('ends its interface with the machine though the answer of its attachment was lost', async () => {
    const balancer = await world.balancer(publicWish);
    world.ec2.on('AttachNetworkInterface', 'after');
    await failure(balancer.plug('a'));
    await balancer.plug('a');
    expect(world.interfacesOf('a')[1]!.attachment!.deleteOnTermination).toBe(true);
  });

  it('can be plugged again into an amphora it was taken from', async () => {
    const balancer = await world.balancer(publicWish);
    await balancer.plug('a');
    await balancer.unplug('a');
    await balancer.plug('a');
    expect(world.interfacesOf('a')).toHaveLength(2);
  });

  it('moves on when the machine that had it has ended', async () => {
    for (const wish of [{ subnet_id: subnetId('subnet-a') }, { subnet_id: subnetId('subnet-a#v6') }, publicWish]) {
      const id = `${wish.subnet_id.slice(0, 4)}`;
      for (const one of [`${id}1`, `${id}2`]) world.addMachine(one);
      const balancer = await world.balancer(wish);
      for (const [epoch, one] of [`${id}1`, `${id}2`].entries()) {
        await balancer.plug(one);
        if (epoch === 0) await balancer.take(one, 1);
      }
      await world.ec2World.compute().delete(`i-${id}1`);
      await balancer.take(`${id}2`, 2);
      expect(world.holderOf(balancer.vip.vip_address)).toBe(`${id}2`);
      for (let look = 0; look < 4; look++) await world.ec2World.compute().get(`i-${id}1`);
      await balancer.unplug(`${id}1`);
      expect(world.holderOf(balancer.vip.vip_address)).toBe(`${id}2`);
    }
  });

  it('is not taken from a stranger', async () => {
    const balancer = await world.balancer();
    await balancer.plug('a');
    world.addMachine('stranger');
    const [its] = world.interfacesOf('stranger');
    its!.tags = [];
    its!.addresses.push(balancer.vip.vip_address);
    const error = await failure(balancer.take('a', 1));
    expect(error.userText).toContain('is in use by something else');
    expect(error.isTransient).toBe(false);
    expect(world.holderOf(balancer.vip.vip_address)).toBe('stranger');
  });

  it('says so when a machine of that type has no room for another address or interface', async () => {
    world.addMachine('small', 't4g.nano');
    const [first, second] = [await world.balancer(), await world.balancer()];
    for (const one of [first, second]) await one.plug('small');
    await first.take('small', 1);
    const full = await failure(second.take('small', 1));
    expect([full.isTransient, full.userText]).toEqual([false, expect.stringMatching(/compute flavor/)]);
    const subnet = { ...vpcSubnets[2]!, id: 'subnet-q', cidr: '10.0.4.0/24', vips: '10.0.4.16/28' };
    world.account.subnets.push({ ...subnet, reserved: subnet.vips! });
    world.ec2World.subnets.push(subnet);
    await (await world.balancer(publicWish)).plug('small');
    const third = await world.balancer({ subnet_id: subnetId('subnet-q') });
    expect((await failure(third.plug('small'))).userText).toMatch(/compute flavor/);
    world.ec2World.subnets.pop();
  });

  it('is found on whatever page it stands', async () => {
    world.account.pageSize = 1;
    const wish = { subnet_id: subnetId('subnet-a'), additional_vips: [additional('subnet-p')] };
    const balancer = await world.balancer(wish);
    for (const id of ['a', 'b']) await balancer.plug(id);
    await balancer.allow(web);
    await balancer.take('b', 1);
    await balancer.allow(web.slice(0, 1));
    expect(doors()).toEqual(['tcp 80 0.0.0.0/0']);
    for (const id of ['a', 'b']) await balancer.unplug(id);
    await balancer.release();
    expect(world.footprint()).toEqual(before);
  });
});

const additional = (subnet: string) => ({ subnet_id: subnetId(subnet), ip_address: null, port_id: null });

describe('Elastic IPs', () => {
  it('are one for each VIP in a public subnet, and go with it', async () => {
    const more = { ...vpcSubnets[2]!, id: 'subnet-q', cidr: '10.0.4.0/24', vips: '10.0.4.16/28' };
    await using two = await VpcWorld.start([...vpcSubnets, more]);
    const wish = { ...publicWish, additional_vips: [additional('subnet-q'), additional('subnet-a')] };
    const balancer = await two.balancer(wish);
    for (const id of ['a', 'b']) await balancer.plug(id);
    await balancer.take('a', 1);
    const associated = () => [...two.account.elasticIps.values()].map(({ ip, association: at }) => [ip, at?.address]);
    const first = associated();
    expect(first.map(([, address]) => address).toSorted()).toEqual(
      [balancer.vip.vip_address, balancer.vip.additional_vips![0]!.ip_address].toSorted(),
    );
    await balancer.take('b', 2);
    expect(associated()).toEqual(first);
    await balancer.release();
    expect(associated()).toEqual([]);
  });

  it('are released from wherever somebody put them', async () => {
    const balancer = await world.balancer(publicWish);
    await balancer.plug('a');
    await balancer.take('a', 1);
    const [elsewhere] = world.interfacesOf('b');
    for (const elastic of world.account.elasticIps.values())
      elastic.association = { id: 'eipassoc-by-hand', interface: elsewhere!.id, address: elsewhere!.addresses[0]! };
    world.ec2.on('DisassociateAddress', 'after');
    expect((await failure(balancer.release())).isTransient).toBe(true);
    await balancer.release();
    expect(world.footprint()).toEqual(before);
  });

  it('say so when the account has no more', async () => {
    world.account.elasticIpLimit = 0;
    const balancer = await world.balancer(publicWish);
    await balancer.plug('a');
    expect((await failure(balancer.take('a', 1))).message).toMatch(/Service Quotas/);
  });
});

describe('who reaches a VIP', () => {
  it('is whom its listeners let in: what changed is changed, and nothing else', async () => {
    const balancer = await world.balancer();
    await balancer.plug('a');
    await balancer.allow(web);
    const [kept] = rules();
    await balancer.allow(web);
    expect(world.ec2.count('AuthorizeSecurityGroupIngress')).toBe(1);
    await balancer.allow([web[0]!, { protocol: 'udp', port: 53, cidr: '2001:db8::/32' }]);
    expect(doors()).toEqual(['tcp 80 0.0.0.0/0', 'udp 53 2001:db8::/32']);
    expect(rules()[0]!.id).toBe(kept!.id);
    expect(world.interfacesOf('a')[0]!.groups).toHaveLength(2);
    await balancer.allow([]);
    expect(doors()).toEqual([]);
  });

  it('of SCTP, whose rules have no ports in EC2, stays let in', async () => {
    const balancer = await world.balancer();
    await balancer.plug('a');
    const sctp = [9000, 9001].map((port): VipRule => ({ protocol: 'sctp', port, cidr: '10.0.0.0/8' }));
    for (const _ of [1, 2]) {
      await balancer.allow(sctp);
      expect(doors()).toEqual(['132 -1 10.0.0.0/8']);
    }
    expect(world.ec2.count('RevokeSecurityGroupIngress')).toBe(0);
  });

  it('is judged by HAProxy alone where a group has no room for all networks', async () => {
    const balancer = await world.balancer();
    await balancer.plug('a');
    const many = Array.from({ length: 61 }, (_, n): VipRule => ({ protocol: 'tcp', port: 80, cidr: `10.${n}.0.0/16` }));
    await balancer.allow(many.slice(0, 60));
    expect(doors()).toHaveLength(60);
    await balancer.allow(many.slice(1));
    expect(doors().toSorted()).toEqual(
      many
        .slice(1)
        .map(({ cidr }) => `tcp 80 ${cidr}`)
        .toSorted(),
    );
    await balancer.allow(many);
    expect(doors()).toEqual(['tcp 80 0.0.0.0/0']);
  });

  it("is whom users' own groups let in, which go with the VIP, and whose rules nobody touches", async () => {
    const balancer = await world.balancer();
    await balancer.plug('a');
    const given = new Balancer(world.network(), balancer.id, { ...balancer.vip, vip_sg_ids: [groupId('sg-mine')] });
    await given.allow(web);
    expect(world.interfacesOf('a')[0]!.groups).toEqual(['sg-machines', 'sg-mine']);
    await given.plug('b');
    expect(world.interfacesOf('b')[0]!.groups).toEqual(['sg-machines', 'sg-mine']);
    expect(world.account.groups.get('sg-mine')!.rules).toEqual([]);
    await balancer.allow(web);
    expect(world.interfacesOf('b')[0]!.groups).not.toContain('sg-mine');
    await balancer.release();
    expect(world.footprint()).toEqual(before);
  });

  it('is nobody through a group that nobody named', async () => {
    await expect(world.network().checkSecurityGroup(groupId('sg-amphorae'))).rejects.toThrow(
      /Security Group .* not found/,
    );
  });
});

describe('a VIP that is released', () => {
  it.each(['subnet-a', 'subnet-a#v6', 'subnet-p'])('of %s leaves nothing of it in the account', async (subnet) => {
    const balancer = await world.balancer({ subnet_id: subnetId(subnet) });
    for (const id of ['a', 'b']) await balancer.plug(id);
    await balancer.allow(web);
    await balancer.take('a', 1);
    await balancer.release();
    await balancer.release();
    expect(world.footprint()).toEqual(before);
    expect(await world.network().listVips()).toEqual([]);
  });

  it('leaves nothing when it was plugged and unplugged, and never taken', async () => {
    const balancer = await world.balancer();
    await balancer.plug('a');
    await balancer.unplug('a');
    await balancer.release();
    expect(world.footprint()).toEqual(before);
  });

  it('costs no call when nothing was ever given to an amphora', async () => {
    await (await world.balancer()).release();
    expect(world.ec2.asked).toEqual([]);
  });

  it('is tried again while an interface is being detached', async () => {
    const balancer = await world.balancer(publicWish);
    await balancer.plug('a');
    world.account.detachmentRequests = 6;
    expect((await failure(balancer.release())).isTransient).toBe(true);
    for (let attempt = 0; attempt < 6; attempt++) await balancer.release().catch(() => {});
    expect(world.footprint()).toEqual(before);
  });

  it('does not take away the VIP that came after it', async () => {
    const first = await world.balancer();
    await first.release();
    const second = await world.network().allocateVip({
      ...{ load_balancer_id: first.id, project_id: 'p', address: null, port_id: null, network_id: null },
      ...{ subnet_id: subnetId('subnet-a'), additional_vips: [] },
    });
    const later = new Balancer(world.network(), first.id, second);
    await later.plug('a');
    await later.take('a', 1);
    await world.network().releaseVip(first.id, first.vip);
    expect(world.holderOf(second.vip_address)).toBe(machine('a').id);
  });
});
