// Machines of users as EC2 tells of them, by the real client against the fake.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Ec2InstanceDirectory } from '../../lambdas/drivers/compute/ec2-instances.ts';
import { Ec2World } from '../support/ec2-world.ts';
import type { FakeInstance } from '../support/fake-ec2/account.ts';
import { newInterface } from '../support/fake-ec2/interfaces.ts';

let world: Ec2World;
beforeEach(async () => {
  world = await Ec2World.start();
});
afterEach(() => world[Symbol.asyncDispose]());

const directory = () => new Ec2InstanceDirectory({ client: () => world.ec2.client() });

/** As an Auto Scaling group starts it: with the group's tags. */
function aMachine(): FakeInstance {
  const { account } = world.ec2;
  const subnet = account.subnet('subnet-a');
  const tags = [{ key: 'octavia:pool-id', value: 'a-pool' }];
  const made = { id: account.newId('i'), type: 't4g.small', image: 'ami-1', subnet, token: '', group: undefined };
  const instance: FakeInstance = { ...made, userData: '', tags, since: -1_000 };
  account.instances.set(instance.id, instance);
  const its = newInterface(account, subnet, [], []);
  its.attachment = { id: account.newId('eni-attach'), instance: instance.id, device: 0, deleteOnTermination: true };
  return instance;
}

it('a machine is found with its address and its tags, and is gone when it was terminated', async () => {
  const machine = aMachine();
  expect(await directory().find(machine.id)).toEqual({
    instance_id: machine.id,
    state: 'RUNNING',
    address: expect.stringMatching(/^10\.0\.1\.\d+$/),
    tags: { 'octavia:pool-id': 'a-pool' },
  });
  machine.ended = -500;
  expect(await directory().find(machine.id)).toMatchObject({ state: 'GONE', tags: { 'octavia:pool-id': 'a-pool' } });
});

it('a machine that EC2 does not show is not known, and what EC2 refuses otherwise is an error', async () => {
  expect(await directory().find('i-0123456789abcdef0')).toBeUndefined();
  world.ec2.faults.push({
    action: 'DescribeInstances',
    moment: 'before',
    code: 'RequestLimitExceeded',
    status: 503,
    times: 9,
  });
  await expect(directory().find('i-0123456789abcdef0')).rejects.toThrow('machine i-0123456789abcdef0');
});
