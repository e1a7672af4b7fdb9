// Roll-outs of an image: in waves, a canary first, halted by whatever goes wrong, gone on with by whoever comes by.
import { afterEach, describe, expect, it } from 'vitest';
import { requestFailover } from '../../lambdas/controller/failover.ts';
import { DriverError } from '../../lambdas/domain/errors.ts';
import { rollOut } from '../../lambdas/housekeeping/rollout.ts';
import { readStormGuards, setStormGuard } from '../../lambdas/repositories/storm-guard.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { RolloutWorld } from '../support/rollout-world.ts';

let world: RolloutWorld;
afterEach(async () => {
  expect(world.refusals).toEqual([]);
  expect(world.shortages).toEqual([]);
  await world.close();
});

const broken = () => {
  throw new Error('no capacity, as tested');
};
const events = () =>
  world.outside.events.published
    .filter(({ type }) => type.startsWith('rollout_'))
    .map(({ type, detail }) => `${type.slice('rollout_'.length)} ${detail['wave']}`);

describe('a roll-out', () => {
  it('replaces all amphorae of an old image, in waves of which the first is a canary', async () => {
    world = await RolloutWorld.begin(5, { rollout_wave: 2 });
    world.watchServing(1);
    const id = await world.startRollout();
    await world.round();
    expect(await world.rollout(id)).toMatchObject({
      status: 'RUNNING',
      wave: 1,
      images: [{ compute_flavor: null, image_tag: null, image_from: ['one'], image_to: 'two' }],
      load_balancers: { total: 5, done: 0, failed: 0, replacing: 1, observed: 0 },
    });
    expect((await world.images()).filter((image) => image === 'two')).toHaveLength(1);
    expect(await world.rounds(id)).toMatchObject({
      status: 'COMPLETED',
      reason: null,
      wave: 3,
      load_balancers: { total: 5, done: 5, failed: 0, skipped: 0 },
    });
    expect(await world.images()).toEqual(Array(5).fill('two'));
    const wave = (number: number) => [`wave_started ${number}`, `wave_completed ${number}`];
    expect(events()).toEqual(['started 0', ...wave(1), ...wave(2), ...wave(3), 'completed 3']);
    expect(await unsoundness(world)).toEqual([]);
  });

  it('halts and says so when there is no image for one of its load balancers, and waits while nobody can say', async () => {
    world = await RolloutWorld.begin(2);
    const { compute } = world.outside;
    const currentImage = compute.currentImage.bind(compute);
    let isTransient = true;
    compute.currentImage = async () => {
      throw new DriverError('there is no image of tag:gone', { isTransient });
    };
    const id = await world.startRollout();
    await world.round();
    expect(world.refusals.splice(0)).toHaveLength(1);
    expect(await world.rollout(id)).toMatchObject({ status: 'RUNNING' });
    isTransient = false;
    await world.round();
    // Of the spares, for which there is none either.
    world.refusals.length = 0;
    expect(await world.rollout(id)).toMatchObject({ status: 'HALTED', reason: 'there is no image of tag:gone' });
    compute.currentImage = currentImage;
    await world.ask('PUT', `/${id}`, { status: 'RUNNING' });
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED', load_balancers: { done: 2 } });
  });

  it('goes on to the next wave only after this one was observed', async () => {
    world = await RolloutWorld.begin(3, { rollout_observation_ms: 600_000 });
    const id = await world.startRollout();
    const since = world.clock.now();
    while ((await world.rollout(id))['wave'] < 2) await world.round();
    expect(world.clock.now() - since).toBeGreaterThan(600_000);
    expect((await world.images()).filter((image) => image === 'two')).toHaveLength(2);
  });

  it('replaces the standby of a pair first, and one amphora at a time', async () => {
    world = await RolloutWorld.begin(1, { topology: 'ACTIVE_STANDBY' });
    world.watchServing(2);
    const id = await world.startRollout();
    const before = await world.loadBalancer(world.ids[0]!);
    const owner = await world.outside.network.vipOwner(before.id, before);
    await world.round();
    const [now] = await world.loadBalancers();
    expect(now!.amphora_ids).toContain(owner);
    expect(await world.imagesOf(before.id)).toEqual(['one', 'two']);
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED' });
    expect(await world.images()).toEqual(['two', 'two']);
    expect(await unsoundness(world)).toEqual([]);
  });

  it('takes no spare of the old image', async () => {
    world = await RolloutWorld.begin(0, { spare_amphorae: 1 });
    world.image = 'one';
    await world.round();
    world.ids.push(await world.createActive());
    await world.round();
    expect(await world.spareImages()).toEqual(['one']);
    world.image = 'two';
    await world.startRollout();
    const plan = world.hold('failover-amphora/ClaimSpare');
    await rollOut(world.services);
    await plan.reached();
    plan.letGo();
    await world.settle();
    expect(await world.images()).toEqual(['two']);
  });

  it('has nothing to do where all is new, and costs next to nothing where there is none', async () => {
    world = await RolloutWorld.begin(2);
    expect(await rollOut(world.services)).toBe(0);
    world.image = 'one';
    const id = await world.startRollout();
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED', load_balancers: { total: 0, done: 0 } });
    expect(world.journal).toEqual([]);
  });

  it('begins no more at a time than there may be failovers, others counted', async () => {
    world = await RolloutWorld.begin(6, { rollout_canary: 6, concurrent_failovers: 3 });
    const held = world.hold('failover-load-balancer/PlanOne');
    const [other] = (await world.loadBalancer(world.ids[0]!)).amphora_ids;
    await requestFailover(world.services, other!);
    await held.reached();
    const id = await world.startRollout();
    await rollOut(world.services);
    expect(await world.rollout(id)).toMatchObject({ load_balancers: { replacing: 2 } });
    held.letGo();
    await world.settle();
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED' });
  });

  it('begins nothing while the storm guard holds failovers back', async () => {
    world = await RolloutWorld.begin(2);
    await setStormGuard(world.services, undefined, { zone: 'a', is_engaged: true, silent: 9, amphorae: 10 });
    const id = await world.startRollout();
    for (let rounds = 0; rounds < 5; rounds++) await world.round();
    expect(await world.rollout(id)).toMatchObject({ status: 'RUNNING', load_balancers: { replacing: 0, done: 0 } });
    const guards = await readStormGuards(world.services.table);
    await setStormGuard(world.services, guards.get('a'), { zone: 'a', is_engaged: false, silent: 0, amphorae: 10 });
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED' });
  });

  it('leaves a load balancer alone that is in ERROR for a reason of its own, and says how many', async () => {
    world = await RolloutWorld.begin(2, { operation_attempts: 1 });
    const [first] = world.ids;
    world.on('amphora.pushConfiguration', 'before', broken, Number.POSITIVE_INFINITY);
    await world.rename(first!);
    await world.settle();
    world.faults.length = 0;
    expect((await world.loadBalancer(first!)).provisioning_status).toBe('ERROR');
    const id = await world.startRollout();
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED', load_balancers: { done: 1, skipped: 1 } });
    expect(await world.imagesOf(first!)).toEqual(['one']);
    world.refusals.length = 0;
  });
});

describe('a roll-out halts', () => {
  it('when a replacement fails: what served serves on, and it goes on when it is told to', async () => {
    world = await RolloutWorld.begin(3);
    world.watchServing(1);
    const fault = world.on('compute.build', 'before', broken, Number.POSITIVE_INFINITY);
    const id = await world.startRollout();
    const halted = await world.rounds(id);
    expect(halted).toMatchObject({ status: 'HALTED', wave: 1, load_balancers: { total: 3, done: 0, failed: 1 } });
    expect(halted['reason']).toMatch(/^load balancer [\w-]+ is in ERROR: .*no capacity, as tested/);
    expect(events().at(-1)).toBe('halted 1');
    expect(await world.images()).toEqual(['one', 'one', 'one']);
    const before = world.journal.length;
    for (let rounds = 0; rounds < 5; rounds++) await world.round();
    expect(world.journal.length).toBe(before);
    fault.times = 0;
    const { status, rollout } = await world.ask('POST', '', {});
    expect([status, rollout.id, rollout.status]).toEqual([200, id, 'RUNNING']);
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED', load_balancers: { done: 3, failed: 0 } });
    expect(await world.images()).toEqual(['two', 'two', 'two']);
    expect(await unsoundness(world)).toEqual([]);
  });

  it('when a load balancer is worse off while it is observed', async () => {
    world = await RolloutWorld.begin(3);
    for (const id of world.ids) await world.operatingStatus(id, 'ONLINE');
    const id = await world.startRollout();
    await world.round();
    const [canary] = (await world.rollout(id))['wave_load_balancers'];
    await world.operatingStatus(canary.id, 'DEGRADED');
    expect(await world.rounds(id)).toMatchObject({
      status: 'HALTED',
      reason: `load balancer ${canary.id} was ONLINE and is DEGRADED since`,
      load_balancers: { failed: 1, done: 0 },
    });
    expect((await world.images()).filter((image) => image === 'two')).toHaveLength(1);
    // Whoever resumes has looked: as it is now it may stay.
    await world.ask('PUT', `/${id}`, { status: 'RUNNING' });
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED', load_balancers: { done: 3 } });
  });

  it('not when somebody changed the load balancer meanwhile', async () => {
    world = await RolloutWorld.begin(1);
    const [first] = world.ids;
    await world.operatingStatus(first!, 'ONLINE');
    const id = await world.startRollout();
    await world.round();
    await world.rename(first!);
    await world.settle();
    await world.operatingStatus(first!, 'ERROR');
    expect(await world.rounds(id)).toMatchObject({ status: 'COMPLETED' });
  });

  it('when a new amphora is lost while it is observed', async () => {
    world = await RolloutWorld.begin(2);
    const id = await world.startRollout();
    await world.round();
    await world.round();
    const [canary] = (await world.rollout(id))['wave_load_balancers'];
    const [lost] = (await world.loadBalancer(canary.id)).amphora_ids;
    await requestFailover(world.services, lost!);
    await world.settle();
    expect(await world.rounds(id)).toMatchObject({
      status: 'HALTED',
      reason: `new amphora ${lost} of load balancer ${canary.id} was lost`,
    });
  });

  it('when yet another image is there, as that one was tried on no canary', async () => {
    world = await RolloutWorld.begin(3);
    const id = await world.startRollout();
    await world.round();
    world.image = 'three';
    expect(await world.rounds(id)).toMatchObject({ status: 'HALTED', reason: expect.stringMatching(/no longer two/) });
    expect(await world.images()).not.toContain('three');
    expect((await world.ask('DELETE', `/${id}`))['status']).toBe(204);
    const next = await world.startRollout();
    expect(await world.rounds(next)).toMatchObject({ status: 'COMPLETED', load_balancers: { done: 3 } });
  });
});

describe('an administrator', () => {
  it('pauses a roll-out, resumes it, and cancels it', async () => {
    world = await RolloutWorld.begin(4, { rollout_wave: 1 });
    const id = await world.startRollout();
    await world.round();
    expect((await world.ask('PUT', `/${id}`, { status: 'PAUSED' }))['rollout'].status).toBe('PAUSED');
    for (let rounds = 0; rounds < 10; rounds++) await world.round();
    expect((await world.images()).filter((image) => image === 'two')).toHaveLength(1);
    await world.ask('PUT', `/${id}`, { status: 'RUNNING' });
    while ((await world.rollout(id))['wave'] < 2) await world.round();
    expect((await world.ask('DELETE', `/${id}`))['status']).toBe(204);
    expect(await world.rounds(id)).toMatchObject({ status: 'CANCELLED' });
    for (let rounds = 0; rounds < 10; rounds++) await world.round();
    expect((await world.images()).filter((image) => image === 'two')).toHaveLength(2);
    expect(events().filter((event) => /paused|resumed|cancelled/.test(event))).toEqual([
      'paused 1',
      'resumed 1',
      'cancelled 2',
    ]);
  });

  it('may ask first what a start would answer, and then none is started', async () => {
    world = await RolloutWorld.begin(1);
    const { status, dry_run } = await world.ask('POST', '?dry_run=true', {});
    expect([status, dry_run.would_answer]).toEqual([200, 201]);
    expect((await world.ask('GET'))['rollouts']).toEqual([]);
    expect(events()).toEqual([]);
  });

  it('starts one at a time, and changes none that is over', async () => {
    world = await RolloutWorld.begin(1);
    const id = await world.startRollout();
    expect(await world.ask('POST', '', {})).toMatchObject({ status: 409, faultstring: `Rollout ${id} is RUNNING.` });
    await world.rounds(id);
    const refused = { status: 409, faultstring: `Rollout ${id} is COMPLETED and cannot be updated.` };
    expect(await world.ask('PUT', `/${id}`, { status: 'RUNNING' })).toMatchObject(refused);
    expect(await world.ask('DELETE', `/${id}`)).toMatchObject(refused);
    expect(await world.ask('GET', '/unknown')).toMatchObject({ status: 404 });
    expect(await world.ask('POST', '', { status: 'HALTED' })).toMatchObject({ status: 400 });
    expect((await world.ask('GET'))['rollouts'].map(({ status }: { status: string }) => status)).toEqual(['COMPLETED']);
  });
});
