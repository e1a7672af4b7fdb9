// Machines of Auto Scaling groups become members of the pools their tags name, and go when they leave, whatever order the news comes in.
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NoopInstanceDirectory } from '../../lambdas/drivers/compute/instance-directory.ts';
import { InstanceNotReady } from '../../lambdas/health-manager/scaled-members.ts';
import { scalingEventHandler } from '../../lambdas/health-manager/scaling-event.ts';
import { readMembers } from '../../lambdas/repositories/trees.ts';
import { FlowWorld, projectId } from '../support/flow-world.ts';
import { over } from '../support/over.ts';

const sample = (file: string) => JSON.parse(readFileSync(`events/${file}.json`, 'utf8'));
const at = (minute: number) => new Date(Date.UTC(2026, 2, 10, 12, minute)).toISOString();
const told = (file: string, instanceId: string, minute: number, type?: string) => {
  const event = sample(file);
  const detail = { ...event.detail, EC2InstanceId: instanceId };
  return { ...event, time: at(minute), detail, ...(type && { 'detail-type': type }) };
};
const launch = (id: string, minute = 0) => told('scaling-event', id, minute);
const hook = (id: string, minute = 5) => told('heard/lifecycle-terminate', id, minute);
const end = (id: string, minute = 6) => told('scaling-event', id, minute, 'EC2 Instance Terminate Successful');

let world: FlowWorld;
let lb: string;
let pool: string;
beforeEach(async () => {
  world = new FlowWorld();
  lb = await world.createActive();
  pool = (await world.loadBalancer(lb)).pool_ids[0]!;
});
afterEach(() => world.close());

const directory = () => world.outside.instances as NoopInstanceDirectory;
const machine = (instance_id: string, given: { address?: string; tags?: Record<string, string> } = {}) =>
  directory().instances.set(instance_id, {
    instance_id,
    state: 'RUNNING',
    address: given.address ?? '10.1.0.1',
    tags: { 'octavia:pool-id': pool, 'octavia:member-port': '8080', 'octavia:project-id': projectId, ...given.tags },
  });
const gone = (id: string) => {
  const { tags } = directory().instances.get(id)!;
  directory().instances.set(id, { instance_id: id, state: 'GONE', address: null, tags });
};
const handle = (event: any) => scalingEventHandler(world.services)(event);
/** Beside the one the load balancer was made with. */
async function members() {
  await world.settle();
  const rows = await readMembers(world.outside.table, lb, pool);
  const shown = rows.map((row) => [row.name, `${row.address}:${row.protocol_port}`, row.provisioning_status].join(' '));
  return shown.filter((text) => text.includes('i-')).toSorted();
}
const refusals = () => world.outside.events.published.filter(({ type }) => type === 'registration_refused');
async function memberQuota(): Promise<number> {
  const quota = await world.outside.table.get({ pk: `PROJECT#${projectId}`, sk: 'QUOTA' });
  return quota?.['in_use_member'] as number;
}

describe('a machine of an Auto Scaling group', () => {
  it('is a member of its pool when it was launched, ACTIVE like any other, and none when it ended', async () => {
    machine('i-1');
    expect(await handle(launch('i-1'))).toEqual({ changed: 1 });
    expect(await members()).toEqual(['i-1 10.1.0.1:8080 ACTIVE']);
    gone('i-1');
    expect(await handle(end('i-1'))).toEqual({ changed: 1 });
    expect(await members()).toEqual([]);
    expect((await world.loadBalancer(lb)).provisioning_status).toBe('ACTIVE');
  });

  it('is there once however often it is told, and takes the quota of one', async () => {
    machine('i-1');
    const before = await memberQuota();
    expect(before).toBe(1);
    for (let times = 0; times < 3; times++) await handle(launch('i-1'));
    await Promise.all([handle(launch('i-1')), handle(launch('i-1'))]);
    expect(await members()).toEqual(['i-1 10.1.0.1:8080 ACTIVE']);
    expect(await memberQuota()).toBe(before + 1);
    gone('i-1');
    for (let times = 0; times < 3; times++) await handle(end('i-1'));
    expect(await members()).toEqual([]);
    expect(await memberQuota()).toBe(before);
  });

  it('with a lifecycle hook is gone while it still runs, and late news of its launch does not bring it back', async () => {
    machine('i-1');
    await handle(launch('i-1'));
    expect(await handle(hook('i-1'))).toEqual({ changed: 1 });
    expect(await handle(launch('i-1'))).toEqual({ changed: 0 });
    expect(await members()).toEqual([]);
    expect(await handle(end('i-1'))).toEqual({ changed: 0 });
  });

  it('whose end is told before its launch is never a member', async () => {
    machine('i-1');
    expect(await handle(end('i-1'))).toEqual({ changed: 0 });
    expect(await handle(launch('i-1'))).toEqual({ changed: 0 });
    expect(await members()).toEqual([]);
  });

  it('that comes back from a warm pool is a member again', async () => {
    machine('i-1');
    await handle(launch('i-1', 0));
    await world.settle();
    await handle(hook('i-1', 5));
    await expect(handle(launch('i-1', 10))).rejects.toThrow('still leaves');
    await world.settle();
    await handle(launch('i-1', 10));
    expect(await members()).toEqual(['i-1 10.1.0.1:8080 ACTIVE']);
  });

  it('told to leave while it is being registered is gone in the end', async () => {
    machine('i-1');
    const { table } = world.services;
    let isLeaving = false;
    // Between what was said of it and its member: there is nothing to be taken back yet.
    const get: typeof table.get = async (key) => {
      const found = await table.get(key);
      if (key.sk === 'INSTANCE' && !isLeaving) {
        isLeaving = true;
        expect(await handle(hook('i-1'))).toEqual({ changed: 0 });
      }
      return found;
    };
    await scalingEventHandler({ ...world.services, table: over(table, { get }) })(launch('i-1'));
    expect(isLeaving).toBe(true);
    expect(await members()).toEqual([]);
  });

  it('is a member of each pool and port its tag names', async () => {
    machine('i-1', { tags: { 'octavia:pool-id': `${pool}, ${pool}:8443` } });
    await handle(launch('i-1'));
    expect(await members()).toEqual(['i-1 10.1.0.1:8080 ACTIVE', 'i-1 10.1.0.1:8443 ACTIVE']);
    await handle(end('i-1'));
    expect(await members()).toEqual([]);
  });

  it('takes the place of one whose address it has and whose end nobody told of', async () => {
    machine('i-1');
    await handle(launch('i-1'));
    await world.settle();
    machine('i-2');
    await handle(launch('i-2'));
    expect(await members()).toEqual(['i-2 10.1.0.1:8080 ACTIVE']);
  });

  it('is accepted while the load balancer is busy', async () => {
    await world.rename(lb);
    machine('i-1');
    expect(await handle(launch('i-1'))).toEqual({ changed: 1 });
    expect(await members()).toEqual(['i-1 10.1.0.1:8080 ACTIVE']);
  });

  it('that EC2 does not show yet, or without an address, is tried again', async () => {
    await expect(handle(launch('i-9'))).rejects.toThrow(InstanceNotReady);
    machine('i-9');
    directory().instances.get('i-9')!.address = null;
    await expect(handle(launch('i-9'))).rejects.toThrow('no address yet');
  });

  it('without tags of ours is nobody', async () => {
    machine('i-1', { tags: { 'octavia:pool-id': '' } });
    expect([await handle(launch('i-1')), await handle(end('i-1'))]).toEqual([{ changed: 0 }, { changed: 0 }]);
    expect(await members()).toEqual([]);
    expect(await world.outside.table.get({ pk: 'INSTANCE#i-1', sk: 'INSTANCE' })).toBeUndefined();
  });
});

describe('a machine that cannot be a member', () => {
  const reasonOf = () => refusals().map(({ detail }) => detail['reason']);

  it('because its pool is of another project is refused as if there were no such pool', async () => {
    machine('i-1', { tags: { 'octavia:project-id': 'f'.repeat(32) } });
    await handle(launch('i-1'));
    expect(await members()).toEqual([]);
    expect(reasonOf()).toEqual([expect.stringContaining(`Pool ${pool} not found`)]);
  });

  it('because it says no project, no port, or has an address nobody may have, is refused with the reason', async () => {
    machine('i-1', { tags: { 'octavia:project-id': '' } });
    machine('i-2', { tags: { 'octavia:member-port': 'http' } });
    machine('i-3', { address: '169.254.169.254' });
    for (const id of ['i-1', 'i-2', 'i-3']) await handle(launch(id));
    expect(await members()).toEqual([]);
    expect(reasonOf()).toEqual([
      expect.stringContaining('octavia:project-id is missing'),
      expect.stringContaining('has no port: "http"'),
      expect.stringContaining('169.254.169.254'),
    ]);
  });

  it('because the quota is met, or a user has a member there, is refused, and the others of it are not', async () => {
    const taken = { member: { address: '10.1.0.1', protocol_port: 8080 } };
    await world.api({ method: 'POST', path: `/v2/lbaas/pools/${pool}/members`, body: taken });
    machine('i-1', { tags: { 'octavia:pool-id': `${pool} ${pool}:81` } });
    expect(await handle(launch('i-1'))).toEqual({ changed: 1 });
    expect(await members()).toEqual(['i-1 10.1.0.1:81 ACTIVE']);
    await world.outside.table.transact([
      { kind: 'update', key: { pk: `PROJECT#${projectId}`, sk: 'QUOTA' }, set: { member: 1 } },
    ]);
    machine('i-2', { address: '10.1.0.2' });
    await handle(launch('i-2'));
    expect(reasonOf()).toEqual([expect.stringContaining('already'), expect.stringContaining('uota')]);
  });
});
