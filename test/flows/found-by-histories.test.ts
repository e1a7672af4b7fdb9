// Histories that once ended badly, made as small as they go.
import { expect, it } from 'vitest';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';
import { type Happening, tell } from '../support/histories.ts';

const happening = (what: Happening['what'], n: number, ticks: number, calls = [0]): Happening => ({
  what,
  n,
  calls,
  ticks,
});

const found: Record<string, Parameters<typeof tell>[0]> = {
  'a standby that is promoted while its word is taken in is listened to from then on': {
    ...{ isPair: true, hasSpare: false, isColocated: true, seed: 0 },
    happenings: [
      happening('leap', 0, 0),
      happening('endMachine', 0, 4),
      happening('hold', 79, 0),
      happening('beat', 0, 0),
    ],
  },
  'an operation whose start was put off for an hour keeps others off its load balancer': {
    ...{ isPair: false, hasSpare: false, seed: 555442865 },
    happenings: [
      happening('break', 50, 12),
      happening('leap', 116, 11),
      happening('leap', 23, 12),
      happening('write', 15, 9, [439]),
    ],
  },
  'a standby that was given the VIP and never became the master takes it along when it is replaced': {
    ...{ isPair: true, hasSpare: false, seed: 1462165201 },
    happenings: [
      happening('scan', 68, 3),
      happening('write', 84, 5, [1520, 1704]),
      happening('beat', 2, 9),
      happening('write', 84, 10, [1036]),
      happening('write', 45, 10, [363]),
      happening('write', 47, 3, [262]),
      happening('break', 28, 11),
      happening('break', 114, 10),
      happening('write', 29, 2, [249]),
      happening('endMachine', 2, 8),
    ],
  },
  'an amphora that is given up while its first sign is awaited leaves no health behind': {
    ...{ isPair: true, hasSpare: false, seed: 137688586 },
    happenings: [
      happening('silence', 115, 12),
      happening('break', 84, 3),
      happening('pass', 0, 10),
      happening('silence', 6, 11),
      happening('write', 87, 1, [1302, 737, 352]),
      happening('write', 107, 11, [640]),
      happening('speak', 93, 8),
      happening('break', 79, 8),
      happening('beat', 86, 4),
      happening('scan', 90, 9),
      happening('die', 93, 10),
      happening('leap', 116, 11),
      happening('beat', 66, 8),
      happening('hold', 69, 10),
      happening('housekeeping', 2, 6),
      happening('abort', 18, 6),
      happening('housekeeping', 117, 11),
    ],
  },
  'what an amphora has counted stays when the creation it was made for fails in the end': {
    ...{ isPair: false, hasSpare: false, seed: 1083866565 },
    happenings: [
      happening('write', 72, 7, [1181]),
      happening('scan', 63, 1),
      happening('lose', 41, 8),
      happening('carry', 113, 1),
      happening('break', 99, 7),
      happening('beat', 83, 5),
      happening('write', 112, 8, [1904]),
      happening('die', 29, 9),
      happening('pass', 56, 9),
      happening('write', 48, 12, [1986]),
    ],
  },
  'a configuration that is pushed late makes no load balancer ACTIVE that is half deleted': {
    ...{ isPair: false, hasSpare: false, seed: 979737909 },
    happenings: [
      happening('leap', 54, 2),
      happening('hold', 22, 1),
      happening('break', 33, 5),
      happening('write', 31, 8, [1042, 1539]),
      happening('leap', 1, 1),
    ],
  },
};

it.each(Object.entries(found))('%s', async (_name, history) => expect(await tell(history)).toEqual([]));

it('an interface that is plugged for an amphora which was swept meanwhile is taken away again', async () => {
  const world = new FlowWorld();
  const held = world.hold('network.plugVip');
  await world.create();
  await held.reached();
  await world.abortFlows();
  await world.runOut();
  await world.age();
  held.letGo();
  await world.runOut();
  await world.advance(5);
  expect(await unsoundness(world)).toEqual([]);
  await world.close();
});

it('an interface that is plugged while the other branch of its flow has failed is taken away again', async () => {
  const world = new FlowWorld({ topology: 'ACTIVE_STANDBY' });
  const failing = Promise.withResolvers<void>();
  world.on('compute.build', 'before', async () => {
    await failing.promise;
    throw new TypeError('no machines left');
  });
  const plugging = world.hold('network.plugVip', 'before');
  // It arrives after its interface was taken away, and before its machine is.
  world.on(
    'create-load-balancer/RevertComputeDelete',
    'before',
    async () => {
      plugging.letGo();
      for (let ticks = 0; ticks < 50; ticks++) await new Promise((resolve) => setImmediate(resolve));
    },
    2,
  );
  await world.create();
  await plugging.reached();
  failing.resolve();
  await world.settle();
  await world.age();
  expect(await unsoundness(world)).toEqual([]);
  await world.close();
});

it('a configuration that is pushed late makes no load balancer ACTIVE whose failover failed with the VIP on its way', async () => {
  const world = new FlowWorld();
  const id = await world.createActive();
  world.on('failover-amphora/ConfirmConfiguration', 'before', () => {
    throw new TypeError('as tested, when the new amphora has the VIP');
  });
  expect(await world.failover(id)).toBe(202);
  expect(await world.rename(id, 'meanwhile')).toBe(200);
  await world.settle();
  const { generation } = await world.loadBalancer(id);
  const late = { load_balancer_id: id, generation };
  await world.queue.send('work', { group: id, deduplication: 'late', body: late });
  await world.settle();
  expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ERROR', failed: 'failover' });
  expect(await world.rename(id, 'again')).toBe(200);
  await world.settle();
  expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ACTIVE' });
  expect(await unsoundness(world)).toEqual([]);
  await world.close();
});
