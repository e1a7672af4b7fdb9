// Heartbeats that came in several messages: parts are put aside until all of one heartbeat are there, in whatever order they come.
import type { Report } from '../domain/operating-status.ts';
import { type Item, type Operation, queryAll } from '../drivers/table/table.ts';
import { healthKey, heartbeatPartKey, heartbeatPartPrefix, statisticsPartition } from './keys.ts';
import { passes } from './passes.ts';
import type { Store } from './store.ts';

export interface StatusPart {
  /** 0 is the heartbeat itself, which alone tells of listeners. */
  part: number;
  parts: number;
  /** The heartbeat's. */
  sequence: string;
  digest: string;
  report: Partial<Report>;
}

/** Whose heartbeats they are. */
export interface Reporter {
  id: string;
  load_balancer_id: string;
}

const partsOf = ({ id, load_balancer_id }: Reporter) => ({
  pk: statisticsPartition(load_balancer_id),
  prefix: heartbeatPartPrefix(id),
});

/** Unless a newer heartbeat's is there, or the amphora is not expected any more. */
export async function putPart(store: Store, { id, load_balancer_id }: Reporter, part: StatusPart): Promise<void> {
  const key = heartbeatPartKey(load_balancer_id, id, part.part);
  const isExpected: Operation = { kind: 'check', key: healthKey(id), when: { exists: true } };
  const put = { kind: 'put' as const, item: { ...key, ...part } };
  const isNewer = { below: { sequence: part.sequence } };
  for (const when of [{ exists: false }, isNewer]) if (await passes(store, [isExpected, { ...put, when }])) return;
}

function joined(reports: Partial<Report>[]): Report {
  const whole: Report = { generation: null, listeners: {}, pools: {} };
  for (const { pools, ...own } of reports) {
    Object.assign(whole, own);
    for (const [name, { status, members }] of Object.entries(pools ?? {}))
      whole.pools[name] = { status, members: { ...whole.pools[name]?.members, ...members } };
  }
  return whole;
}

/** @returns what a heartbeat says of statuses; undefined as long as a part of it is missing, or when a newer one has begun to arrive */
export async function readWhole(store: Store, reporter: Reporter, sequence: string): Promise<Report | undefined> {
  const found = (await queryAll(store.table, partsOf(reporter))) as (Item & StatusPart)[];
  const own = found.filter((one) => one.sequence === sequence);
  // The sort key has them in order, the heartbeat itself first.
  const isWhole = own.length > 0 && own.length === own[0]!.parts + 1;
  return isWhole ? joined(own.map(({ report }) => report)) : undefined;
}

/** @param sequence only those of that heartbeat; all of them unless told */
export async function dropParts(store: Store, reporter: Reporter, sequence?: string): Promise<void> {
  for (const { pk, sk, ...item } of await queryAll(store.table, partsOf(reporter))) {
    if (sequence !== undefined && item['sequence'] !== sequence) continue;
    const when = { equals: { sequence: item['sequence'] as string } };
    await passes(store, [{ kind: 'delete', key: { pk, sk }, when }]);
  }
}
