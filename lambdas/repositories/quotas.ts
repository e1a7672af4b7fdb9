// Quotas of a project and what it uses, counted in the same transactions that make and remove resources.
import {
  exceeded,
  inUse,
  limitsOf,
  type QuotaDelta,
  type QuotaLimits,
  type QuotaResource,
  type QuotaRow,
  quotaMet,
} from '../domain/quota.ts';
import type { Condition, Operation, Table } from '../drivers/table/table.ts';
import { quotaKey, rowOf } from './keys.ts';

export async function readQuota(table: Table, projectId: string): Promise<QuotaRow | undefined> {
  const item = await table.get(quotaKey(projectId));
  return item && rowOf<QuotaRow>(item);
}

/** Projects with a row, which they have from their first use on. */
const listedQuota = (projectId: string) => ({ type_pk: 'quota', type_sk: projectId, project_id: projectId });

/** What a change makes, and what it removes at the same time: that is counted until it is gone, but not held against the new. */
export interface QuotaCost {
  made: QuotaDelta;
  removed?: QuotaDelta;
  /** Counted, but held against no limit. */
  unlimited?: readonly QuotaResource[];
}

const net = ({ made, removed = {}, unlimited = [] }: QuotaCost): QuotaDelta =>
  Object.fromEntries(
    (Object.entries(made) as [QuotaResource, number][])
      .filter(([name]) => !unlimited.includes(name))
      .map(([name, count]) => [name, count - (removed[name] ?? 0)]),
  );

/**
 * The operation that takes what a change costs, or undefined when it costs nothing. Its condition makes the limit exact even when
 * many take at once.
 * @throws ApiError 403 when it is too much already
 */
export async function quotaTaken(
  table: Table,
  projectId: string,
  cost: QuotaCost,
  defaults: QuotaLimits,
): Promise<Operation | undefined> {
  if (Object.values(cost.made).every((count) => count === 0)) return undefined;
  const row = await readQuota(table, projectId);
  const limits = limitsOf(row, defaults);
  const over = exceeded(row, limits, net(cost));
  if (over.length > 0) throw quotaMet(over);
  return changed(projectId, cost.made, boundsOf(row, limits, net(cost)));
}

/** A counter that is not there yet cannot be compared, so the first use is conditional on there being none. */
function boundsOf(row: QuotaRow | undefined, limits: QuotaLimits, delta: QuotaDelta): Condition | undefined {
  const atMost: Record<string, number> = {};
  const missing: string[] = [];
  for (const [name, more] of Object.entries(delta) as [QuotaResource, number][]) {
    if (limits[name] === -1 || more <= 0) continue;
    if (row?.[inUse(name)] === undefined) missing.push(inUse(name));
    else atMost[inUse(name)] = limits[name] - more;
  }
  if (Object.keys(atMost).length === 0 && missing.length === 0) return undefined;
  return { ...(Object.keys(atMost).length > 0 ? { atMost } : {}), ...(missing.length > 0 ? { missing } : {}) };
}

function changed(projectId: string, delta: QuotaDelta, when?: Condition): Operation {
  const add = Object.fromEntries(
    (Object.entries(delta) as [QuotaResource, number][])
      .filter(([, n]) => n !== 0)
      .map(([name, n]) => [inUse(name), n]),
  );
  return { kind: 'update', key: quotaKey(projectId), set: listedQuota(projectId), add, ...(when ? { when } : {}) };
}

/** The operation that gives back what was removed; undefined when nothing was. */
export function quotaGivenBack(projectId: string, removed: QuotaDelta): Operation | undefined {
  const delta = Object.fromEntries(Object.entries(removed).map(([name, count]) => [name, -(count ?? 0)])) as QuotaDelta;
  return Object.values(delta).some((count) => count !== 0) ? changed(projectId, delta) : undefined;
}
