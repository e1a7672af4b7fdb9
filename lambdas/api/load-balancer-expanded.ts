// The answer to the create of a load balancer: everything below it in full, as nothing else shows it.
import { healthMonitorResponse } from '../domain/health-monitor.ts';
import { l7PolicyResponse } from '../domain/l7-policy.ts';
import { l7RuleResponse } from '../domain/l7-rule.ts';
import { listenerResponse } from '../domain/listener.ts';
import { memberResponse } from '../domain/member.ts';
import { poolResponse } from '../domain/pool.ts';
import type { Graph, ListenerGraph, PolicyGraph, PoolGraph } from './load-balancer-graph.ts';

function without<S extends object>(shown: S, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(shown).filter(([name]) => !names.includes(name)));
}

const sendsTo = ({ row, policies }: ListenerGraph, poolId: string): boolean =>
  row.default_pool_id === poolId ||
  policies.some((policy) => policy.row.redirect_pool_id === poolId && policy.row.admin_state_up && policy.rules.length);

function poolExpanded({ row, monitor, members }: PoolGraph, graph: Graph) {
  const users = graph.listeners.filter((one) => sendsTo(one, row.id)).map((one) => one.row.id);
  return {
    ...without(poolResponse(row, users, []), 'loadbalancers', 'healthmonitor_id'),
    ...(monitor ? { healthmonitor: without(healthMonitorResponse(monitor), 'pools') } : {}),
    members: members.map(memberResponse),
  };
}

const policyExpanded = ({ row, rules }: PolicyGraph) => ({
  ...l7PolicyResponse(row),
  rules: rules.map(l7RuleResponse),
});

function listenerExpanded({ row, policies }: ListenerGraph, graph: Graph) {
  const used = graph.pools.find((one) => one.row.id === row.default_pool_id);
  return {
    ...without(listenerResponse(row), 'loadbalancers'),
    default_pool: used ? poolExpanded(used, graph) : null,
    l7policies: policies.map(policyExpanded),
  };
}

export const graphExpanded = (graph: Graph) => ({
  listeners: graph.listeners.map((one) => listenerExpanded(one, graph)),
  pools: graph.pools.map((one) => poolExpanded(one, graph)),
});
