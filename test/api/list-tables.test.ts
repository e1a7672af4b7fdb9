// Lists read the same from both tables: by age, by name, below a load balancer, page by page.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Table } from '../../lambdas/drivers/table/table.ts';
import { admin, InProcessApi, otherProjectId, projectId } from '../support/in-process-api.ts';
import { tables, useTable } from '../support/tables.ts';

describe.each(tables)('on $name', ({ make }) => {
  const given = useTable(make);
  let api: InProcessApi;
  const ids: string[] = [];

  beforeEach(async () => {
    api = new InProcessApi({ table: given.table as Table });
    ids.length = 0;
    for (const name of ['web', 'db', 'web', 'cache', 'web']) {
      api.services.clock.turn(1000);
      ids.push((await api.createLoadBalancer({ name }))['id']);
    }
    api.services.clock.turn(1000);
    await api.createLoadBalancer({ name: 'web', project_id: otherProjectId }, { caller: admin });
  });

  const found = async (query: string, caller = admin) =>
    (await api.get(`loadbalancers?${query}`, caller)).body.loadbalancers.map(({ id }: { id: string }) =>
      ids.indexOf(id),
    );
  const own = `project_id=${projectId}`;

  it('pages follow each other, and names are found in the order of age', async () => {
    expect(await found(own)).toEqual([0, 1, 2, 3, 4]);
    expect(await found(`${own}&limit=2`)).toEqual([0, 1]);
    expect(await found(`${own}&limit=2&marker=${ids[1]}`)).toEqual([2, 3]);
    expect(await found(`${own}&limit=2&marker=${ids[3]}`)).toEqual([4]);
    expect(await found(`${own}&limit=9&marker=${ids[3]}&page_reverse=True`)).toEqual([0, 1, 2]);
    expect(await found(`${own}&name=web`)).toEqual([0, 2, 4]);
    expect(await found(`${own}&name=web&limit=1&marker=${ids[0]}`)).toEqual([2]);
    expect(await found('name=web')).toEqual([0, 2, 4, -1]);
    expect(await found('')).toEqual([0, 1, 2, 3, 4, -1]);
    expect(await found(`${own}&sort=name:desc,created_at:desc`)).toEqual([4, 2, 0, 1, 3]);
  });

  it('what is renamed, unnamed or deleted leaves its name', async () => {
    const name = (id: string, to: string | null) =>
      api.made('PUT', `loadbalancers/${id}`, { loadbalancer: { name: to } });
    await name(ids[0]!, 'shop');
    await name(ids[2]!, null);
    expect(await found(`${own}&name=web`)).toEqual([4]);
    expect(await found(`${own}&name=shop`)).toEqual([0]);
    await name(ids[2]!, 'web');
    expect(await found(`${own}&name=web`)).toEqual([2, 4]);
  });
});
