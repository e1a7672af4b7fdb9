// The steps of the demonstration. Each returns what it saw, or throws NotHeld.
import { setTimeout as sleep } from 'node:timers/promises';
import { killAmphora, processesOf } from './amphora-processes.ts';
import type { Created } from './client.ts';
import { duration, hold, type Report, type Seen } from './report.ts';
import { type Stage, vipPort } from './stage.ts';
import { untilServed } from './traffic.ts';

const balancedRequests = 200;
const steadyMs = 500;
const quietMs = 150;
const memberBody = ({ name, address, protocol_port }: { name: string; address: string; protocol_port: number }) => ({
  name,
  address,
  protocol_port,
});

async function token(stage: Stage): Promise<string> {
  await stage.login();
  return `${stage.service.cloud.username} of project ${stage.service.cloud.project_name} at ${stage.service.cloud.endpoint}`;
}

async function create(stage: Stage): Promise<string> {
  const members = [await stage.addMember('member-1'), await stage.addMember('member-2')];
  const started = performance.now();
  const default_pool = {
    name: 'members',
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
    healthmonitor: { type: 'HTTP', delay: 1, timeout: 1, max_retries: 1 },
    members: members.map(memberBody),
  };
  await stage.create({
    name: 'demo',
    vip_subnet_id: stage.service.cloud.subnet_id,
    listeners: [{ name: 'web', protocol: 'HTTP', protocol_port: vipPort, default_pool }],
  });
  await stage.client.untilActive(stage.loadBalancer.id);
  const activeMs = performance.now() - started;
  await untilServed(stage.url);
  const servedMs = performance.now() - started;
  return `one call: ACTIVE after ${duration(activeMs)}, first 200 through ${stage.loadBalancer.vip_address} after ${duration(servedMs)}`;
}

async function balance(stage: Stage): Promise<Seen> {
  const { traffic } = stage;
  while (traffic.answered + traffic.failures.length < balancedRequests) await sleep(5);
  const detail = [...traffic.counts]
    .toSorted()
    .map(([name, count]) => `${name.padEnd(12)}${String(count).padStart(5)}`);
  const counts = [...traffic.counts.values()];
  holdNothingFailed(stage);
  hold(counts.length === 2 && Math.min(...counts) > 0.4 * traffic.answered, `not in turns: ${detail.join(', ')}`);
  return { seen: `${traffic.answered} requests, in turns, 0 failed`, detail };
}

function holdNothingFailed({ traffic: { failures, answered } }: Stage): void {
  hold(failures.length === 0, `${failures.length} of ${answered + failures.length} requests failed: ${failures[0]}`);
}

/** What a change may not do to those who are being served. */
async function undisturbed(stage: Stage, change: () => Promise<string>): Promise<string> {
  stage.traffic.reset();
  const before = stage.service.state === undefined ? undefined : stage.workers();
  const seen = await change();
  await sleep(steadyMs);
  holdNothingFailed(stage);
  const account = `${seen}; ${stage.traffic.answered} requests, 0 failed`;
  if (before === undefined) return account;
  hold(before !== '' && stage.workers() === before, `HAProxy was reloaded: worker ${before}, now ${stage.workers()}`);
  return `${account}, 0 reloads`;
}

const poolPath = (stage: Stage): string => `/pools/${stage.loadBalancer.pools[0]!.id}/members`;

const addMember = (stage: Stage): Promise<string> =>
  undisturbed(stage, async () => {
    const added = await stage.addMember('member-3');
    const [, ms] = await Promise.all([
      stage.client.call('POST', poolPath(stage), { member: memberBody(added) }),
      stage.traffic.untilAnswered((name) => name === 'member-3'),
    ]);
    return `first response from it ${duration(ms)} after the POST`;
  });

/** Until the member was not asked for a while: the requests that were on their way have ended. */
async function untilQuiet(stage: Stage, name: string): Promise<void> {
  const asked = () => stage.traffic.counts.get(name) ?? 0;
  const giveUpAt = Date.now() + 5_000;
  for (let before = -1; before !== asked(); await sleep(quietMs)) {
    hold(Date.now() < giveUpAt, `${name} is still asked with weight 0`);
    before = asked();
  }
}

const removeMember = (stage: Stage): Promise<string> =>
  undisturbed(stage, async () => {
    const rows = await stage.client.call<(Created & { name: string })[]>('GET', poolPath(stage));
    const path = `${poolPath(stage)}/${rows.find(({ name }) => name === 'member-3')?.id}`;
    const started = performance.now();
    await stage.client.call('PUT', path, { member: { weight: 0 } });
    await stage.client.untilActive(stage.loadBalancer.id);
    const drainedMs = performance.now() - started;
    await untilQuiet(stage, 'member-3');
    await stage.client.call('DELETE', path);
    await stage.client.untilActive(stage.loadBalancer.id);
    stage.traffic.counts.delete('member-3');
    await sleep(steadyMs / 2);
    hold(!stage.traffic.counts.has('member-3'), 'it was asked after it had been removed');
    return `weight 0 in force after ${duration(drainedMs)}, then removed`;
  });

async function killed(stage: Stage): Promise<string> {
  const [amphora] = stage.amphorae();
  hold(amphora !== undefined, `no amphora in ${stage.state}`);
  stage.traffic.reset();
  const dead = killAmphora(amphora!);
  const ms = await stage.traffic.untilAnswered(() => true);
  const failed = stage.traffic.failures.length;
  await stage.client.untilActive(stage.loadBalancer.id);
  const successor = stage.amphorae().find(({ amphoraId }) => amphoraId !== amphora!.amphoraId);
  hold(successor !== undefined, 'no other amphora took its place');
  return `kill -9 of ${dead} processes; served again after ${duration(ms)} (${failed} requests failed)`;
}

async function statistics(stage: Stage): Promise<string> {
  const giveUpAt = Date.now() + 5_000;
  for (;;) {
    type Statistics = { total_connections: number; bytes_in: number; bytes_out: number };
    const stats = await stage.client.call<Statistics>('GET', `/loadbalancers/${stage.loadBalancer.id}/stats`);
    const { total_connections, bytes_in, bytes_out } = stats;
    if (bytes_out > 0) return `${total_connections} connections, ${bytes_in} bytes in, ${bytes_out} bytes out`;
    hold(Date.now() < giveUpAt, 'nothing was counted');
    await sleep(100);
  }
}

async function remove(stage: Stage): Promise<string> {
  await stage.stopTraffic();
  const { vip_address } = stage.loadBalancer;
  const amphorae = stage.service.state === undefined ? undefined : stage.amphorae();
  await stage.remove();
  if (amphorae === undefined) return `load balancer at ${vip_address} is gone`;
  const giveUpAt = Date.now() + 5_000;
  while (amphorae.flatMap(processesOf).length > 0 && Date.now() < giveUpAt) await sleep(20);
  const left = amphorae.flatMap(processesOf);
  hold(left.length === 0, `processes are left: ${left.map(({ pid }) => pid).join(', ')}`);
  return `load balancer at ${vip_address} is gone, and so are its processes`;
}

/** In order. Without a token or a load balancer there is nothing to go on with. */
export async function takeSteps(stage: Stage, report: Report): Promise<void> {
  const hasBegun =
    (await report.step('token', () => token(stage))) && (await report.step('create', () => create(stage)));
  if (!hasBegun) return;
  await report.step(`balance ${balancedRequests} requests`, () => balance(stage));
  await report.step('add a member under load', () => addMember(stage));
  await report.step('drain and remove it under load', () => removeMember(stage));
  await report.step('kill the amphora under load', () => killed(stage));
  await report.step('statistics', () => statistics(stage));
  await report.step('delete everything', () => remove(stage));
}
