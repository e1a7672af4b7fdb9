// Every command group a project has in OpenStack's own client, against the service with nothing behind it: the client is the judge.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalService } from '../support/local-service.ts';
import { CommandFailed, hasOpenStackClient, OpenStackClient, openstack } from '../support/openstack-client.ts';

/** All of it at once, on two cores, with clients that look every three seconds. */
const generousMs = 180_000;

let service: LocalService;
const sessions: OpenStackClient[] = [];

beforeAll(async () => {
  if (!hasOpenStackClient) return;
  service = await LocalService.start({ args: ['--compute', 'noop', '--network', 'noop'] });
});

afterAll(async () => {
  await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
  await service?.[Symbol.asyncDispose]();
});

/** A session each, so that one story's `--wait` is not the other's. */
function signIn(cloud?: string): OpenStackClient {
  const session = new OpenStackClient(service, cloud);
  sessions.push(session);
  return session;
}

/** A load balancer of one's own, and whatever it shall have. */
async function having(client: OpenStackClient, name: string, ...commands: string[]): Promise<void> {
  await client.run(`create --name ${name} --vip-subnet-id vip-subnet`);
  for (const command of commands) await client.run(command);
}

describe.skipIf(!hasOpenStackClient).concurrent("OpenStack's client", { timeout: generousMs }, () => {
  test('finds the cloud by the clouds.yaml in the state directory', async () => {
    const words = ['--os-cloud', 'octavia', 'loadbalancer', 'provider', 'list', '-f', 'value', '-c', 'name'];
    expect((await openstack(service, words)).trim().split('\n')).toContain('amphora');
  });

  test('creates, shows, changes and deletes load balancers, by name and by id', async () => {
    const client = signIn();
    const created = await client.json(
      'create --name web --vip-subnet-id vip-subnet --provider amphora --project admin --tag blue --tag green --wait --description',
      'serves the web',
    );
    expect(created).toMatchObject({
      name: 'web',
      description: 'serves the web',
      provisioning_status: 'ACTIVE',
      admin_state_up: true,
      provider: 'amphora',
      tags: 'blue\ngreen',
    });
    expect(await client.json(`show ${created.id}`)).toEqual(await client.json('show web'));
    await client.run('set web --name shop --disable --tag red --wait --description', 'serves the shop');
    expect(await client.json('show shop')).toMatchObject({
      id: created.id,
      description: 'serves the shop',
      admin_state_up: false,
    });
    expect((await client.json('show shop')).tags.split('\n').toSorted()).toEqual(['blue', 'green', 'red']);
    await client.run('unset shop --description --tag red --wait');
    expect(await client.json('show shop')).toMatchObject({ description: '' });
    // Python's set has no order.
    expect((await client.json('show shop')).tags.split('\n').toSorted()).toEqual(['blue', 'green']);
    await client.run('unset shop --all-tag');
    expect(await client.json('show shop')).toMatchObject({ tags: '' });
    await client.run('unset shop --name --vip-qos-policy-id');
    await client.run(`delete ${created.id} --wait`);
    await expect(client.run(`show ${created.id}`)).rejects.toThrow(`Unable to locate ${created.id} in loadbalancers`);
  });

  test('creates load balancers on a network and at an address, and says why it may not', async () => {
    const client = signIn();
    const onNetwork = await client.json('create --name on-network --vip-network-id vip-net');
    expect(onNetwork.vip_subnet_id).toBe(service.ready.subnet_id);
    const atAddress = await client.json(
      'create --name at-address --vip-subnet-id vip-subnet --vip-address 198.18.77.7 --vip-qos-policy-id none',
    );
    expect(atAddress.vip_address).toBe('198.18.77.7');
    expect(await client.column('name', `list --vip-port-id ${atAddress.vip_port_id}`)).toEqual(['at-address']);
    const refused = client.run('create --vip-subnet-id vip-subnet --vip-address 203.0.113.1');
    await expect(refused).rejects.toThrow(CommandFailed);
    await expect(refused).rejects.toThrow(/HTTP 400/);
    await expect(client.run('create --vip-subnet-id nowhere')).rejects.toThrow('Unable to locate nowhere in subnets');
    await expect(client.run('list --vip-qos-policy-id gold')).rejects.toThrow('Unable to locate gold in policies');
  });

  test('filters lists of load balancers by tags, names, states and what they are on', async () => {
    const client = signIn();
    await client.run('create --name filtered-1 --vip-subnet-id vip-subnet --tag tier1 --tag odd --wait');
    await client.run('create --name filtered-2 --vip-subnet-id vip-subnet --tag tier1 --tag even --disable --wait');
    const named = async (filters: string): Promise<unknown[]> =>
      (await client.column('name', `list ${filters}`)).filter((name) => String(name).startsWith('filtered')).toSorted();
    expect(await named('--tags tier1,odd')).toEqual(['filtered-1']);
    expect(await named('--any-tags odd,even')).toEqual(['filtered-1', 'filtered-2']);
    expect(await named('--tags tier1 --not-tags tier1,odd')).toEqual(['filtered-2']);
    expect(await named('--tags tier1 --not-any-tags odd,even')).toEqual([]);
    expect(await named('--name filtered-2')).toEqual(['filtered-2']);
    expect(await named('--disable')).toEqual(['filtered-2']);
    expect(await named('--enable')).toEqual(['filtered-1']);
    expect(await named('--provisioning-status ACTIVE --provider amphora --project admin')).toHaveLength(2);
    expect(await named('--provisioning-status ERROR')).toEqual([]);
    expect(await named('--operating-status ONLINE --name filtered-2')).toEqual([]);
    expect(await named('--vip-subnet-id vip-subnet --vip-network-id vip-net')).toHaveLength(2);
    expect(await signIn('octavia-demo').column('name', 'list')).toEqual([]);
  });

  test('creates, shows, changes and deletes listeners', async () => {
    const client = signIn();
    await having(
      client,
      'listeners',
      'pool create --name l-pool --loadbalancer listeners --protocol HTTP --lb-algorithm ROUND_ROBIN',
    );
    const created = await client.json(
      'listener create listeners --name http --protocol HTTP --protocol-port 80 --connection-limit 100 --default-pool l-pool --insert-headers X-Forwarded-For=true,X-Forwarded-Port=true --timeout-client-data 1000 --timeout-member-connect 1000 --timeout-member-data 1000 --timeout-tcp-inspect 10 --allowed-cidr 10.0.0.0/8 --allowed-cidr 192.0.2.0/24 --tag web --wait',
    );
    expect(created).toMatchObject({
      name: 'http',
      connection_limit: 100,
      provisioning_status: 'ACTIVE',
      insert_headers: 'X-Forwarded-For=true\nX-Forwarded-Port=true',
      allowed_cidrs: '10.0.0.0/8\n192.0.2.0/24',
      timeout_tcp_inspect: 10,
      tags: 'web',
    });
    await client.run(
      'listener set http --name www --disable --connection-limit 7 --tag more --timeout-client-data 2000 --wait',
    );
    expect(await client.json('listener show www')).toMatchObject({ admin_state_up: false, connection_limit: 7 });
    await client.run(
      'listener unset www --connection-limit --default-pool --insert-headers --timeout-client-data --allowed-cidrs --tag more --wait',
    );
    expect(await client.json(`listener show ${created.id}`)).toMatchObject({
      connection_limit: -1,
      default_pool_id: null,
      timeout_client_data: 50000,
      tags: 'web',
    });
    expect(await client.column('name', 'listener list --loadbalancer listeners --tags web')).toEqual(['www']);
    expect(await client.column('name', 'listener list --name nothing')).toEqual([]);
    expect(await client.json('listener stats show www')).toMatchObject({ total_connections: 0 });
    await client.run('listener delete www --wait');
    await expect(client.run('listener show www')).rejects.toThrow('Unable to locate www in listeners');
  });

  test('creates, shows, changes and deletes pools', async () => {
    const client = signIn();
    await having(client, 'pools', 'listener create pools --name p-listener --protocol HTTP --protocol-port 80');
    const created = await client.json(
      'pool create --name app --listener p-listener --protocol HTTP --lb-algorithm LEAST_CONNECTIONS --session-persistence type=APP_COOKIE,cookie_name=JSESSIONID --tag app --wait',
    );
    expect(created).toMatchObject({ lb_algorithm: 'LEAST_CONNECTIONS', provisioning_status: 'ACTIVE', tags: 'app' });
    expect(created.session_persistence).toContain('cookie_name=JSESSIONID');
    await client.run(
      'pool set app --name apps --lb-algorithm SOURCE_IP --disable --session-persistence type=SOURCE_IP --wait',
    );
    expect(await client.json('pool show apps')).toMatchObject({ lb_algorithm: 'SOURCE_IP', admin_state_up: false });
    await client.run(
      'pool set apps --enable-tls --tls-version TLSv1.2 --tls-version TLSv1.3 --tls-ciphers ECDHE-RSA-AES128-GCM-SHA256',
    );
    expect(await client.json('pool show apps')).toMatchObject({
      tls_enabled: true,
      tls_versions: ['TLSv1.2', 'TLSv1.3'],
    });
    await client.run('pool unset apps --session-persistence --tls-versions --tls-ciphers --all-tag --wait');
    expect(await client.json(`pool show ${created.id}`)).toMatchObject({ tags: '', session_persistence: null });
    expect(await client.column('name', 'pool list --loadbalancer pools')).toEqual(['apps']);
    await client.run('pool delete apps --wait');
    await expect(client.run('pool show apps')).rejects.toThrow('Unable to locate apps in pools');
  });

  test('creates, shows, changes and deletes members', async () => {
    const client = signIn();
    await having(
      client,
      'members',
      'pool create --name m-pool --loadbalancer members --protocol HTTP --lb-algorithm ROUND_ROBIN',
    );
    const created = await client.json(
      'member create m-pool --name one --address 10.0.0.1 --protocol-port 8080 --weight 3 --subnet-id vip-subnet --monitor-port 8081 --monitor-address 10.0.0.2 --enable-backup --tag rack1 --wait',
    );
    expect(created).toMatchObject({
      weight: 3,
      backup: true,
      monitor_port: 8081,
      subnet_id: service.ready.subnet_id,
      provisioning_status: 'ACTIVE',
      tags: 'rack1',
    });
    await client.run('member create m-pool --name two --address 10.0.0.3 --protocol-port 8080 --disable');
    expect(await client.column('name', 'member list m-pool')).toEqual(['one', 'two']);
    expect(await client.column('name', 'member list m-pool --tags rack1')).toEqual(['one']);
    await client.run(
      'member set m-pool one --name uno --weight 0 --disable-backup --disable --monitor-port 9000 --wait',
    );
    expect(await client.json(`member show m-pool ${created.id}`)).toMatchObject({
      name: 'uno',
      weight: 0,
      backup: false,
    });
    await client.run('member unset m-pool uno --weight --monitor-port --monitor-address --backup --all-tag --wait');
    expect(await client.json('member show m-pool uno')).toMatchObject({ weight: 1, monitor_port: null, tags: '' });
    await client.run('member delete m-pool uno --wait');
    expect(await client.column('name', 'member list m-pool')).toEqual(['two']);
  });

  test('creates, shows, changes and deletes health monitors', async () => {
    const client = signIn();
    await having(
      client,
      'monitors',
      'pool create --name h-pool --loadbalancer monitors --protocol HTTP --lb-algorithm ROUND_ROBIN',
    );
    const created = await client.json(
      'healthmonitor create h-pool --name check --type HTTP --delay 5 --timeout 3 --max-retries 2 --max-retries-down 4 --http-method HEAD --http-version 1.1 --domain-name example.org --url-path /health --expected-codes 200-204 --tag probe --wait',
    );
    expect(created).toMatchObject({
      delay: 5,
      http_method: 'HEAD',
      http_version: 1.1,
      domain_name: 'example.org',
      expected_codes: '200-204',
      provisioning_status: 'ACTIVE',
    });
    await client.run('healthmonitor set check --name probe --delay 9 --timeout 4 --url-path /alive --disable --wait');
    expect(await client.json('healthmonitor show probe')).toMatchObject({ delay: 9, url_path: '/alive' });
    await client.run(
      'healthmonitor unset probe --domain-name --expected-codes --http-method --max-retries-down --url-path --all-tag --wait',
    );
    expect(await client.json(`healthmonitor show ${created.id}`)).toMatchObject({
      domain_name: null,
      expected_codes: '200',
      http_method: 'GET',
      max_retries_down: 3,
      url_path: '/',
    });
    await client.run('healthmonitor unset probe --http-version');
    expect(await client.column('name', 'healthmonitor list')).toContain('probe');
    await client.run('healthmonitor delete probe --wait');
    expect(await client.column('name', 'healthmonitor list')).not.toContain('probe');
  });

  test('creates, shows, changes and deletes L7 policies and rules', async () => {
    const client = signIn();
    await having(
      client,
      'policies',
      'listener create policies --name p7 --protocol HTTP --protocol-port 80',
      'pool create --name static --loadbalancer policies --protocol HTTP --lb-algorithm ROUND_ROBIN',
    );
    const policy = await client.json(
      'l7policy create p7 --name to-static --action REDIRECT_TO_POOL --redirect-pool static --position 1 --tag l7 --wait',
    );
    expect(policy).toMatchObject({
      action: 'REDIRECT_TO_POOL',
      position: 1,
      provisioning_status: 'ACTIVE',
      tags: 'l7',
    });
    // Its `--wait` asks for the rule by the ids of policy and rule the wrong way round, in the client's release 3.1.
    const rule = await client.json(
      'l7rule create to-static --type header --key X-Static --compare-type equal_to --value yes --invert --tag r',
    );
    expect(rule).toMatchObject({ type: 'HEADER', key: 'X-Static', invert: true, tags: 'r' });
    await client.run(`l7rule set to-static ${rule.id} --value no --disable --wait`);
    await client.run(`l7rule unset to-static ${rule.id} --invert --all-tag --wait`);
    expect(await client.json(`l7rule show to-static ${rule.id}`)).toMatchObject({
      value: 'no',
      invert: false,
      tags: '',
    });
    expect(await client.column('id', 'l7rule list to-static')).toEqual([rule.id]);
    await client.run(
      'l7policy set to-static --name away --action REDIRECT_PREFIX --redirect-prefix https://example.org --redirect-http-code 301 --wait --description',
      'sends them away',
    );
    expect(await client.json('l7policy show away')).toMatchObject({ redirect_http_code: 301, redirect_pool_id: null });
    await client.run('l7policy unset away --redirect-http-code --description --all-tag --wait');
    expect(await client.json(`l7policy show ${policy.id}`)).toMatchObject({ redirect_http_code: 302, description: '' });
    expect(await client.column('name', 'l7policy list --listener p7')).toEqual(['away']);
    await client.run(`l7rule delete away ${rule.id} --wait`);
    await client.run('l7policy delete away --wait');
    expect(await client.column('name', 'l7policy list')).toEqual([]);
  });
});
