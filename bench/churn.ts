// Ten thousand changes of members under load, with WebSockets that last: what clients notice of it, and what it does to HAProxy.
import { setTimeout as sleep } from 'node:timers/promises';
import { MemberChurn } from '../test/support/churn.ts';
import { HaproxyState } from '../test/support/haproxy-state.ts';
import { LocalService } from '../test/support/local-service.ts';
import { seeded } from '../test/support/random.ts';
import { Load, TestMember } from '../test/support/traffic.ts';
import { TunnelLoad } from '../test/support/tunnels.ts';
import { createWeb, listenerPort } from '../test/support/web-load-balancer.ts';
import { type Bench, type Row, rate } from './bench.ts';

const changes = 10_000;
const tunnelCount = 20;
/** Members that left are deleted after their last idle connection. */
const settleMs = 8_000;

interface Churned {
  changes: number;
  calls: number;
  tookMs: number;
  requests: number;
  failures: number;
  resets: number;
  lostTunnels: number;
  reloads: number;
  /** Of the worker, sampled each few changes. */
  memoryKib: number[];
  disagreements: number;
}

async function churnFor(service: LocalService, members: TestMember[], passing: TestMember): Promise<Churned> {
  const web = await createWeb(service, members);
  const monitor = { pool_id: web.poolId, type: 'HTTP', delay: 1, timeout: 1, max_retries: 1 };
  await service.api.create('healthmonitors', monitor);
  await service.api.active(web.id);
  const haproxy = new HaproxyState(service, web.id);
  const staying = members.map(({ address, protocol_port }) => ({
    address,
    protocol_port,
    weight: 1,
    admin_state_up: true,
  }));
  const pool = { id: web.poolId, loadBalancerId: web.id, staying, memberPort: passing.protocol_port };
  const churn = new MemberChurn(service.api, pool, seeded(11));
  const before = await haproxy.processes();
  const tunnels = await TunnelLoad.open(web.vip, listenerPort, tunnelCount);
  const load = new Load(web.vip, listenerPort);
  const memoryKib: number[] = [];
  const started = performance.now();
  while (churn.changes < changes) {
    await churn.round();
    memoryKib.push(await haproxy.memoryKib());
  }
  const tookMs = performance.now() - started;
  const { failures, closedIdle, requests } = await load.stop();
  const talk = await tunnels.stop();
  await sleep(settleMs);
  const after = await haproxy.processes();
  return {
    changes: churn.changes,
    calls: churn.calls,
    tookMs,
    requests,
    failures: failures.length,
    resets: closedIdle,
    lostTunnels: talk.failures.length,
    reloads: after.reloads - before.reloads + Number(after.worker !== before.worker),
    memoryKib,
    disagreements: await disagreements(churn, haproxy),
  };
}

/** Members that the table, the file and the process do not all say the same of. */
async function disagreements(churn: MemberChurn, haproxy: HaproxyState): Promise<number> {
  const [expected, file, servers] = [await churn.expected(), await haproxy.serversOfFile(), await haproxy.servers()];
  const text = (state: object | undefined) => JSON.stringify(Object.entries(state ?? {}).sort());
  const ids = new Set([...expected.keys(), ...file.keys(), ...servers.keys()]);
  return [...ids].filter((id) => {
    const wanted = text(expected.get(id));
    return text(file.get(id)) !== wanted || text(servers.get(id)) !== wanted;
  }).length;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function rowsOf(one: Churned): Row[] {
  const count = (what: string, value: number, note?: string): Row => ({
    what,
    value,
    unit: '',
    target: 0,
    ...(note === undefined ? {} : { note }),
  });
  // The first quarter grows to its size: connections, pools of memory.
  const quarter = Math.floor(one.memoryKib.length / 4);
  const [second, last] = [one.memoryKib.slice(quarter, 2 * quarter), one.memoryKib.slice(-quarter)];
  const memory = (part: number[]): number => median(part) / 1_024;
  return [
    rate('changes in force', one.changes, one.tookMs, {}, `${one.changes} by ${one.calls} calls`),
    count('failed requests', one.failures, `of ${one.requests}`),
    count('connections reset', one.resets),
    count('WebSockets lost', one.lostTunnels, `of ${tunnelCount}`),
    count('reloads and new workers', one.reloads),
    count('members that disagree', one.disagreements, 'table, file and process compared'),
    { what: 'memory of HAProxy, second quarter', value: memory(second), unit: 'MiB' },
    { what: 'memory of HAProxy, last quarter', value: memory(last), unit: 'MiB' },
  ];
}

const churn: Bench = {
  name: 'churn',
  title: 'Members change 10,000 times under load',
  run: async () => {
    const members = await Promise.all(['one', 'two'].map((name) => TestMember.start(name)));
    const passing = await TestMember.start('passing', '0.0.0.0');
    await using service = await LocalService.start({ args: ['--spare-amphorae', '0'] });
    try {
      return rowsOf(await churnFor(service, members, passing));
    } finally {
      for (const member of [...members, passing]) member[Symbol.dispose]();
    }
  },
};

export const benches = [churn];
