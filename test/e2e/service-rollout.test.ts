// A roll-out of an image on one machine: real amphorae are replaced under traffic, and who watches sees how far it is.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { answersFrom, Load, type LoadResult, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

interface Rollout {
  id: string;
  status: string;
  reason: string | null;
  wave: number;
  images: { image_from: string[]; image_to: string }[];
  load_balancers: { total: number | null; done: number; failed: number };
}

const settings = ['--rollout-observation-ms', '2000', '--reconcile-interval-ms', '500'];
const count = 3;

let service: LocalService;
let member: TestMember;
let webs: WebLoadBalancer[];
beforeAll(async () => {
  service = await LocalService.start({ args: [...settings, '--spare-amphorae', '1'] });
  member = await TestMember.start('member');
  webs = [];
  for (let made = 0; made < count; made++) webs.push(await createWeb(service, [member], `web-${made}`));
  // One whose status can get worse.
  const monitor = { pool_id: webs[0]!.poolId, type: 'TCP', delay: 1, timeout: 1, max_retries: 2 };
  await service.api.create('healthmonitors', monitor);
  await eventually('its member is found to be well', async () => {
    const [found] = await service.api.list(`pools/${webs[0]!.poolId}/members`);
    return found!['operating_status'] === 'ONLINE';
  });
}, 120_000);
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

const base = '/v2.0/octavia/rollouts';
const show = async (id: string): Promise<Rollout> => (await service.api.call('GET', `${base}/${id}`)).rollout;
const start = async (): Promise<Rollout> => (await service.api.call('POST', base, { rollout: {} })).rollout;

interface Shown {
  loadbalancer_id: string | null;
  image_id: string;
}
async function images(): Promise<Set<string>> {
  const { amphorae } = (await service.api.call('GET', '/v2.0/octavia/amphorae')) as { amphorae: Shown[] };
  return new Set(amphorae.filter((one) => one.loadbalancer_id !== null).map((one) => one.image_id));
}

/** Everything that was seen of it on the way, each once. */
async function watched(id: string): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const { status, wave, load_balancers } = await show(id);
    const line = `${status} wave ${wave}: ${load_balancers.done} of ${load_balancers.total}`;
    if (seen.at(-1) !== line) seen.push(line);
    if (status !== 'RUNNING') return seen;
    await sleep(100);
  }
}

function told(results: LoadResult[]): string {
  const requests = results.reduce((sum, one) => sum + one.requests, 0);
  const failures = results.flatMap((one) => one.failures);
  return `${requests} requests, ${failures.length} failed: ${[...new Set(failures)].join(', ')}`;
}

test('a failover that is asked for costs no request', async () => {
  await service.spare();
  const [first] = webs;
  const load = new Load(first!.vip, listenerPort);
  await sleep(500);
  await service.api.failover(first!.id);
  await service.api.active(first!.id);
  await sleep(500);
  const result = await load.stop();
  console.log(`one failover: ${told([result])}`);
  expect(result.failures).toEqual([]);
}, 60_000);

test('replaces every amphora under traffic, and no request fails', async () => {
  const [before] = await images();
  await service.kill();
  await service.restart(['--amphora-image-name', 'next']);
  await eventually('a spare of the new image is ready', async () => {
    const { amphorae } = await service.api.call('GET', '/v2.0/octavia/amphorae');
    const spares = amphorae.filter((one: Shown & { status: string }) => one.status === 'READY');
    return spares.length === 1 && spares[0].image_id.startsWith('next-');
  });
  const loads = webs.map(({ vip }) => new Load(vip, listenerPort));
  const since = performance.now();
  const { id } = await start();
  const progress = await watched(id);
  const tookMs = performance.now() - since;
  const results = await Promise.all(loads.map((load) => load.stop()));
  console.log(progress.join('\n'));
  report('3 amphorae of a new image, waves of 1, 1, 1, 2 s of watching each', tookMs);
  report('longest pause between two answers', Math.max(...results.map(({ longestGapMs }) => longestGapMs)));
  console.log(`roll-out, ${count} moves of a VIP: ${told(results)}`);
  const rollout = await show(id);
  expect(rollout).toMatchObject({ status: 'COMPLETED', reason: null, load_balancers: { total: count, done: count } });
  expect(rollout.images).toMatchObject([{ image_from: [before], image_to: `next-${before}` }]);
  expect(progress.length).toBeGreaterThan(count);
  expect(await images()).toEqual(new Set([`next-${before}`]));
  for (const { vip } of webs) expect(await answersFrom(vip, listenerPort, 3)).toEqual(new Set(['member']));
  // What comes listens before what goes leaves.
  expect(results.flatMap((result) => result.failures)).toEqual([]);
}, 180_000);

test('goes on after the service was killed in the middle of it', async () => {
  await service.kill();
  await service.restart(['--amphora-image-name', 'third']);
  const { id } = await start();
  await eventually('a load balancer is being replaced', async () => {
    const rows = await Promise.all(webs.map((web) => service.api.show('loadbalancers', web.id)));
    return rows.some((row) => row.provisioning_status === 'PENDING_UPDATE');
  });
  await service.kill();
  await service.restart(['--amphora-image-name', 'third']);
  await eventually('the roll-out has ended', async () => (await show(id)).status !== 'RUNNING');
  expect(await show(id)).toMatchObject({ status: 'COMPLETED', reason: null, load_balancers: { done: count } });
  for (const image of await images()) expect(image).toMatch(/^third-/);
}, 180_000);
