// What is left after chaos, held against what was promised.
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { readAllAmphorae } from '../../lambdas/repositories/amphorae.ts';
import type { LocalService } from '../support/local-service.ts';
import { amphoraOf } from './owners.ts';

/**
 * Rows, directories, agents and HAProxies that belong to no load balancer and are no spares.
 * @param amphorae there should be, and of which load balancers
 */
export async function orphansOf(
  service: LocalService,
  { amphorae, owners }: { amphorae: number; owners: string[] },
): Promise<string[]> {
  const table = new SqliteTable({ path: `${service.state}/table.sqlite` });
  const rows = await readAllAmphorae(table).finally(() => table.close());
  const isWanted = ({ status, load_balancer_id: id }: (typeof rows)[number]) =>
    id === null ? status === 'READY' : owners.includes(id) && status === 'ALLOCATED';
  const wanted = new Set(rows.filter(isWanted).map(({ id }) => id));
  const processes = service.processes().filter(({ kind }) => kind === 'agent' || kind === 'haproxy');
  const strange = processes.filter(({ pid, command }) => !wanted.has(amphoraOf(pid, command)));
  return [
    ...(wanted.size === amphorae ? [] : [`${wanted.size} amphorae instead of ${amphorae}`]),
    ...rows.filter(({ id }) => !wanted.has(id)).map(({ id, status }) => `row ${id} ${status}`),
    ...service
      .amphoraIds()
      .filter((id) => !wanted.has(id))
      .map((id) => `directory ${id}`),
    ...strange.map(({ pid, kind }) => `${kind} ${pid}`),
  ];
}
