import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DriverError } from '../../lambdas/domain/errors.ts';
import type { VipRule } from '../../lambdas/drivers/network/network-driver.ts';
import type { FakeFault } from '../support/fake-ec2/fake-ec2.ts';
import { type Balancer, subnetId, VpcWorld } from '../support/vpc-world.ts';

const web: VipRule = { protocol: 'tcp', port: 80, cidr: '0.0.0.0/0' };
const admin: VipRule = { protocol: 'tcp', port: 443, cidr: '10.0.0.0/8' };

/** The life of a VIP: public, with addresses beside it of both families in another subnet. */
const life: Record<string, (balancer: Balancer) => Promise<unknown>> = {
  'plug a': (balancer) => balancer.plug('a'),
  'plug b': (balancer) => balancer.plug('b'),
  'allow two': (balancer) => balancer.allow([web, admin]),
  'take a': (balancer) => balancer.take('a', 1),
  'take b': (balancer) => balancer.take('b', 2),
  'allow one': (balancer) => balancer.allow([web]),
  'unplug a': (balancer) => balancer.unplug('a'),
  'take b again': (balancer) => balancer.take('b', 3),
  release: (balancer) => balancer.release(),
};

/** Each the driver uses, but for those of machines; the life below is asserted to use them all. */
const actions = [
  ...['DescribeNetworkInterfaces', 'CreateNetworkInterface', 'AttachNetworkInterface', 'DetachNetworkInterface'],
  ...['DeleteNetworkInterface', 'ModifyNetworkInterfaceAttribute', 'AssignPrivateIpAddresses', 'AssignIpv6Addresses'],
  ...['UnassignPrivateIpAddresses', 'UnassignIpv6Addresses', 'DescribeSecurityGroups', 'CreateSecurityGroup'],
  ...['DeleteSecurityGroup', 'DescribeSecurityGroupRules', 'AuthorizeSecurityGroupIngress'],
  ...['RevokeSecurityGroupIngress', 'DescribeAddresses', 'AllocateAddress', 'AssociateAddress'],
  'ReleaseAddress',
];

const failures: Record<string, Pick<FakeFault, 'moment' | 'code' | 'status'>> = {
  throttled: { moment: 'before', code: 'RequestLimitExceeded', status: 503 },
  'carried out and not answered': { moment: 'after' },
  'not allowed': { moment: 'before', code: 'UnauthorizedOperation', status: 403 },
};
const delays = [1, 4, 12];

const cells = actions.flatMap((action) => Object.keys(failures).map((failure) => ({ action, failure })));
let tried = 0;
afterAll(() => console.info(`${tried} cells of ${cells.length} (action x failure) and ${delays.length} delays`));

async function born(world: VpcWorld): Promise<Balancer> {
  const additional = ['subnet-a', 'subnet-a#v6'].map((id) => ({
    ...{ subnet_id: subnetId(id), ip_address: null, port_id: null },
  }));
  return world.balancer({ subnet_id: subnetId('subnet-p'), additional_vips: additional });
}

/** As a flow does: what may pass is tried again. @returns what it did not try again */
async function untilDone(step: () => Promise<unknown>): Promise<DriverError | undefined> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      await step();
      return undefined;
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      if (!error.isTransient) return error;
    }
  }
  throw new Error('tried twenty times');
}

interface Lived {
  asked: string[];
  footprints: object[];
  refusals: DriverError[];
  struck: number;
}

/** @param trouble before each step; it is over when the step is repeated */
async function live(trouble: (world: VpcWorld) => void): Promise<Lived> {
  await using world = await VpcWorld.start();
  const lived: Lived = { asked: world.ec2.asked, footprints: [world.footprint()], refusals: [], struck: 0 };
  const balancer = await born(world);
  for (const step of Object.values(life)) {
    trouble(world);
    const refusal = await untilDone(() => step(balancer));
    if (refusal) lived.refusals.push(refusal);
    world.ec2.faults.length = 0;
    world.account.now += 20;
    expect(await untilDone(() => step(balancer))).toBeUndefined();
    lived.footprints.push(world.footprint());
  }
  lived.struck = world.ec2.struck;
  return lived;
}

let undisturbed: Lived;
beforeAll(async () => {
  undisturbed = await live(() => {});
});

describe('a call to AWS', () => {
  it('is made of each kind in the life of a VIP, which leaves nothing', () => {
    expect([...new Set(undisturbed.asked)].toSorted()).toEqual(actions.toSorted());
    expect(undisturbed.footprints.at(-1)).toEqual(undisturbed.footprints[0]);
    expect(undisturbed.refusals).toEqual([]);
  });

  it.each(cells)('$action, $failure, ends as if nothing had been', async ({ action, failure }) => {
    const isForGood = failure === 'not allowed';
    const { footprints, refusals, struck } = await live(({ ec2 }) => {
      ec2.on(action, failures[failure]!.moment, { ...failures[failure], times: isForGood ? 1_000 : 1 });
    });
    expect(footprints).toEqual(undisturbed.footprints);
    expect(struck).toBeGreaterThan(0);
    for (const { message } of refusals) expect(message).toContain('UnauthorizedOperation');
    // Asked once in each step, and not again.
    expect(refusals).toHaveLength(isForGood ? struck : 0);
    tried++;
  });

  it.each(delays)('whose effect is seen %i requests later ends as if nothing had been', async (lag) => {
    const { footprints, refusals } = await live(({ account }) => {
      account.lag = lag;
    });
    expect([footprints, refusals]).toEqual([undisturbed.footprints, []]);
  });
});
