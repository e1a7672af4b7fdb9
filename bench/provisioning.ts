// Until a change is in force, on noop drivers: the queue, the flows and the commits, without a machine behind them.
import type { Created } from '../local/demo/client.ts';
import { type Bench, rate, repeatedly, times } from './bench.ts';
import { figures } from './figures.ts';
import { load } from './load.ts';
import { fill, loadBalancerBody, noop, type Setting, within } from './setting.ts';

const createActive: Bench = {
  name: 'create-active',
  title: 'Create a load balancer until ACTIVE',
  run: () =>
    within(noop, async (setting) => {
      const { client } = setting;
      const body = loadBalancerBody(setting);
      const alone = await repeatedly(
        async () => client.untilActive((await client.call('POST', '/loadbalancers', body)).id),
        { times: 40, warmUps: 5 },
      );
      const count = 200;
      const { activeMs } = await fill(setting, count);
      return [
        times('create -> ACTIVE, alone', alone, figures.createActive, 'polled each 5 ms'),
        rate('create -> ACTIVE, 16 at a time', count, activeMs, figures.createActiveRate),
      ];
    }),
};

/** A load balancer with one listener and an empty pool. @returns ids of both */
export async function withPool({ client, ...setting }: Setting, port = 8_080): Promise<{ id: string; pool: string }> {
  const default_pool = { name: 'pool', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' };
  const listeners = [{ name: 'listener', protocol: 'HTTP', protocol_port: port, default_pool }];
  const body = loadBalancerBody({ client, ...setting }, { listeners });
  const created = await client.call<Created & { pools: Created[] }>('POST', '/loadbalancers', body);
  await client.untilActive(created.id);
  return { id: created.id, pool: created.pools[0]!.id };
}

const addresses = (count: number, network = '10.1') =>
  Array.from({ length: count }, (_, index) => `${network}.${index >> 8}.${index & 255}`);

const addMember: Bench = {
  name: 'add-member',
  title: 'Add members to one load balancer',
  run: () =>
    within(noop, async (setting) => {
      const { client, service } = setting;
      const { id, pool } = await withPool(setting);
      const path = `/pools/${pool}/members`;
      const post = async (index: number) =>
        client.call('POST', path, { member: { address: '10.9.0.1', protocol_port: 1_000 + index } });
      // One is in force before the next is added: alone on its load balancer.
      const alone: number[] = [];
      for (let index = 0; index < 60; index += 1) {
        alone.push(...(await repeatedly(() => post(index), { times: 1, warmUps: 0 })));
        await client.untilActive(id);
      }
      const count = 400;
      const body = JSON.stringify({ member: { address: '10.8.0.1', protocol_port: '{n}' } }).replace('"{n}"', '{n}');
      const started = performance.now();
      const order = { cloud: service.cloud, method: 'POST', path, body, concurrency: 16 };
      const { requests } = await load({ ...order, count, durationMs: 20_000 });
      await client.untilActive(id);
      const tookMs = performance.now() - started;
      return [
        times('add a member: the answer', alone.slice(10), figures.addMember),
        rate('members until ACTIVE, 16 at a time', requests, tookMs, figures.addMemberRate),
      ];
    }),
};

const batch: Bench = {
  name: 'batch',
  title: 'Replace all members of a pool by one call',
  run: () =>
    within(noop, async (setting) => {
      const measured = async (count: number) => {
        const { id, pool } = await withPool(setting);
        const taken: number[] = [];
        for (let index = 0; index < 12; index += 1) {
          // Other addresses each time: as many members go as come.
          const members = addresses(count, `10.${index}`).map((address) => ({ address, protocol_port: 80 }));
          const put = () => setting.client.call('PUT', `/pools/${pool}/members`, { members });
          taken.push(...(await repeatedly(put, { times: 1, warmUps: 0 })));
          await setting.client.untilActive(id);
        }
        return taken.slice(2);
      };
      return [
        times('batch of 100: the answer', await measured(100), figures.batch100),
        times('batch of 1,000: the answer', await measured(1_000)),
      ];
    }),
};

export const benches = [createActive, addMember, batch];
