// Housekeeping of machines that load balancers share: ended when they are empty, whatever is cut off, and never before.
import { describe, expect, it } from 'vitest';
import { bornAmphora } from '../../lambdas/controller/amphora-birth.ts';
import { DriverError } from '../../lambdas/domain/errors.ts';
import { newHost } from '../../lambdas/domain/host.ts';
import { eraseAmphora, putAmphora, readAllAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { makeHost, readHosts, readHostsMade, takePlace } from '../../lambdas/repositories/hosts.ts';
import { useFlowHosts } from '../support/flow-hosts.ts';

const shared = useFlowHosts();

describe('housekeeping', () => {
  /** A host that is to end. */
  async function empty(): Promise<void> {
    const [id] = await shared.created(1, { flavor_id: await shared.world.flavor({ colocation: 2 }) });
    await shared.world.remove(id!);
    await shared.world.settle();
  }

  it('that dies at any step of ending a host is made up for by the next round', async () => {
    await empty();
    const first = shared.world.effects;
    await shared.world.housekeeping();
    const steps = shared.world.effects - first;
    expect([steps >= 3, shared.compute.hosts.size]).toEqual([true, 0]);
    for (let step = 1; step <= steps; step++) {
      await empty();
      shared.world.atEffect = { number: shared.world.effects + step, act: shared.world.die };
      await shared.world.housekeeping();
      shared.world.atEffect = undefined;
      await shared.world.restart();
      await shared.world.housekeeping();
      expect([step, await shared.taken(), shared.compute.hosts.size]).toEqual([step, [], 0]);
    }
  });

  it('tries again when compute will not end a host, and gives nobody a place on it', async () => {
    await empty();
    shared.world.on('compute.deleteHost', 'before', () => {
      throw new DriverError('not now');
    });
    await shared.world.housekeeping();
    expect(shared.world.refusals).toHaveLength(1);
    expect(await shared.taken()).toEqual([0]);
    const [id] = await shared.created(1, { flavor_id: (await anyFlavor())! });
    expect(await shared.taken()).toEqual([1, 0]);
    await shared.world.housekeeping();
    expect([await shared.taken(), shared.compute.hosts.size]).toEqual([[1], 1]);
    expect(await shared.hostsOf(id!)).toEqual([...shared.compute.hosts]);
  });

  const anyFlavor = async () => (await shared.world.api({ path: '/v2/lbaas/flavors' })).body.flavors[0].id as string;

  it('keeps the place of an amphora whose machine nobody noted until that machine is gone', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 2 });
    await shared.created(1, { flavor_id });
    // The machine is made, and the build fails before it is noted.
    shared.world.on('compute.build', 'after', () => {
      throw new Error('as tested');
    });
    const id = await shared.world.create({ flavor_id });
    await shared.world.settle();
    expect((await shared.world.loadBalancer(id)).provisioning_status).toBe('ERROR');
    expect([
      await shared.taken(),
      (await shared.compute.list()).length,
      (await readAllAmphorae(shared.table)).length,
    ]).toEqual([[2], 2, 1]);
    await shared.world.housekeeping();
    await shared.world.housekeeping();
    expect([await shared.taken(), (await shared.compute.list()).length]).toEqual([[1], 1]);
    await shared.world.failover(id);
    await shared.world.settle();
    expect(await shared.taken()).toEqual([2]);
  });

  it('frees the place of an amphora that was swept and got another by a late build', async () => {
    await shared.created(1, { flavor_id: await shared.world.flavor({ colocation: 3 }) });
    const { services } = shared.world;
    const [host] = await readHosts(shared.table);
    const guest = { amphora_id: services.newId(), load_balancer_id: null };
    const late = bornAmphora(services, guest.amphora_id, null, host!);
    await putAmphora(services, late);
    expect(await takePlace(services, host!, guest)).toBe(true);
    await eraseAmphora(services, late.id, null);
    await putAmphora(services, late);
    await makeHost(services, newHost('another', host!, host!.created_at), guest, await readHostsMade(shared.table));
    expect(await shared.taken()).toEqual([2, 1]);
    await shared.world.housekeeping();
    expect(await shared.taken()).toEqual([1, 1]);
    shared.world.clock.turn(services.config.flow_timeout_ms);
    await shared.world.housekeeping();
    await shared.world.housekeeping();
    expect(await shared.taken()).toEqual([1]);
  });

  it('ends a host that a late build made anew after it was ended', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 2 });
    const held = shared.world.hold('compute.build');
    await shared.world.create({ flavor_id });
    await held.reached();
    const [{ id: hostId } = { id: '' }] = await readHosts(shared.table);
    // Its time is over, all it had is swept, and then the call arrives.
    await shared.world.abortFlows();
    shared.world.clock.turn(shared.world.services.config.operation_timeout_ms + 1);
    await shared.world.housekeeping();
    await shared.world.housekeeping();
    held.letGo();
    await shared.world.settle();
    await shared.world.age();
    expect(shared.compute.hosts.has(hostId) && !(await readHosts(shared.table)).some(({ id }) => id === hostId)).toBe(
      false,
    );
  });
});
