// Renders a load balancer for HAProxy, as Octavia's jinja templates do: desired tree, then configuration, then text. Pure, and
// the same tree is always the same bytes, because amphorae compare digests.
import { type L7PolicyRow, takesEffect } from '../domain/l7-policy.ts';
import type { L7RuleRow } from '../domain/l7-rule.ts';
import type { ListenerRow } from '../domain/listener.ts';
import type { PoolRow } from '../domain/pool.ts';
import { desiredTree, type Tree } from '../domain/tree.ts';
import { backend, type PoolParts } from './backend.ts';
import type { Configuration } from './config.ts';
import { frontend } from './frontend.ts';
import { globalCheckLines } from './health-check.ts';
import type { PolicyParts } from './l7.ts';
import { rings } from './logging.ts';
import { metricsSections } from './metrics.ts';
import { print, type RenderedConfiguration } from './print.ts';
import { processSections, type RenderOptions } from './process.ts';
import { rateTables } from './rate-limit.ts';

/** @throws Unrenderable naming the resource that HAProxy cannot be told */
export function renderConfiguration(tree: Tree, options: RenderOptions): RenderedConfiguration {
  return print(configurationOf(tree, options));
}

function configurationOf(tree: Tree, options: RenderOptions): Configuration {
  const { loadBalancer, listeners, l7Policies, l7Rules, ...below } = desiredTree(tree);
  const isUp = loadBalancer.admin_state_up !== false;
  const served = isUp ? listeners.filter((listener) => listener.admin_state_up !== false).sort(byAge) : [];
  const parts = partsById(below);
  const rendered = new Set<PoolParts>();
  const proxies = served.flatMap((listener) => {
    const byDefault = parts.get(listener.default_pool_id ?? '');
    const policies = policiesOf(listener, l7Policies, l7Rules, parts);
    const used = new Set([
      byDefault,
      ...policies.filter(isAsked).map(({ policy }) => parts.get(policy.redirect_pool_id ?? '')),
    ]);
    // First, so that what cannot be served is put down to the listener and not to its pools.
    const front = frontend(loadBalancer, listener, byDefault?.pool, options, policies);
    const backends = [...used].flatMap((one) => (one === undefined ? [] : [backend(listener, one, options)]));
    for (const one of used) if (one !== undefined) rendered.add(one);
    return [front, ...rateTables(listener), ...backends];
  });
  return [
    ...processSections(served, options, globalCheckLines([...rendered])),
    ...rings(loadBalancer, options.logging),
    ...proxies,
    ...metricsSections(served),
  ];
}

const isAsked = ({ policy, rules }: PolicyParts): boolean => takesEffect(policy) && rules.length > 0;

/** Policies of a listener by position, with the rules that are enabled. */
function policiesOf(
  listener: ListenerRow,
  policies: L7PolicyRow[],
  rules: L7RuleRow[],
  pools: Map<string, PoolParts>,
): PolicyParts[] {
  const enabled = Map.groupBy(
    rules.filter((rule) => rule.admin_state_up !== false).sort(byAge),
    (rule) => rule.l7policy_id,
  );
  return policies
    .filter((policy) => policy.listener_id === listener.id)
    .toSorted((a, b) => a.position - b.position)
    .map((policy) => ({
      policy,
      rules: enabled.get(policy.id) ?? [],
      pool: pools.get(policy.redirect_pool_id ?? '')?.pool,
    }));
}

/** Enabled pools with what hangs on them, by id. */
function partsById({
  pools,
  healthMonitors,
  members,
}: Pick<Tree, 'pools' | 'healthMonitors' | 'members'>): Map<string, PoolParts> {
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
