// Colocation on one machine: four load balancers of a flavor on one host, which dies, is left by one alone, fills up again and ends.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { amphoraeOn } from '../../lambdas/domain/host.ts';
import { eventually, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { hasOpenStackClient, OpenStackClient } from '../support/openstack-client.ts';
import { processesOf, sendSignal } from '../support/processes.ts';
import { Load, request, TestMember } from '../support/traffic.ts';
import { asWeb, listenerPort, type WebLoadBalancer, webGraph } from '../support/web-load-balancer.ts';

interface Shown {
  id: string;
  loadbalancer_id: string;
  compute_id: string;
  host_id?: string;
  status: string;
}

let service: LocalService;
let member: TestMember;
let flavor_id: string;
const webs: WebLoadBalancer[] = [];
beforeAll(async () => {
  // On a busy machine a heartbeat may be late, and a host with somebody late on it is given nobody.
  service = await LocalService.start({ args: ['--heartbeat-interval-ms', '6000', '--heartbeat-timeout-ms', '20000'] });
  member = await TestMember.start('member');
  const profile = { name: 'small', provider_name: 'amphora', flavor_data: JSON.stringify({ colocation: 4 }) };
  const { id: flavor_profile_id } = await service.api.create('flavorprofiles', profile);
  flavor_id = (await service.api.create('flavors', { name: 'small', flavor_profile_id })).id;
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

async function create(name: string): Promise<WebLoadBalancer> {
  const { id } = await service.api.createLoadBalancer(webGraph([member], { name, flavor_id }));
  return asWeb(await service.api.active(id));
}

async function remove({ id }: WebLoadBalancer): Promise<void> {
  await service.api.delete('loadbalancers', `${id}?cascade=true`);
  await service.api.gone('loadbalancers', id);
}

/** What `openstack loadbalancer amphora list` asks for. */
const shown = async (query = ''): Promise<Shown[]> =>
  (await service.api.call('GET', `/v2/octavia/amphorae${query}`)).amphorae;

/** The machine of a load balancer, as its only amphora shows it. */
const machineOf = ({ id }: WebLoadBalancer): Promise<string> =>
  eventually('it has one amphora', async () => {
    const [only, ...others] = await shown(`?loadbalancer_id=${id}`);
    return others.length === 0 && only?.status === 'ALLOCATED' && only.host_id === only.compute_id
      ? only.compute_id
      : undefined;
  });
const machinesOf = (all: WebLoadBalancer[]): Promise<string[]> => Promise.all(all.map(machineOf));

const serves = ({ vip }: WebLoadBalancer) =>
  eventually(`${vip} serves`, async () => (await request(vip, listenerPort)) === 'member');
const taken = async () => (await service.hosts()).map((host) => host.taken).toSorted();
const directoryOf = (amphoraId: string) => `${service.state}/amphorae/${amphoraId}`;

test('puts four load balancers on one host, and shows them with the same compute_id', async () => {
  for (const name of ['one', 'two', 'three', 'four']) webs.push(await create(name));
  for (const web of webs) await serves(web);
  const [host] = await machinesOf(webs);
  expect((await shown(`?compute_id=${host}`)).map((one) => one.loadbalancer_id).toSorted()).toEqual(
    webs.map(({ id }) => id).toSorted(),
  );
  expect(await taken()).toEqual([4]);
});

test.runIf(hasOpenStackClient)('lists the four of a host in OpenStack’s client, by its compute_id', async () => {
  const [host] = await machinesOf(webs);
  await using client = new OpenStackClient(service);
  const listed = await client.json('amphora list --long');
  expect(listed.filter(({ compute_id }: Shown) => compute_id === host)).toHaveLength(4);
  const owners = await client.column('loadbalancer_id', `amphora list --compute-id ${host}`);
  expect(owners.toSorted()).toEqual(webs.map(({ id }) => id).toSorted());
});

test('serves all four again, from another host, when every process of the host is killed', async () => {
  const [host] = await service.hosts();
  const lost = amphoraeOn(host!);
  for (const id of lost) for (const { pid } of processesOf(directoryOf(id))) sendSignal(pid, 'SIGKILL');
  const since = performance.now();
  await Promise.all(webs.map(serves));
  report('host of four killed -> all four served again', performance.now() - since);
  for (const { id } of webs) await service.api.active(id);
  await eventually('nothing of it is left', () => lost.every((id) => !existsSync(directoryOf(id))));
  await eventually('the host is forgotten', async () => !(await service.hosts()).some(({ id }) => id === host!.id));
  const machines = await machinesOf(webs);
  expect([new Set(machines).size, machines.includes(host!.id)]).toEqual([1, false]);
  expect(await taken()).toEqual([4]);
});

test('moves one alone when it is failed over, and no request to the other three fails', async () => {
  const [moved, ...others] = webs as [WebLoadBalancer, ...WebLoadBalancer[]];
  const before = await machineOf(moved);
  const amphorae = await Promise.all(others.map(({ id }) => service.amphora(id)));
  const loads = others.map(({ vip }) => new Load(vip, listenerPort));
  const [{ id: old }] = (await shown(`?loadbalancer_id=${moved.id}`)) as [Shown];
  await service.api.call('PUT', `/v2/octavia/amphorae/${old}/failover`);
  await eventually('its amphora is another', async () => !existsSync(directoryOf(old)));
  await service.api.active(moved.id);
  await serves(moved);
  for (const load of loads) {
    const { requests, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(10);
  }
  expect(await machineOf(moved)).not.toBe(before);
  expect(await machinesOf(others)).toEqual(others.map(() => before));
  expect(await Promise.all(others.map(({ id }) => service.amphora(id)))).toEqual(amphorae);
  await eventually('its place is given back', async () => (await taken()).join() === '1,3');
});

test('gives the place of one that is deleted to a fifth', async () => {
  const [, second, third] = webs as [WebLoadBalancer, WebLoadBalancer, WebLoadBalancer];
  const full = await machineOf(third);
  await create('fills the host').then((web) => webs.push(web));
  expect(await taken()).toEqual([1, 4]);
  await remove(second);
  webs.splice(1, 1);
  await eventually('its place is given back', async () => (await taken()).join() === '1,3');
  const fifth = await create('five');
  webs.push(fifth);
  await serves(fifth);
  expect(await machineOf(fifth)).toBe(full);
  expect(await taken()).toEqual([1, 4]);
  await serves(third);
});

test('ends the hosts after the last of them, and leaves no process behind', async () => {
  for (const web of webs) await remove(web);
  await eventually('no host is left', async () => (await service.hosts()).length === 0);
  expect((await shown()).filter(({ host_id }) => host_id !== undefined)).toEqual([]);
  expect(service.processes().filter(({ kind }) => kind === 'haproxy')).toEqual([]);
});
