// With a real HAProxy behind the API: until a change serves traffic, and until a dead amphora is replaced.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SqliteTable } from '../lambdas/drivers/table/sqlite.ts';
import { renderConfiguration } from '../lambdas/haproxy/render.ts';
import { readSpares } from '../lambdas/repositories/amphorae.ts';
import { readTree } from '../lambdas/repositories/trees.ts';
import { signal } from '../local/compute/processes.ts';
import { amphoraeOf, processesOf, workersOf } from '../local/demo/amphora-processes.ts';
import { type Created, exchange } from '../local/demo/client.ts';
import { type Member, startMember } from '../local/demo/members.ts';
import { untilServed } from '../local/demo/traffic.ts';
import { type Bench, type Row, repeatedly, times } from './bench.ts';
import { figures } from './figures.ts';
import { loadBalancerBody, real, type Setting, within } from './setting.ts';

const port = 8_080;
const pair = [...real(0), '--topology', 'ACTIVE_STANDBY'];

const bodyOf = ({ address, protocol_port }: Member) => ({ address, protocol_port });
type Tree = Created & { pools: Created[] };

/** A load balancer in front of the member. */
function create(setting: Setting, member: Member): Promise<Tree> {
  const default_pool = { name: 'pool', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members: [bodyOf(member)] };
  const listeners = [{ name: 'listener', protocol: 'HTTP', protocol_port: port, default_pool }];
  return setting.client.call<Tree>('POST', '/loadbalancers', loadBalancerBody(setting, { listeners }));
}

const urlOf = ({ vip_address }: Created): string => `http://${vip_address}:${port}/`;

async function withMember<T>(work: (member: Member) => Promise<T>): Promise<T> {
  const member = await startMember('member');
  try {
    return await work(member);
  } finally {
    member.close();
  }
}

async function withTable<T>({ service }: Setting, work: (table: SqliteTable) => Promise<T>): Promise<T> {
  const table = new SqliteTable({ path: join(service.state, 'table.sqlite') });
  try {
    return await work(table);
  } finally {
    await table.close();
  }
}

const untilSpare = (setting: Setting): Promise<void> =>
  withTable(setting, async (table) => {
    const giveUpAt = Date.now() + 15_000;
    while ((await readSpares(table)).length === 0) {
      if (Date.now() > giveUpAt) throw new Error('there is no spare');
      await sleep(20);
    }
  });

async function untilAnswers(url: string, name: string): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while ((await exchange(url, { headers: { connection: 'close' } })).text !== name) {
    if (Date.now() > giveUpAt) throw new Error(`${name} does not answer`);
  }
}

const memberLive: Bench = {
  name: 'member-live',
  title: 'Member until it serves (real HAProxy)',
  run: () =>
    within(real(0), (setting) =>
      withMember(async (member) => {
        const { client } = setting;
        const { id, pools, ...lb } = await create(setting, member);
        await client.untilActive(id);
        await untilServed(urlOf({ id, ...lb }));
        const added = await startMember('added');
        const path = `/pools/${pools[0]!.id}/members`;
        const measured: number[] = [];
        for (let run = 0; run < 40; run += 1) {
          const started = performance.now();
          const row = await client.call('POST', path, { member: bodyOf(added) });
          await untilAnswers(urlOf({ id, ...lb }), 'added');
          measured.push(performance.now() - started);
          await client.call('DELETE', `${path}/${row.id}`);
          await client.untilActive(id);
        }
        added.close();
        return [times('POST sent -> first response from it', measured, figures.memberLive)];
      }),
    ),
};

/** @returns times until ACTIVE and until the first 200 */
const created = (spares: number, runs: number) =>
  within(real(spares), (setting) =>
    withMember(async (member) => {
      const active: number[] = [];
      const served: number[] = [];
      for (let run = 0; run < runs; run += 1) {
        if (spares > 0) await untilSpare(setting);
        const started = performance.now();
        const lb = await create(setting, member);
        await setting.client.untilActive(lb.id);
        active.push(performance.now() - started);
        await untilServed(urlOf(lb));
        served.push(performance.now() - started);
        await setting.client.call('DELETE', `/loadbalancers/${lb.id}?cascade=true`);
        await setting.client.untilGone(lb.id);
      }
      return { active, served };
    }),
  );

const createServing: Bench = {
  name: 'create-serving',
  title: 'Create until it serves (real HAProxy)',
  run: async () => {
    const [without, spare] = [await created(0, 6), await created(1, 8)];
    return [
      times('without a spare: ACTIVE', without.active),
      times('without a spare: first 200', without.served, figures.serving),
      times('with a spare: ACTIVE', spare.active),
      times('with a spare: first 200', spare.served, figures.servingWithSpare),
    ];
  },
};

/** Ends or freezes all processes of the amphora that has the VIP, and asks until somebody answers. */
async function struck(setting: Setting, lb: Created, blow: 'SIGKILL' | 'SIGSTOP'): Promise<number> {
  // Of a pair the one that waits has no HAProxy yet.
  const amphora = amphoraeOf(setting.service.state, lb.id).find((one) => workersOf([one]).length > 0);
  if (amphora === undefined) throw new Error('there is no amphora that serves');
  const processes = processesOf(amphora);
  const started = performance.now();
  for (const each of processes) signal(each, blow);
  while (blow === 'SIGKILL' && processesOf(amphora).length > 0) await sleep(1);
  await untilServed(urlOf(lb), 20_000, 100);
  const tookMs = performance.now() - started;
  await setting.client.untilActive(lb.id);
  return tookMs;
}

const lost = (blow: 'SIGKILL' | 'SIGSTOP', runs: number, hasSpare = true) =>
  within(hasSpare ? real(1) : pair, (setting) =>
    withMember(async (member) => {
      const lb = await create(setting, member);
      await setting.client.untilActive(lb.id);
      await untilServed(urlOf(lb));
      const measured: number[] = [];
      for (let run = 0; run < runs; run += 1) {
        if (hasSpare) await untilSpare(setting);
        measured.push(await struck(setting, lb, blow));
      }
      return measured;
    }),
  );

const failover: Bench = {
  name: 'failover',
  title: 'Lost amphora until somebody serves (real HAProxy)',
  run: async () => [
    times('killed, of a pair', await lost('SIGKILL', 4, false), figures.killedPair),
    times('killed, single with a spare', await lost('SIGKILL', 5), figures.killedSingle),
    times('frozen, single with a spare', await lost('SIGSTOP', 2), figures.killedSingle, 'SIGSTOP'),
  ],
};

const renderOptions = { amphora_id: '00000000-0000-4000-8000-000000000000', hardStopAfterMs: 30_000 };
const memberCounts = [10, 100, 1_000, 5_000];

/** Of one more load balancer with a pool of so many members: rendered, replaced as a whole, and one added. */
async function withMembers(setting: Setting, member: Member, count: number): Promise<Row[]> {
  const { client } = setting;
  const { id, pools } = await create(setting, member);
  await client.untilActive(id);
  const path = `/pools/${pools[0]!.id}/members`;
  const inForce = async (method: string, where: string, body: unknown) => {
    const started = performance.now();
    await client.call(method, where, body);
    await client.untilActive(id);
    return performance.now() - started;
  };
  const addresses = Array.from({ length: count }, (_, index) => `127.1.${index >> 8}.${index & 255}`);
  const batch = (port: number) => addresses.map((address) => ({ address, protocol_port: port }));
  const all = [];
  for (const port of [20_000, 20_001, 20_002]) all.push(await inForce('PUT', path, { members: batch(port) }));
  const one = await repeatedly(
    (index) => inForce('POST', path, { member: { address: '127.0.9.1', protocol_port: 30_000 + index } }),
    { times: 10, warmUps: 2 },
  );
  const tree = await withTable(setting, (table) => readTree(table, id));
  const render = await repeatedly(async () => renderConfiguration(tree!, renderOptions), { times: 30, warmUps: 5 });
  const isTarget = count === 1_000;
  return [
    times(`${count} members: render`, render, isTarget ? figures.render1000 : undefined),
    times(`${count} members: replaced, in force`, all, isTarget ? figures.apply1000 : undefined),
    times(`${count} members: one more in force`, one),
  ];
}

const manyMembers: Bench = {
  name: 'many-members',
  title: 'Pools of many members (real HAProxy)',
  run: () =>
    within(real(0), (setting) =>
      withMember(async (member) => {
        const rows: Row[] = [];
        for (const count of memberCounts) rows.push(...(await withMembers(setting, member, count)));
        return rows;
      }),
    ),
};

export const benches = [memberLive, createServing, failover, manyMembers];
