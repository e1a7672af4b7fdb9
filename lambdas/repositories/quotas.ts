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
  quotaResources,
} from '../domain/quota.ts';
import { type Condition, type Operation, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { untilWon } from './contention.ts';
import { quotaKey, rowOf } from './keys.ts';
import type { Store } from './store.ts';

export async function readQuota(table: Table, projectId: string): Promise<QuotaRow | undefined> {
  const item = await table.get(quotaKey(projectId));
  return item && rowOf<QuotaRow>(item);
}

/** Projects with a row, which they have from their first use on. */
const listedQuota = (projectId: string) => ({ type_pk: 'quota', type_sk: projectId, project_id: projectId });

/** Of every project that has a row, or of one. */
export async function readQuotas(table: Table, projectId: string | null): Promise<QuotaRow[]> {
  if (projectId === null) return (await queryAll(table, { index: 'by_type', pk: 'quota' })).map(rowOf<QuotaRow>);
  const row = await readQuota(table, projectId);
  return row === undefined ? [] : [row];
}

/** Sets limits of a project; null takes one away. What is in use stays as it is, even above the limit. */
export async function setQuota(
  store: Store,
  projectId: string,
  limits: Partial<Record<QuotaResource, number | null>>,
): Promise<void> {
  const given = Object.entries(limits);
  const set = Object.fromEntries(given.filter(([, limit]) => limit !== null));
  const remove = given.flatMap(([name, limit]) => (limit === null ? [name] : []));
  const key = quotaKey(projectId);
  await untilWon(store, key.pk, () =>
    store.table.transact([{ kind: 'update', key, set: { ...listedQuota(projectId), ...set }, remove }]),
  );
}

/** Takes all limits of a project away and leaves its counters. @returns false when the project has no row */
export async function resetQuota(store: Store, projectId: string): Promise<boolean> {
  const key = quotaKey(projectId);
  const reset: Operation = { kind: 'update', key, remove: Object.keys(quotaResources), when: { exists: true } };
  return untilWon(store, key.pk, async () => {
    try {
      await store.table.transact([reset]);
      return true;
    } catch (error) {
      if (error instanceof TransactionCancelled && !error.isConflict) return false;
      throw error;
    }
  });
}

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

/**
 * A counter that is not there yet cannot be compared, so the first use is conditional on there being none. And the limit must still
 * be the one that was judged by: an administrator may have lowered it since.
 */
function boundsOf(row: QuotaRow | undefined, limits: QuotaLimits, delta: QuotaDelta): Condition | undefined {
  const atMost: Record<string, number> = {};
  const equals: Record<string, number> = {};
  const missing: string[] = [];
  for (const [name, more] of Object.entries(delta) as [QuotaResource, number][]) {
    if (more <= 0) continue;
    if (typeof row?.[name] === 'number') equals[name] = row[name];
    else missing.push(name);
    if (limits[name] === -1) continue;
    if (row?.[inUse(name)] === undefined) missing.push(inUse(name));
    else atMost[inUse(name)] = limits[name] - more;
  }
  return Object.keys(equals).length + missing.length === 0 ? undefined : { atMost, equals, missing };
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
