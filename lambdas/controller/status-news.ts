// Tells of statuses and failovers what the rows themselves say: each write that changes one is an event, told by the table's stream
// in the order of the writes, and again, under the same id, until the bus took it. No writer can forget it or die before it.
import { createHash } from 'node:crypto';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { OctaviaEvent } from '../drivers/events/event-driver.ts';
import type { TableChange } from '../drivers/table/stream.ts';
import type { Item, Key, Table } from '../drivers/table/table.ts';
import { kindPrefixes, loadBalancerKey, partitionOf, type ResourceKind } from '../repositories/keys.ts';
import type { Services } from '../runtime/services.ts';

type News = Pick<OctaviaEvent, 'type' | 'detail'>;

const prefixes = Object.entries(kindPrefixes) as [ResourceKind, string][];
const treePrefix = partitionOf('');

/** undefined for what is no resource. */
function kindOf({ pk, sk }: Key): ResourceKind | undefined {
  if (!pk.startsWith(treePrefix)) return undefined;
  return sk === 'LB' ? 'loadbalancer' : prefixes.find(([, prefix]) => sk.startsWith(prefix))?.[0];
}

export const isToldOf = (key: Key): boolean => kindOf(key) !== undefined;

/** A load balancer that is purged was told of as DELETED before. */
const isPurged = ({ before, after }: TableChange) =>
  after === undefined && before?.['provisioning_status'] === 'DELETED';

function provisioningNews({ before, after }: TableChange): News[] {
  // What goes with its parent was never marked itself.
  const from = after === undefined ? 'PENDING_DELETE' : (before?.['provisioning_status'] ?? null);
  const to = after?.['provisioning_status'] ?? 'DELETED';
  if (from === to) return [];
  const reason = to === 'ERROR' ? after?.['reason'] : undefined;
  return [{ type: 'provisioning_status_changed', detail: { from, to, ...(reason ? { reason } : {}) } }];
}

/** That it is OFFLINE at first, and in the end nothing, goes without saying. */
function operatingNews({ before, after }: TableChange): News[] {
  const [from, to] = [before?.['operating_status'], after?.['operating_status']];
  if (before === undefined || after === undefined || from === to) return [];
  return [{ type: 'operating_status_changed', detail: { from, to } }];
}

/** A failover begins when a flow takes its lease for it, and ends when it is not what is waited for any more. */
function failoverNews({ before, after }: TableChange): News[] {
  const [was, is] = [before, after] as (Partial<LoadBalancerRow> | undefined)[];
  const news: News[] = [];
  if (is?.lease?.flow === 'failover-load-balancer' && is.lease.execution !== was?.lease?.execution) {
    const only = is.operation?.amphora_id;
    news.push({ type: 'failover_started', detail: { amphora_ids: only === undefined ? is.amphora_ids : [only] } });
  }
  if (was?.operation?.kind !== 'failover' || was.operation.id === is?.operation?.id) return news;
  if (is?.provisioning_status === 'ERROR')
    news.push({ type: 'failover_failed', detail: { reason: is['reason'] ?? '' } });
  else if (is !== undefined && is.operation?.kind !== 'delete') news.push({ type: 'failover_completed', detail: {} });
  return news;
}

/** The same write told twice has the same ids, and no other has them. */
export function stableId(...parts: string[]): string {
  const hex = createHash('sha256').update(parts.join('\n')).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

/** What one write is news of, phases of failovers before the status they lead to. */
export function statusNewsOf(change: TableChange): OctaviaEvent[] {
  const kind = kindOf(change.key);
  const row = change.after ?? change.before;
  if (kind === undefined || row === undefined || isPurged(change)) return [];
  const { pk, sk } = change.key;
  const news = [...(kind === 'loadbalancer' ? failoverNews(change) : []), ...provisioningNews(change)];
  return [...news, ...operatingNews(change)].map(({ type, detail }) => ({
    id: stableId(pk, sk, change.id, type),
    type,
    time: new Date(change.at).toISOString(),
    project_id: String(row['project_id']),
    load_balancer_id: pk.slice(treePrefix.length),
    resource: kind,
    resource_id: String(row['id']),
    detail,
    sequence: change.sequence,
  }));
}

/** People know load balancers by name; one that is purged by now has none. */
async function namesOf(table: Table, ids: string[]): Promise<Map<string, string>> {
  const items: Item[] = await table.batchGet(ids.map(loadBalancerKey));
  return new Map(items.map((item) => [String(item['id']), String(item['name'] ?? '')]));
}

/** @throws Error when the bus did not take all: the same changes are to be told again */
export async function tellStatusNews({ table, events }: Pick<Services, 'table' | 'events'>, changes: TableChange[]) {
  const news = changes.flatMap(statusNewsOf);
  if (news.length === 0) return;
  const names = await namesOf(table, [...new Set(news.map(({ load_balancer_id }) => load_balancer_id!))]);
  const named = news.map((event) => {
    const load_balancer_name = names.get(event.load_balancer_id!) ?? '';
    return { ...event, detail: { ...event.detail, load_balancer_name } };
  });
  await events.deliver(named);
}
