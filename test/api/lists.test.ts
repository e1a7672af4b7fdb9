// Lists: filters, order, pages and links, fields and tags, as clients of Octavia use them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ControlPlane } from '../support/control-plane.ts';
import { memberAt, type OctaviaApi, type Shown } from '../support/octavia-api.ts';
import { projects } from '../support/personas.ts';

let plane: ControlPlane;
let api: OctaviaApi;
let lb: Shown;
let other: Shown;
let pool: Shown;

/** Names and tags of five listeners, oldest first. */
const made = [
  ['e', ['red']],
  ['b', ['red', 'green']],
  ['a', ['green']],
  ['d', ['blue']],
  ['c', []],
] as const;

beforeAll(async () => {
  plane = await ControlPlane.start();
  api = plane.as();
  lb = await api.createLoadBalancer({ name: 'one' });
  other = await api.createLoadBalancer({ name: 'two', admin_state_up: false });
  for (const [index, [name, tags]] of made.entries())
    await api.createListener(lb, { name, tags, protocol_port: 100 + index, admin_state_up: index % 2 === 0 });
  pool = await api.createPool({ loadbalancer_id: lb['id'] }, { name: 'p' });
  for (const number of [1, 2, 3]) await api.createMember(pool, memberAt(number, { weight: number }));
  await plane.settle();
});
afterAll(() => plane[Symbol.asyncDispose]());

const list = (query: string) => api.get(`listeners?${query}`);
const names = async (query: string): Promise<string> => {
  const { status, body } = await list(query);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.listeners.map((one: Shown) => one['name']).join('');
};

describe('a list', () => {
  it.each([
    ['', 'ebadc'],
    ['name=a', 'a'],
    ['name=nobody', ''],
    ['protocol_port=101', 'b'],
    ['admin_state_up=true', 'eac'],
    ['admin_state_up=False', 'bd'],
    ['enabled=true&name=e', 'e'],
    ['provisioning_status=ACTIVE', 'ebadc'],
    ['provisioning_status=ERROR', ''],
    ['operating_status=OFFLINE', 'ebadc'],
    [`project_id=${projects.own}`, 'ebadc'],
  ])('is filtered by %s', async (query, expected) => {
    expect(await names(query)).toBe(expected);
  });

  it('is filtered by what belongs to it and is not shown', async () => {
    expect(await names(`loadbalancer_id=${lb['id']}`)).toBe('ebadc');
    expect(await names(`load_balancer_id=${other['id']}`)).toBe('');
    const { body } = await api.get(`pools/${pool['id']}/members?weight=2`);
    expect(body.members.map((one: Shown) => one['address'])).toEqual(['198.51.100.3']);
    const address = lb['vip_address'] as string;
    const found = (await api.get(`loadbalancers?vip_address=${address}`)).body.loadbalancers;
    expect(found.map((one: Shown) => one['name'])).toEqual(['one']);
  });

  it.each([
    ['sort=name', 'abcde'],
    ['sort=name:desc', 'edcba'],
    ['sort=admin_state_up:asc,name:desc', 'dbeca'],
    ['sort_key=name', 'abcde'],
    ['sort_key=name&sort_dir=desc', 'edcba'],
    ['sort=name:asc&sort_key=name&sort_dir=desc', 'abcde'],
    ['sort=protocol_port:desc', 'cdabe'],
  ])('is in the order of %s', async (query, expected) => {
    expect(await names(query)).toBe(expected);
  });

  it.each([
    ['tags=red', 'eb'],
    ['tags=red,green', 'b'],
    ['tags=red&tags=green', 'b'],
    ['tags-any=red,blue', 'ebd'],
    ['not-tags=red', 'adc'],
    ['not-tags=red,green', 'eadc'],
    ['not-tags-any=red,blue', 'ac'],
    ['tags-any=red,green&not-tags=green', 'e'],
  ])('is filtered by %s', async (query, expected) => {
    expect(await names(query)).toBe(expected);
  });

  it('is read page by page along its links, forwards and back', async () => {
    const { body } = await list('limit=2&sort=name');
    expect(body.listeners_links.map((link: Shown) => link['rel'])).toEqual(['next']);
    const follow = async (from: Shown, rel: string) => {
      const { href } = from['listeners_links'].find((link: Shown) => link['rel'] === rel);
      const url = new URL(href);
      expect(url.origin).toBe(plane.endpoint);
      return (await api.ask('GET', url.pathname + url.search)).body;
    };
    const shown = (one: Shown) => one['listeners'].map((each: Shown) => each['name']).join('');
    const second = await follow(body, 'next');
    const third = await follow(second, 'next');
    expect([shown(body), shown(second), shown(third)]).toEqual(['ab', 'cd', 'e']);
    expect(third['listeners_links'].map((link: Shown) => link['rel'])).toEqual(['previous']);
    // Octavia's way back: everything before the marker, but from its beginning.
    expect(shown(await follow(third, 'previous'))).toBe('ab');
    expect(shown(await follow(second, 'previous'))).toBe('ab');
  });

  it.each([
    ['limit=0', ['next']],
    ['limit=-3', ['next']],
    ['limit=infinite', ['next']],
    ['limit=99999', []],
    ['', []],
  ])('is whole with %s', async (query, links) => {
    expect(await names(query)).toBe('ebadc');
    expect((await list(query)).body.listeners_links.map((link: Shown) => link['rel'])).toEqual(links);
  });

  it('shows the fields that are asked for, in lists and alone', async () => {
    const { body } = await list('fields=id&fields=name&name=a');
    expect(Object.keys(body.listeners[0]).toSorted()).toEqual(['id', 'name']);
    expect((await list('fields=colour')).body.listeners).toEqual([{}, {}, {}, {}, {}]);
    const alone = await api.get(`listeners/${body.listeners[0].id}?fields=protocol_port`);
    expect(alone.body).toEqual({ listener: { protocol_port: 102 } });
  });

  const unsorted = { code: 400, title: 'Bad Request' };
  it.each([
    ['colour=red', { faultstring: 'One or more arguments are either duplicate or invalid' }],
    ['tenant_id=x', { faultstring: 'One or more arguments are either duplicate or invalid' }],
    ['sort=colour', { faultstring: "Supplied sort key 'colour' is not valid." }],
    ['sort=name:up', { ...unsorted, description: "Supplied sort direction 'up' is not valid." }],
    ['limit=many', { ...unsorted, description: "Supplied pagination limit 'many' is not valid." }],
    ['marker=nobody', { faultstring: "Supplied pagination marker 'nobody' is not valid." }],
  ])('is refused with %s', async (query, body) => {
    expect(await list(query)).toMatchObject({ status: 400, body });
  });

  it.each(['loadbalancers', 'pools', 'healthmonitors', 'quotas'])('of %s knows pages and links too', async (plural) => {
    const { status, body } = await plane.as('admin').get(`${plural}?limit=1`);
    expect(status).toBe(200);
    expect(Object.keys(body).toSorted()).toEqual([plural, `${plural}_links`]);
  });

  it('shows an administrator every project, or the one asked for', async () => {
    const admin = plane.as('admin');
    const stranger = plane.as('member of another project');
    await stranger.createLoadBalancer({ name: 'three' });
    await plane.settle();
    const shown = async (who: OctaviaApi, query = '') =>
      (await who.get(`loadbalancers${query}`)).body.loadbalancers.map((one: Shown) => one['name']);
    expect(await shown(admin)).toEqual(['one', 'two', 'three']);
    expect(await shown(admin, `?project_id=${projects.other}`)).toEqual(['three']);
    expect(await shown(stranger)).toEqual(['three']);
    expect((await stranger.get(`loadbalancers?project_id=${projects.own}`)).status).toBe(403);
  });
});
