// Housekeeping, usage: what each load balancer has carried so far, once in an interval, for who accounts for it. Ceilometer's samples in OpenStack.
import { eventOf } from '../controller/announce.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { OctaviaEvent } from '../drivers/events/event-driver.ts';
import { rowOf } from '../repositories/keys.ts';
import { readStatistics, sumOf } from '../repositories/statistics.ts';
import { moveUsageRound, readUsageRound } from '../repositories/usage-rounds.ts';
import type { Services } from '../runtime/services.ts';

/** 10,000 load balancers are told within half an hour of rounds a minute apart. */
const perRound = 400;

async function usageOf(services: Services, row: LoadBalancerRow, round: number): Promise<OctaviaEvent> {
  const counted = await readStatistics(services.table, row.id, row.amphora_ids);
  const ofListeners = [...counted].filter(([id]) => row.listener_ids.includes(id));
  const detail = {
    ...sumOf(counted.values()),
    listeners: Object.fromEntries(ofListeners),
    load_balancer_name: row.name,
  };
  const fields = { type: 'usage' as const, resource: 'loadbalancer', resource_id: row.id, detail };
  return eventOf(services, row, fields, String(round));
}

/** One that was never built has carried nothing. */
const hasCarried = ({ amphora_ids, provisioning_status }: LoadBalancerRow): boolean =>
  amphora_ids.length > 0 && provisioning_status !== 'DELETED';

/** @returns how many were told */
export async function tellUsage(services: Services): Promise<number> {
  const { table, clock, config, events } = services;
  if (config.usage_interval_ms <= 0) return 0;
  const now = Math.floor(clock.now() / config.usage_interval_ms);
  const before = await readUsageRound(table);
  if (before.round >= now && before.after === null) return 0;
  // What was begun is ended before the next begins.
  const round = before.after === null ? now : before.round;
  const place = before.after === null ? {} : { after: before.after };
  const page = await table.queryIndex({ index: 'by_type', pk: 'loadbalancer', limit: perRound, ...place });
  const rows = page.items.map((item) => rowOf<LoadBalancerRow>(item)).filter(hasCarried);
  const told: OctaviaEvent[] = [];
  for (const row of rows) told.push(await usageOf(services, row, round));
  await events.deliver(told);
  await moveUsageRound(services, before, { round, after: page.next ?? null });
  return told.length;
}
