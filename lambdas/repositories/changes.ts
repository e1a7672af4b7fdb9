// A write to a load balancer's tree, accepted in one transaction: the generation rises, what changes and its parents become
// PENDING with a deadline, addresses and ports are claimed, quota is taken.
import { type ApiError, notFound } from '../domain/errors.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { QuotaDelta, QuotaLimits } from '../domain/quota.ts';
import { type QuotaResource, quotaMet } from '../domain/quota.ts';
import type { ProvisioningStatus } from '../domain/statuses.ts';
import { timestamp } from '../domain/time.ts';
import { type Child, type ChildRow, type Skeleton, treeAsWanted } from '../domain/tree.ts';
import { type Item, type Key, limits, type Operation, TransactionCancelled } from '../drivers/table/table.ts';
import { RowChanged, untilWon } from './contention.ts';
import { refuseWhileBusy } from './gate.ts';
import { beginWritingOut, dropIntent, helpWithIntents, putIntentAside } from './intents.ts';
import { childKey, listed, nameAttributes, named, pointerKey } from './keys.ts';
import { loadBalancerUpdate, operationOf } from './load-balancers.ts';
import { type QuotaCost, quotaTaken } from './quotas.ts';
import type { Store } from './store.ts';
import { readSkeleton } from './trees.ts';

/** A name only one resource may have: its key, and the refusal a second one reads. */
export interface Claim {
  key: Key;
  refusal: ApiError;
}

export interface TreeChange {
  /** New children, with their attributes; status, generation and times are filled in here. */
  create?: Child[];
  /** Children with the attributes to be set on them. */
  update?: { child: Child; set: Record<string, unknown> }[];
  remove?: Child[];
  /** Parents: PENDING_UPDATE with the change. `set` for references they carry. */
  touch?: { child: Child; set?: Record<string, unknown> }[];
  /** Children of which something is renumbered beside the change; their status is not concerned. */
  adjust?: { child: Child; set: Record<string, unknown> }[];
  loadBalancer?: Partial<LoadBalancerRow>;
  claims?: Claim[];
  releases?: Key[];
  quota?: QuotaCost;
}

export interface ChangePolicy {
  conflict_policy: 'queue' | 'strict';
  operation_timeout_ms: number;
  quotas: QuotaLimits;
}

export interface Transition {
  kind: 'loadbalancer' | Child['kind'];
  id: string;
  from: ProvisioningStatus | null;
  to: ProvisioningStatus;
  reason?: string;
}

export interface AcceptedChange {
  loadBalancer: LoadBalancerRow;
  /** Rows as written, by id. */
  rows: Map<string, ChildRow>;
  transitions: Transition[];
}

/** A child as it is the moment it is accepted. */
export const accepted = <R extends ChildRow>(row: R, generation: number): R => ({
  ...row,
  provisioning_status: 'PENDING_CREATE',
  generation,
});

export function createOperations(child: Child): Operation[] {
  const key = childKey(child);
  const item: Item = { ...key, ...listed(child.kind, child.row), ...child.row };
  const pointer = {
    ...pointerKey(child.row.id),
    kind: child.kind,
    load_balancer_id: child.row.load_balancer_id,
    row_sk: key.sk,
  };
  return [
    { kind: 'put', item, when: { exists: false } },
    { kind: 'put', item: pointer },
  ];
}

/**
 * What the amphorae had, kept for the case that they refuse the new; undefined for a row that was never in force. Attributes an
 * earlier change has kept were in force, what the row says of them now was not; of all others the row still says what is.
 */
function lastGood(row: ChildRow, set: Record<string, unknown>): Record<string, unknown> | undefined {
  if (row.provisioning_status !== 'ACTIVE' && row.last_good === undefined) return undefined;
  const before = row as unknown as Record<string, unknown>;
  return { ...Object.fromEntries(Object.keys(set).map((name) => [name, before[name] ?? null])), ...row.last_good };
}

/** A row that was never in force stays PENDING_CREATE however often it is changed before. */
const updatedStatus = (row: { provisioning_status: ProvisioningStatus }): ProvisioningStatus =>
  row.provisioning_status === 'PENDING_CREATE' ? 'PENDING_CREATE' : 'PENDING_UPDATE';

/** What a new name does to the index by name. */
function renamed({ kind, row }: Child, attributes: Record<string, unknown>) {
  if (attributes['name'] === undefined) return { set: {}, remove: [] };
  const set = named(kind, { ...row, ...attributes });
  return { set, remove: 'name_pk' in set ? [] : nameAttributes };
}

const updateOperation = (child: Child, set: Record<string, unknown>, remove: string[] = []): Operation => ({
  kind: 'update',
  key: childKey(child),
  set,
  remove,
  when: { exists: true, below: { generation: Number(set['generation']) } },
});

/** Collects the operations of a change and the rows and transitions they make. */
class Writing {
  readonly operations: Operation[] = [];
  readonly rows = new Map<string, ChildRow>();
  readonly transitions: Transition[] = [];
  readonly refusals = new Map<Operation, ApiError>();
  readonly #generation: number;
  readonly #now: string;

  constructor(generation: number, now: string) {
    this.#generation = generation;
    this.#now = now;
  }

  #note(child: Child, row: ChildRow): void {
    this.rows.set(row.id, row);
    const from = child.row.waits_for === undefined ? child.row.provisioning_status : 'ERROR';
    if (from !== row.provisioning_status)
      this.transitions.push({ kind: child.kind, id: row.id, from, to: row.provisioning_status });
  }

  create(child: Child): void {
    const row = accepted(child.row, this.#generation);
    this.operations.push(...createOperations({ ...child, row } as Child));
    this.rows.set(row.id, row);
    this.transitions.push({ kind: child.kind, id: row.id, from: null, to: 'PENDING_CREATE' });
  }

  update(child: Child, attributes: Record<string, unknown>): void {
    const last_good = lastGood(child.row, attributes);
    const set = {
      ...attributes,
      ...(last_good === undefined ? {} : { last_good }),
      provisioning_status: updatedStatus(child.row),
      generation: this.#generation,
      updated_at: this.#now,
    };
    const name = renamed(child, attributes);
    this.operations.push(updateOperation(child, { ...set, ...name.set }, ['reason', 'waits_for', ...name.remove]));
    this.#note(child, { ...child.row, ...set } as ChildRow);
  }

  remove(child: Child): void {
    const set = { provisioning_status: 'PENDING_DELETE' as const, generation: this.#generation, updated_at: this.#now };
    this.operations.push(updateOperation(child, set, ['reason', 'waits_for']));
    this.#note(child, { ...child.row, ...set });
  }

  touch(child: Child, references: Record<string, unknown> = {}): void {
    const isSettled = child.row.provisioning_status === 'ERROR' || child.row.provisioning_status === 'PENDING_DELETE';
    // What is in ERROR is healed by a write of its own, not by one beside it.
    const status = isSettled ? {} : { provisioning_status: updatedStatus(child.row), generation: this.#generation };
    if (isSettled && Object.keys(references).length === 0) return;
    // Nothing of its own is changed, but a later change has to know that it is in force as it is.
    const last_good = lastGood(child.row, {});
    const set = { ...references, ...status, ...(isSettled || last_good === undefined ? {} : { last_good }) };
    const remove = isSettled ? [] : ['reason', 'waits_for'];
    this.operations.push({ kind: 'update', key: childKey(child), set, remove, when: { exists: true } });
    this.#note(child, { ...child.row, ...set } as ChildRow);
  }

  adjust(child: Child, set: Record<string, unknown>): void {
    this.operations.push({ kind: 'update', key: childKey(child), set, when: { exists: true } });
  }

  claim({ key, refusal }: Claim): void {
    const operation: Operation = { kind: 'put', item: { ...key }, when: { exists: false } };
    this.operations.push(operation);
    this.refusals.set(operation, refusal);
  }
}

/**
 * A load balancer without amphorae has to be built before anything can be in force on it; and one whose failover failed may have
 * amphorae that lost the VIP, which no configuration brings back.
 */
function neededOperation(row: LoadBalancerRow): 'create' | 'failover' | 'update' {
  if (row.amphora_ids.length === 0) return 'create';
  return row.provisioning_status === 'ERROR' && row.failed === 'failover' ? 'failover' : 'update';
}

function collect(change: TreeChange, generation: number, now: string): Writing {
  const writing = new Writing(generation, now);
  for (const claim of change.claims ?? []) writing.claim(claim);
  for (const child of change.create ?? []) writing.create(child);
  for (const { child, set } of change.update ?? []) writing.update(child, set);
  for (const child of change.remove ?? []) writing.remove(child);
  for (const { child, set } of change.touch ?? []) writing.touch(child, set);
  for (const { child, set } of change.adjust ?? []) writing.adjust(child, set);
  for (const key of change.releases ?? []) writing.operations.push({ kind: 'delete', key });
  return writing;
}

/** The answer to a cancelled transaction: lost a race, refused by a claim, out of quota. */
function refusalOf(error: unknown, operations: Operation[], writing: Writing, quota: QuotaDelta): unknown {
  if (!(error instanceof TransactionCancelled) || error.isConflict) return error;
  const failed = operations.filter((_, index) => error.reasons[index]?.code === 'ConditionalCheckFailed');
  if (failed.includes(operations[0]!))
    return new RowChanged('load balancer changed since it was read', { cause: error });
  const refusal = failed.map((operation) => writing.refusals.get(operation)).find(Boolean);
  if (refusal) return refusal;
  const isQuota = failed.some((operation) => 'key' in operation && operation.key.sk === 'QUOTA');
  // The first use of a project may have met another first use: its counter is there now.
  if (isQuota) return new RowChanged(quotaMet(Object.keys(quota) as QuotaResource[]).message, { cause: error });
  return new RowChanged('a row of the tree changed since it was read', { cause: error });
}

/**
 * Reads the tree without members, asks for the change, writes it in one transaction; again when somebody else was faster.
 * @param decide may throw ApiError, and is asked again after every lost race
 * @throws ApiError 404 without such a load balancer, 409 when it takes no writes, 403 when the quota is met
 */
export async function changeTree(
  store: Store,
  policy: ChangePolicy,
  loadBalancerId: string,
  decide: (skeleton: Skeleton) => TreeChange | Promise<TreeChange>,
): Promise<AcceptedChange> {
  let isLarge = false;
  const done = await untilWon(store, loadBalancerId, async () => {
    const stored = await readSkeleton(store.table, loadBalancerId);
    if (stored === undefined) throw notFound('Load Balancer', loadBalancerId);
    const skeleton = treeAsWanted(stored);
    const { loadBalancer } = skeleton;
    await helpWithIntents(store, loadBalancer);
    const change = await decide(skeleton);
    const quota = await quotaTaken(store.table, loadBalancer.project_id, change.quota ?? { made: {} }, policy.quotas);
    refuseWhileBusy(loadBalancer, change, policy);

    const generation = loadBalancer.generation + 1;
    const now = store.clock.now();
    const writing = collect(change, generation, timestamp(now));
    const set: Partial<LoadBalancerRow> = {
      ...change.loadBalancer,
      generation,
      provisioning_status: updatedStatus(loadBalancer),
      operation:
        loadBalancer.operation ??
        operationOf(neededOperation(loadBalancer), store.newId(), now, policy.operation_timeout_ms),
    };
    isLarge = writing.operations.length + 2 > limits.operationsPerTransaction;
    if (isLarge) {
      const intent = store.newId();
      await putIntentAside(store, loadBalancerId, intent, writing.operations);
      set.intents = [...loadBalancer.intents, intent];
    }
    const first = [loadBalancerUpdate(loadBalancer, set), ...(quota ? [quota] : [])];
    const operations = isLarge ? first : [...first, ...writing.operations];
    try {
      await store.table.transact(operations);
    } catch (error) {
      for (const intent of isLarge ? set.intents!.slice(-1) : [])
        await dropIntent(store, loadBalancerId, intent, error);
      throw refusalOf(error, operations, writing, change.quota?.made ?? {});
    }
    const from = loadBalancer.provisioning_status;
    const to = set.provisioning_status!;
    const transitions: Transition[] = from === to ? [] : [{ kind: 'loadbalancer', id: loadBalancerId, from, to }];
    return {
      loadBalancer: { ...loadBalancer, ...set },
      rows: writing.rows,
      transitions: [...transitions, ...writing.transitions],
    };
  });
  if (isLarge) await beginWritingOut(store, loadBalancerId);
  return done;
}
