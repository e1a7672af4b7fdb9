// Lists at their edges: both spellings of attributes, pages and links as Octavia makes them, and what a list reads of the table.
import { beforeAll, describe, expect, it } from 'vitest';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { IndexQuery, Page } from '../../lambdas/drivers/table/table.ts';
import { admin, InProcessApi, member, otherProjectId, projectId, stranger } from '../support/in-process-api.ts';

type Shown = Record<string, any>;

/** Counts the rows that queries of indexes read. */
class CountingTable extends SqliteTable {
  rows = 0;
  override async queryIndex(query: IndexQuery): Promise<Page> {
    const page = await super.queryIndex(query);
    this.rows += page.items.length;
    return page;
  }
}

const table = new CountingTable({ path: ':memory:' });
const api = new InProcessApi({ table });
const { clock } = api.services;
const loadBalancers: Shown[] = [];
let listener: Shown;
let pool: Shown;
let monitor: Shown;
let policy: Shown;

beforeAll(async () => {
  for (const name of ['e', 'b', 'a', 'd', 'c']) {
    clock.turn(1000);
    loadBalancers.push(await api.createLoadBalancer({ name, description: `the ${name}`, tags: [name] }));
  }
  await api.createLoadBalancer({ name: 'a', project_id: otherProjectId }, { caller: admin });
  listener = await api.createListener(loadBalancers[0]!, { name: 'web' });
  await api.createListener(loadBalancers[1]!, { name: 'web', protocol_port: 81, admin_state_up: false });
  pool = await api.createPool(loadBalancers[0]!, { name: 'p' });
  await api.createPool(loadBalancers[1]!, { name: 'q' });
  monitor = await api.createMonitor(pool);
  await api.createMember(pool, '198.51.100.1', { name: 'one', backup: true });
  await api.createMember(pool, '198.51.100.2', { name: 'two' });
  policy = await api.createPolicy(listener, { redirect_pool_id: pool['id'], name: 'go' });
  await api.createRule(policy);
});

const rows = async (path: string, caller = member): Promise<Shown[]> => {
  const { status, body } = await api.get(path, caller);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body[path.split('?')[0]!.split('/').at(-1)!];
};
const names = async (path: string, caller = member) => (await rows(path, caller)).map((one) => one['name']).join(' ');

describe('a filter', () => {
  it.each([
    ['loadbalancers?enabled=true', 'e b a d c'],
    ['loadbalancers?admin_state_up=F', ''],
    ['loadbalancers?description=the%20d', 'd'],
    ['loadbalancers?provider=amphora&name=b', 'b'],
    ['loadbalancers?provisioning_status=PENDING_CREATE&name=b', 'b'],
    ['listeners?enabled=no', 'web'],
    ['listeners?protocol_port=80', 'web'],
    ['listeners?connection_limit=-1', 'web web'],
    ['healthmonitors?rise_threshold=2', ''],
    ['healthmonitors?fall_threshold=9', undefined],
  ])('%s', async (path, expected) => {
    if (expected === undefined) expect(await rows(path)).toEqual([]);
    else expect(await names(path)).toBe(expected);
  });

  it('may be any scalar attribute of each resource, in both spellings', async () => {
    const lb = loadBalancers[0]!;
    const found: [string, string][] = [
      [`loadbalancers?id=${lb['id']}`, lb['id']],
      [`loadbalancers?vip_address=${lb['vip_address']}`, lb['id']],
      [`loadbalancers?vip_port_id=${lb['vip_port_id']}`, lb['id']],
      [`loadbalancers?created_at=${lb['created_at']}`, lb['id']],
      [`listeners?loadbalancer_id=${lb['id']}`, listener['id']],
      [`listeners?load_balancer_id=${lb['id']}`, listener['id']],
      [`listeners?id=${listener['id']}`, listener['id']],
      [`pools?loadbalancer_id=${lb['id']}`, pool['id']],
      [`pools?healthmonitor_id=${monitor['id']}`, pool['id']],
      ['pools?lb_algorithm=ROUND_ROBIN&name=p', pool['id']],
      [`healthmonitors?pool_id=${pool['id']}`, monitor['id']],
      ['healthmonitors?max_retries=2&max_retries_down=3', monitor['id']],
      ['healthmonitors?rise_threshold=2&fall_threshold=3', monitor['id']],
      [`l7policies?listener_id=${listener['id']}`, policy['id']],
      [`l7policies?redirect_pool_id=${pool['id']}`, policy['id']],
      ['l7policies?action=REDIRECT_TO_POOL&position=1', policy['id']],
    ];
    for (const [path, id] of found) expect([path, (await rows(path)).map((one) => one['id'])]).toEqual([path, [id]]);
    expect(await names(`pools/${pool['id']}/members?ip_address=198.51.100.2`)).toBe('two');
    expect(await names(`pools/${pool['id']}/members?backup=yes`)).toBe('one');
    expect(await rows(`l7policies/${policy['id']}/rules?compare_type=STARTS_WITH`)).toHaveLength(1);
  });

  it('does not reach into other projects, whichever index answers', async () => {
    const lb = loadBalancers[0]!;
    for (const path of [
      `loadbalancers?id=${lb['id']}`,
      'loadbalancers?name=e',
      `listeners?loadbalancer_id=${lb['id']}`,
      `healthmonitors?pool_id=${pool['id']}`,
    ]) {
      expect([path, await rows(path, stranger)]).toEqual([path, []]);
    }
    expect((await rows('loadbalancers?name=a')).map((one) => one['project_id'])).toEqual([projectId]);
    expect(await rows('loadbalancers?name=a', admin)).toHaveLength(2);
    expect((await rows(`loadbalancers?name=a&project_id=${otherProjectId}`, admin))[0]).toMatchObject({
      project_id: otherProjectId,
    });
  });

  it.each([
    'loadbalancers?tenant_id=x',
    'loadbalancers?listeners=x',
    'loadbalancers?pools=x',
    'listeners?colour=red',
    'listeners?l7policies=x',
    'listeners?name=a&name=b',
    'listeners?admin_state_up=true&enabled=true',
    'pools?members=x',
    'pools?listener_id=x',
    'quotas?loadbalancer=1&colour=x',
    'loadbalancers?valueOf=x',
    'loadbalancers?__proto__=x',
  ])('%s is 400', async (path) => {
    const { status, body } = await api.get(path);
    expect([status, body.faultstring]).toEqual([400, 'One or more arguments are either duplicate or invalid']);
  });

  it('by what no row can have finds nothing, however long it is', async () => {
    for (const long of ['x'.repeat(300), 'é'.repeat(3000), '#'.repeat(50)]) {
      const value = encodeURIComponent(long);
      for (const path of [
        'loadbalancers?id=',
        'loadbalancers?name=',
        'listeners?loadbalancer_id=',
        'healthmonitors?pool_id=',
      ])
        expect([path, (await api.get(`${path}${value}`)).status]).toEqual([path, 200]);
      expect((await api.get(`loadbalancers?project_id=${value}`, admin)).body.loadbalancers).toEqual([]);
      expect((await api.get(`loadbalancers?marker=${value}`)).status).toBe(400);
    }
  });

  it('by a name that was changed finds the new one alone', async () => {
    const lb = await api.createLoadBalancer({ name: 'before' });
    const below = await api.createListener(lb, { name: 'old' });
    await api.made('PUT', `loadbalancers/${lb['id']}`, { loadbalancer: { name: 'after' } });
    await api.made('PUT', `listeners/${below['id']}`, { listener: { name: null } });
    expect(await names('loadbalancers?name=before')).toBe('');
    expect(await names('loadbalancers?name=after')).toBe('after');
    expect(await names('listeners?name=old')).toBe('');
    expect((await rows('listeners?name=')).map(({ id }) => id)).toEqual([below['id']]);
    await api.made('PUT', `listeners/${below['id']}`, { listener: { name: 'new' } });
    expect(await names('listeners?name=new')).toBe('new');
    await api.made('DELETE', `loadbalancers/${lb['id']}?cascade=true`);
  });
});

describe('an order', () => {
  it.each([
    ['sort=description:desc', 'e d c b a'],
    ['sort=admin_state_up,name:DESC', 'e d c b a'],
    ['sort=enabled:asc&sort=name', 'a b c d e'],
    ['sort_key=admin_state_up,name&sort_dir=asc,desc', 'e d c b a'],
    ['sort_key=admin_state_up,name&sort_dir=desc', 'a b c d e'],
    ['sort=created_at:desc', 'c d a b e'],
    ['sort=updated_at', 'e b a d c'],
    ['', 'e b a d c'],
  ])('%s', async (query, expected) => {
    const shown = await names(`loadbalancers?provisioning_status=PENDING_CREATE&${query}`);
    expect(shown).toBe(expected);
  });

  it.each([
    ['sort=name:up', { code: 400, title: 'Bad Request', description: "Supplied sort direction 'up' is not valid." }],
    ['sort=a:b:c', { code: 400, title: 'Bad Request', description: "Supplied sort key 'a:b:c' is not valid." }],
    ['sort_key=valueOf', { faultstring: "Supplied sort key 'valueOf' is not valid." }],
    ['sort_key=listeners', { faultstring: "Supplied sort key 'listeners' is not valid." }],
    ['limit=1.5', { code: 400, description: "Supplied pagination limit '1.5' is not valid." }],
    ['marker=x', { faultstring: "Supplied pagination marker 'x' is not valid." }],
  ])('%s is 400', async (query, body) => {
    expect(await api.get(`loadbalancers?${query}`)).toMatchObject({ status: 400, body });
  });
});

describe('a page', () => {
  const five = 'provisioning_status=PENDING_CREATE';
  const linksOf = async (query: string) => {
    const { body } = await api.get(`loadbalancers?${query}`);
    return body.loadbalancers_links.map(({ rel, href }: Shown) => `${rel} ${new URL(href).search}`);
  };
  const id = (name: string) => loadBalancers.find((one) => one['name'] === name)!['id'] as string;

  it.each([
    ['limit=2', 'e b'],
    ['limit=2&marker=b', 'a d'],
    ['limit=2&marker=d', 'c'],
    ['limit=2&marker=c', ''],
    ['limit=2&sort=name&marker=b', 'c d'],
    ['limit=2&sort=name:desc&marker=b', 'a'],
    // Octavia turns the comparison around, and neither the order nor the end that the limit cuts off.
    ['limit=2&marker=c&page_reverse=True', 'e b'],
    ['limit=2&marker=c&page_reverse=true', ''],
    ['limit=2&sort=name&marker=d&page_reverse=True', 'a b'],
  ])('%s', async (query, expected) => {
    const asked = query.replace(/marker=(\w)/, (_all, name: string) => `marker=${id(name)}`);
    expect(await names(`loadbalancers?${five}&${asked}`)).toBe(expected);
  });

  it('links to the next one when it is full, and to the previous one after a marker', async () => {
    expect(await linksOf(`${five}&limit=2`)).toEqual([`next ?limit=2&marker=${id('b')}`]);
    expect(await linksOf(`${five}&limit=2&sort=name&fields=name&marker=${id('b')}`)).toEqual([
      `previous ?limit=2&sort=name&marker=${id('c')}&page_reverse=True`,
      `next ?limit=2&sort=name&marker=${id('d')}`,
    ]);
    expect(await linksOf(`${five}&limit=2&marker=${id('d')}`)).toEqual([
      `previous ?limit=2&marker=${id('c')}&page_reverse=True`,
    ]);
    expect(await linksOf(`${five}&limit=5`)).toEqual([`next ?limit=5&marker=${id('c')}`]);
    expect(await linksOf(five)).toEqual([]);
    expect(await linksOf(`${five}&limit=99999`)).toEqual([]);
    expect(await linksOf('name=nobody&limit=0')).toEqual([]);
  });

  it.each(['limit=0', 'limit=-1', 'limit=infinite', 'limit=None'])(
    'of %s is everything, and links on',
    async (limit) => {
      expect(await names(`loadbalancers?${five}&${limit}`)).toBe('e b a d c');
      expect(await linksOf(`${five}&${limit}`)).toEqual([`next ?limit=None&marker=${id('c')}`]);
    },
  );

  it('links from where the deployment says it is', async () => {
    const elsewhere = new InProcessApi({ table, config: { api_base_uri: 'https://lb.example/load-balancer/' } });
    const { body } = await elsewhere.get(`loadbalancers?limit=1`);
    expect(body.loadbalancers_links[0].href).toMatch(/^https:\/\/lb\.example\/load-balancer\/v2\.0\/lbaas\/loadb/);
  });
});

describe('fields', () => {
  it('are shown in lists and alone; of unknown ones nothing is left', async () => {
    expect((await rows('loadbalancers?fields=name&name=e'))[0]).toEqual({ name: 'e' });
    for (const name of ['colour', 'valueOf', '__proto__'])
      expect(await rows(`loadbalancers?fields=${name}&name=e`)).toEqual([{}]);
    expect(await rows('loadbalancers?fields=name,id&name=e')).toEqual([{}]);
    expect(await api.made('GET', `listeners/${listener['id']}?fields=protocol&fields=name`)).toEqual({
      protocol: 'HTTP',
      name: 'web',
    });
    expect(await api.made('GET', `pools/${pool['id']}?fields=colour`)).toEqual({});
  });
});

describe('what is read', () => {
  const reads = async (path: string): Promise<number> => {
    table.rows = 0;
    await rows(path);
    return table.rows;
  };

  it('is the page and no more, at any depth', async () => {
    expect(await reads('loadbalancers?limit=2')).toBe(2);
    expect(await reads(`loadbalancers?limit=2&marker=${loadBalancers[2]!['id']}`)).toBe(3);
  });

  it('is what has the name, or is of the load balancer', async () => {
    expect(await reads('loadbalancers?name=d')).toBe(1);
    expect(await reads(`loadbalancers?id=${loadBalancers[2]!['id']}`)).toBe(0);
    expect(await reads(`listeners?loadbalancer_id=${loadBalancers[0]!['id']}`)).toBe(0);
    expect(await reads(`healthmonitors?pool_id=${pool['id']}`)).toBe(0);
  });

  it('of pools is what their own load balancers have, with what uses them and what they hold', async () => {
    const [shown] = await rows('pools?name=p');
    expect(shown!['members']).toHaveLength(2);
    expect(shown!['listeners']).toEqual([{ id: listener['id'] }]);
    expect((await rows('pools?name=p&fields=name'))[0]).toEqual({ name: 'p' });
  });
});

it('a caller without a project lists nothing, and nobody lists what is not theirs', async () => {
  const homeless = { project_id: null, roles: ['member', 'reader'] };
  expect((await api.get('loadbalancers', homeless)).status).toBe(403);
  expect((await api.get(`loadbalancers?project_id=${projectId}`, stranger)).status).toBe(403);
  expect((await api.get(`loadbalancers?project_id=${projectId}`, admin)).status).toBe(200);
});
