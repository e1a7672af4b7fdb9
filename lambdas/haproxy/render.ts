// Renders a load balancer for HAProxy, as Octavia's jinja templates do: desired tree, then configuration, then text. Pure, and
// the same tree is always the same bytes, because amphorae compare digests.
import type { PoolRow } from '../domain/pool.ts';
import { desiredTree, type Tree } from '../domain/tree.ts';
import { backend, type PoolParts } from './backend.ts';
import type { Configuration } from './config.ts';
import { frontend } from './frontend.ts';
import { print, type RenderedConfiguration } from './print.ts';
import { processSections, type RenderOptions } from './process.ts';

/** @throws Unrenderable naming the resource that HAProxy cannot be told */
export function renderConfiguration(tree: Tree, options: RenderOptions): RenderedConfiguration {
  return print(configurationOf(tree, options));
}

function configurationOf(tree: Tree, options: RenderOptions): Configuration {
  const { loadBalancer, listeners, ...below } = desiredTree(tree);
  const isUp = loadBalancer.admin_state_up !== false;
  const served = isUp ? listeners.filter((listener) => listener.admin_state_up !== false).sort(byAge) : [];
  const parts = partsById(below);
  const proxies = served.flatMap((listener) => {
    const part = parts.get(listener.default_pool_id ?? '');
    const front = frontend(loadBalancer, listener, part?.pool, options);
    return part ? [front, backend(listener, part, options)] : [front];
  });
  return [...processSections(served, options), ...proxies];
}

/** Enabled pools with what hangs on them, by id. */
function partsById({
  pools,
  healthMonitors,
  members,
}: Omit<Tree, 'loadBalancer' | 'listeners'>): Map<string, PoolParts> {
  const membersOf = Map.groupBy([...members].sort(byAge), (member) => member.pool_id);
  const monitors = healthMonitors.filter((monitor) => monitor.admin_state_up !== false);
  const monitorOf = new Map(monitors.map((monitor) => [monitor.pool_id, monitor]));
  const partsOf = (pool: PoolRow): PoolParts => ({
    pool,
    healthMonitor: monitorOf.get(pool.id),
    members: membersOf.get(pool.id) ?? [],
  });
  return new Map(pools.filter((pool) => pool.admin_state_up !== false).map((pool) => [pool.id, partsOf(pool)]));
}

interface Aged {
  created_at: string;
  id: string;
}
/** Oldest first; not by locale, which may differ between machines. */
const byAge = (a: Aged, b: Aged): number => compared(a.created_at, b.created_at) || compared(a.id, b.id);
const compared = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
