// Whoever ends an operation in ERROR ends that one, and none that was accepted since.
import type { SQSEvent } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requestFailover } from '../../lambdas/controller/failover.ts';
import { heartbeatsHandler } from '../../lambdas/health-manager/heartbeats.ts';
import { reconcileLoadBalancer } from '../../lambdas/housekeeping/reconcile.ts';
import { readAmphora, readAmphorae, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';
import { BeatingAmphora } from '../support/heartbeats.ts';

let world: FlowWorld;
beforeEach(() => {
  world = new FlowWorld();
});
afterEach(() => world.close());

it('a look at the index that is out of date does not end the operation that came after', async () => {
  const id = await world.createActive();
  await world.rename(id, 'first');
  const { operation, ...row } = await world.loadBalancer(id);
  const seen = { ...row, operation: { ...operation!, attempts: 2, deadline: world.clock.now() - 1 } };
  await world.settle();
  // The update is in force by now, and another one accepted.
  await world.rename(id, 'second');
  await reconcileLoadBalancer(world.services, seen);
  expect(await world.loadBalancer(id)).toMatchObject({
    provisioning_status: 'PENDING_UPDATE',
    operation: { kind: 'update', attempts: 0 },
  });
});

it('a delete that is accepted while a create is being ended in ERROR is carried out', async () => {
  // The build fails for good, and the client deletes right when the flow has looked at the row to say so.
  world.on('create-load-balancer/TakeVip', 'before', () => {
    throw new TypeError('as tested');
  });
  const id = await world.create();
  let isAsked = false;
  world.on('create-load-balancer/FailOperation', 'before', () => {
    world.on('table.get', 'after', async () => {
      if (isAsked) return;
      isAsked = true;
      expect(await world.remove(id)).toBe(204);
    });
  });
  await world.settle();
  expect(isAsked).toBe(true);
  expect(await world.loadBalancers()).toEqual([]);
});

describe('an amphora whose failover failed', () => {
  const amphoraOf = async (id: string) => (await world.loadBalancer(id)).amphora_ids[0]!;
  const path = (amphora: string) => `/v2/octavia/amphorae/${amphora}`;
  const statusOf = async (amphora: string) => (await world.api({ path: path(amphora) })).body.amphora?.status;

  async function fail(): Promise<{ id: string; amphora: string }> {
    const id = await world.createActive();
    const amphora = await amphoraOf(id);
    world.on('compute.build', 'before', () => {
      throw new TypeError('no machines left');
    });
    expect(await requestFailover(world.services, amphora)).toBe(true);
    await world.settle();
    expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ERROR', failed: 'failover' });
    return { id, amphora };
  }

  it('is shown in ERROR, and is gone when it is failed over again', async () => {
    const { id, amphora } = await fail();
    expect(await statusOf(amphora)).toBe('ERROR');
    world.clock.turn(10_000);
    expect(await requestFailover(world.services, amphora)).toBe(true);
    await world.settle();
    expect(await statusOf(amphora)).toBeUndefined();
    expect(await unsoundness(world)).toEqual([]);
    expect(await statusOf(await amphoraOf(id))).toBe('ALLOCATED');
  });

  it('may be deleted by an administrator', async () => {
    const { id, amphora } = await fail();
    expect((await world.api({ method: 'DELETE', path: path(amphora) })).status).toBe(204);
    await world.age();
    expect(await statusOf(amphora)).toBeUndefined();
    expect((await world.loadBalancer(id)).amphora_ids).not.toContain(amphora);
  });

  it.each(['MASTER', 'BACKUP'])(
    'of a pair, %s, deleted by an administrator, is made again by a failover',
    async (role) => {
      await world.close();
      world = new FlowWorld({ topology: 'ACTIVE_STANDBY' });
      const id = await world.createActive();
      const rows = await readAmphorae(world.outside.table, (await world.loadBalancer(id)).amphora_ids);
      const lost = rows.find((one) => one.role === role)!.id;
      await setAmphora(world.services, lost, { status: 'ERROR' });
      expect((await world.api({ method: 'DELETE', path: path(lost) })).status).toBe(204);
      await world.age();
      expect(await world.failover(id)).toBe(202);
      await world.settle();
      await world.age();
      expect((await world.loadBalancer(id)).amphora_ids).toHaveLength(2);
      expect(await unsoundness(world)).toEqual([]);
    },
  );

  it('is in use again when it is heard', async () => {
    const { amphora } = await fail();
    const { services } = world;
    const beating = new BeatingAmphora({ services } as never, (await readAmphora(services.table, amphora))!);
    const body = JSON.stringify(beating.signed(beating.beat()));
    const event = { Records: [{ messageId: 'one', body }] } as unknown as SQSEvent;
    await heartbeatsHandler(services)(event);
    expect(await statusOf(amphora)).toBe('ALLOCATED');
  });
});

describe('a failover of a whole load balancer that failed', () => {
  const noMachines = (builds: number) => {
    for (let skipped = 1; skipped < builds; skipped++) world.on('compute.build', 'before', () => {});
    world.on('compute.build', 'before', () => {
      throw new TypeError('no machines left');
    });
  };
  const shown = async (): Promise<{ id: string; role: string; status: string }[]> =>
    (await world.api({ path: '/v2/octavia/amphorae' })).body.amphorae;
  const statuses = async () => Object.fromEntries((await shown()).map(({ role, status }) => [role, status]));

  async function fail(topology: 'SINGLE' | 'ACTIVE_STANDBY', builds: number) {
    await world.close();
    world = new FlowWorld({ topology });
    const id = await world.createActive();
    const before = await shown();
    noMachines(builds);
    expect(await world.failover(id)).toBe(202);
    await world.settle();
    expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ERROR', failed: 'failover' });
    return { id, before };
  }

  it('shows on the one amphora it has, until the next failover', async () => {
    const { id } = await fail('SINGLE', 1);
    expect(await statuses()).toEqual({ STANDALONE: 'ERROR' });
    expect(await world.failover(id)).toBe(202);
    await world.settle();
    expect(await statuses()).toEqual({ STANDALONE: 'ALLOCATED' });
    expect(await unsoundness(world)).toEqual([]);
  });

  it('shows on the standby, which it began with, and not on the one that serves', async () => {
    await fail('ACTIVE_STANDBY', 1);
    expect(await statuses()).toEqual({ MASTER: 'ALLOCATED', BACKUP: 'ERROR' });
  });

  it('at the second of a pair shows on what was the master, and not on the new one', async () => {
    const { id, before } = await fail('ACTIVE_STANDBY', 2);
    const master = before.find(({ role }) => role === 'MASTER')!;
    const [lost] = (await shown()).filter(({ status }) => status === 'ERROR');
    expect(lost?.id).toBe(master.id);
    expect(await statuses()).toEqual({ MASTER: 'ALLOCATED', BACKUP: 'ERROR' });
    expect(await world.rename(id)).toBe(200);
    await world.settle();
    expect(await statuses()).toEqual({ MASTER: 'ALLOCATED', BACKUP: 'ALLOCATED' });
    expect(await unsoundness(world)).toEqual([]);
  });
});
