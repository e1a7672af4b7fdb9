// The API alone, on noop drivers: how long a reader or writer waits, and how many of them one process serves.
import { type Bench, rate, repeatedly, times } from './bench.ts';
import { figures } from './figures.ts';
import { load } from './load.ts';
import { fill, loadBalancerBody, noop, type Setting, within } from './setting.ts';

const concurrency = 16;
const loadMs = 4_000;

const readRate = async ({ service: { cloud } }: Setting, path: string) =>
  load({ cloud, method: 'GET', path, concurrency, count: Number.MAX_SAFE_INTEGER, durationMs: loadMs });

const show: Bench = {
  name: 'show',
  title: 'Show a load balancer',
  run: () =>
    within(noop, async (setting) => {
      const [id] = (await fill(setting, 1)).ids;
      const path = `/loadbalancers/${id}`;
      const alone = await repeatedly(() => setting.client.call('GET', path), { times: 1_000, warmUps: 300 });
      const { requests, tookMs } = await readRate(setting, path);
      return [
        times('show, alone', alone, figures.show),
        rate('show, 16 at a time', requests, tookMs, figures.showRate),
      ];
    }),
};

const list: Bench = {
  name: 'list',
  title: 'List load balancers',
  run: () =>
    within(noop, async (setting) => {
      const measured = async (count: number) => {
        const ask = async () => {
          const rows = await setting.client.call<unknown[]>('GET', '/loadbalancers');
          if (rows.length !== count) throw new Error(`${rows.length} of ${count} are listed`);
        };
        return repeatedly(ask, { times: 50, warmUps: 5 });
      };
      await fill(setting, 100);
      const hundred = await measured(100);
      await fill(setting, 900);
      return [
        times('list of 100', hundred, figures.list100),
        times('list of 1,000', await measured(1_000), figures.list1000),
      ];
    }),
};

/** 10 listeners, each with a pool of 10 members. */
const listeners = Array.from({ length: 10 }, (_, listener) => ({
  name: `listener-${listener}`,
  protocol: 'HTTP',
  protocol_port: 8_000 + listener,
  default_pool: {
    name: `pool-${listener}`,
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
    members: Array.from({ length: 10 }, (_, member) => ({
      name: `member-${member}`,
      address: `10.0.${listener}.${member + 1}`,
      protocol_port: 80,
    })),
  },
}));

const statusTree: Bench = {
  name: 'status-tree',
  title: 'Status tree of 10 listeners, 10 pools and 100 members',
  run: () =>
    within(noop, async (setting) => {
      const { id } = await setting.client.call('POST', '/loadbalancers', loadBalancerBody(setting, { listeners }));
      await setting.client.untilActive(id);
      const path = `/loadbalancers/${id}/status`;
      const alone = await repeatedly(() => setting.client.call('GET', path));
      const { requests, tookMs } = await readRate(setting, path);
      return [
        times('status tree, alone', alone, figures.statusTree),
        rate('status tree, 16 at a time', requests, tookMs, figures.statusTreeRate),
      ];
    }),
};

async function oneByOne(setting: Setting, count: number): Promise<number[]> {
  const answeredMs: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const started = performance.now();
    const { id } = await setting.client.call('POST', '/loadbalancers', loadBalancerBody(setting));
    answeredMs.push(performance.now() - started);
    await setting.client.untilActive(id);
  }
  return answeredMs;
}

async function createRate(setting: Setting) {
  const body = JSON.stringify(loadBalancerBody(setting));
  const { cloud } = setting.service;
  return load({ cloud, method: 'POST', path: '/loadbalancers', body, concurrency, count: 1_000, durationMs: loadMs });
}

/** What is asked for is built meanwhile in the same process; where it is paused, the API is alone. */
const create: Bench = {
  name: 'create',
  title: 'Create a load balancer: the answer',
  run: async () => {
    const working = await within(noop, async (setting) => {
      const alone = await oneByOne(setting, 80);
      return { alone: alone.slice(20), ...(await createRate(setting)) };
    });
    const paused = await within([...noop, '--pause'], createRate);
    return [
      times('create, alone', working.alone, figures.create, 'each after the one before is ACTIVE'),
      rate('create, 16 at a time', working.requests, working.tookMs, figures.createRate),
      rate('create, 16 at a time, work paused', paused.requests, paused.tookMs),
    ];
  },
};

export const benches = [show, list, statusTree, create];
