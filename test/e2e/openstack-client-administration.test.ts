// What an administrator has in OpenStack's own client: quotas, flavors, availability zones, providers, and amphorae that run.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { systemClock } from '../../lambdas/runtime/clock.ts';
import { LocalService } from '../support/local-service.ts';
import { hasOpenStackClient, OpenStackClient } from '../support/openstack-client.ts';
import { request } from '../support/traffic.ts';

/** All of it at once, on two cores, with clients that look every three seconds. */
const generousMs = 180_000;

let service: LocalService;
const sessions: OpenStackClient[] = [];

beforeAll(async () => {
  if (!hasOpenStackClient) return;
  service = await LocalService.start({ args: ['--spare-amphorae', '1'] });
});

afterAll(async () => {
  await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
  await service?.[Symbol.asyncDispose]();
});

function signIn(cloud?: string): OpenStackClient {
  const session = new OpenStackClient(service, cloud);
  sessions.push(session);
  return session;
}

/** Only what is in ERROR can be deleted, and nothing from outside makes an amphora that is well be so. */
async function fail(amphoraId: string): Promise<void> {
  const table = new SqliteTable({ path: join(service.state, 'table.sqlite') });
  try {
    expect(await setAmphora({ table, clock: systemClock, newId: randomUUID }, amphoraId, { status: 'ERROR' })).toBe(
      true,
    );
  } finally {
    await table.close();
  }
}

const everything = '--loadbalancer --listener --pool --member --healthmonitor --l7policy --l7rule';

describe
  .skipIf(!hasOpenStackClient)
  .concurrent("OpenStack's client, of an administrator", { timeout: generousMs }, () => {
    test('shows, sets, unsets and resets quotas', async () => {
      const client = signIn();
      const defaults = await client.json('quota defaults show');
      expect(await client.json('quota show demo')).toEqual(defaults);
      const set = await client.json(
        'quota set demo --loadbalancer 7 --listener 6 --pool 5 --member 4 --healthmonitor 3 --l7policy 2 --l7rule 1',
      );
      const limits = { load_balancer: 7, listener: 6, pool: 5, member: 4, health_monitor: 3, l7policy: 2, l7rule: 1 };
      expect(set).toEqual(limits);
      expect(await client.json('quota show demo')).toEqual(limits);
      expect(await client.json('quota list --project demo')).toMatchObject([limits]);
      expect(await client.column('load_balancer', 'quota list')).toContain(7);
      await client.run('quota unset demo --loadbalancer --l7rule');
      const { load_balancer, l7rule } = defaults;
      expect(await client.json('quota show demo')).toEqual({ ...limits, load_balancer, l7rule });
      await client.run(`quota unset demo ${everything}`);
      expect(await client.json('quota show demo')).toEqual(defaults);
      await client.run('quota set demo --member 2');
      await client.run('quota reset demo');
      expect(await client.json('quota show demo')).toEqual(defaults);
      expect(await signIn('octavia-demo').json('quota show demo')).toEqual(defaults);
    });

    test('creates, shows, changes and deletes flavors and their profiles', async () => {
      const client = signIn();
      const single = '{"loadbalancer_topology": "SINGLE"}';
      const profile = await client.json('flavorprofile create --name one --provider amphora --flavor-data', single);
      expect(profile).toMatchObject({ name: 'one', provider_name: 'amphora', flavor_data: single });
      await client.run('flavorprofile set one --name single --provider octavia --flavor-data', single);
      expect(await client.json('flavorprofile show single')).toEqual(
        await client.json(`flavorprofile show ${profile.id}`),
      );
      expect(await client.column('name', 'flavorprofile list --name single --provider octavia')).toEqual(['single']);
      const flavor = await client.json(
        'flavor create --name cheap --flavorprofile single --disable --description',
        'a b',
      );
      expect(flavor).toMatchObject({ flavor_profile_id: profile.id, enabled: false, description: 'a b' });
      await client.run('flavor set cheap --name small --enable');
      await client.run('flavor unset small --description');
      expect(await client.json(`flavor show ${flavor.id}`)).toMatchObject({
        name: 'small',
        enabled: true,
        description: '',
      });
      expect(await client.column('name', 'flavor list --flavorprofile single --enable')).toEqual(['small']);
      await client.run('create --name flavored --vip-subnet-id vip-subnet --flavor small --wait');
      expect(await client.column('name', 'list --flavor small')).toEqual(['flavored']);
      await expect(client.run('flavorprofile delete single')).rejects.toThrow(/HTTP 409/);
      await client.run('delete flavored --wait');
      await client.run('flavor delete small');
      await client.run('flavorprofile delete single');
      expect(await client.column('name', 'flavorprofile list')).toEqual([]);
    });

    test('creates, shows, changes and deletes availability zones and their profiles', async () => {
      const client = signIn();
      const data = '{"compute_zone": "local-1"}';
      const profile = await client.json(
        'availabilityzoneprofile create --name here --provider amphora --availability-zone-data',
        data,
      );
      expect(profile).toMatchObject({ provider_name: 'amphora', availability_zone_data: data });
      await client.run('availabilityzoneprofile set here --name near --provider amphora');
      expect(await client.column('id', 'availabilityzoneprofile list --name near')).toEqual([profile.id]);
      expect(await client.json('availabilityzoneprofile show near')).toMatchObject({ id: profile.id });
      const zone = 'availabilityzone create --name az1 --availabilityzoneprofile near --disable --description';
      expect(await client.json(zone, 'a b')).toMatchObject({ name: 'az1', enabled: false, description: 'a b' });
      await client.run('availabilityzone set az1 --enable --description', 'c d');
      expect(await client.json('availabilityzone show az1')).toMatchObject({ enabled: true, description: 'c d' });
      await client.run('availabilityzone unset az1 --description');
      expect(await client.json('availabilityzone show az1')).toMatchObject({ description: '' });
      expect(await client.column('name', 'availabilityzone list --enable --availabilityzoneprofile near')).toEqual([
        'az1',
      ]);
      await client.run('availabilityzone delete az1');
      await client.run('availabilityzoneprofile delete near');
      expect(await client.column('name', 'availabilityzone list')).toEqual([]);
    });

    test('lists providers and what they are capable of', async () => {
      const client = signIn();
      expect(await client.column('name', 'provider list')).toEqual(['amphora', 'octavia']);
      const capabilities = await client.json('provider capability list amphora');
      const flavors = await client.json('provider capability list amphora --flavor');
      const zones = await client.json('provider capability list amphora --availability-zone');
      expect(flavors.map(({ name }: { name: string }) => name)).toContain('loadbalancer_topology');
      expect(zones.map(({ name }: { name: string }) => name)).toContain('compute_zone');
      expect(capabilities).toEqual([...flavors, ...zones]);
    });

    test('fails over, configures and deletes amphorae, and adds up what they count', async () => {
      const client = signIn();
      await client.run('create --name real --vip-subnet-id vip-subnet --wait');
      await client.run('listener create real --name web --protocol HTTP --protocol-port 8080 --wait');
      const { vip_address } = await client.json('show real');
      // There is no pool: HAProxy's answer is a 503, which counts.
      await request(vip_address, 8080).catch(() => undefined);
      const tree = JSON.parse(await client.run('status show real'));
      expect(tree.loadbalancer).toMatchObject({ name: 'real', listeners: [{ name: 'web' }] });
      expect(await client.json('stats show real')).toHaveProperty('total_connections');

      const listed = await client.json('amphora list --loadbalancer real --long --role STANDALONE --status ALLOCATED');
      expect(listed).toMatchObject([{ role: 'STANDALONE', status: 'ALLOCATED', ha_ip: vip_address }]);
      const [{ id, compute_id }] = listed;
      expect(await client.column('id', `amphora list --compute-id ${compute_id}`)).toEqual([id]);
      expect(await client.json(`amphora show ${id}`)).toMatchObject({ id, status: 'ALLOCATED', compute_id });
      expect(await client.json(`amphora stats show ${id} --listener web`)).toHaveProperty('bytes_in');
      await client.run(`amphora configure ${id} --wait`);
      await client.run(`amphora failover ${id} --wait`);
      const [second] = await client.column('id', 'amphora list --loadbalancer real --status ALLOCATED');
      expect(second).not.toBe(id);
      await client.run('failover real --wait');
      expect(await client.column('id', 'amphora list --loadbalancer real --status ALLOCATED')).not.toContain(second);
      expect(await client.json('listener stats show web')).toHaveProperty('total_connections');
      const [third] = await client.column('id', 'amphora list --loadbalancer real --status ALLOCATED');
      await expect(client.run(`amphora delete ${third}`)).rejects.toThrow(
        `amphora ${third} is immutable and cannot be updated. (HTTP 409)`,
      );
      await fail(String(third));
      await client.run(`amphora delete ${third} --wait`);
      await expect(client.run(`amphora show ${third}`)).rejects.toThrow('HTTP 404');
      await client.run('delete real --cascade --wait');
      await expect(client.run('show real')).rejects.toThrow('Unable to locate real in loadbalancers');
    });
  });
