// EventBridge tells of every machine of an account: those that are no amphorae concern nobody here.
import { expect, it } from 'vitest';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { Ec2World } from '../support/ec2-world.ts';
import { FlowWorld } from '../support/flow-world.ts';

it('nothing is asked for and nothing fails when a machine ends that is no amphora', async () => {
  await using account = await Ec2World.start();
  const world = new FlowWorld({}, { compute: account.compute() });
  const detail = { 'instance-id': 'i-0123456789abcdef0', state: 'terminated' };
  expect(await computeEventHandler(world.services)({ detail })).toEqual({ failed_over: 0 });
  await world.close();
});
