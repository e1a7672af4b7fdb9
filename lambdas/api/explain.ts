// Beyond Octavia: why a load balancer is PENDING or in ERROR, in sentences and in fields.
import { notFound } from '../domain/errors.ts';
import { readAmphorae } from '../repositories/amphorae.ts';
import { readStormGuards } from '../repositories/storm-guard.ts';
import { readTree } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { withFields } from './http/lists.ts';
import { policiesOf } from './http/policy.ts';

async function explain(request: ApiRequest): Promise<ApiResponse> {
  const { table, clock, config } = request.services;
  const id = param(request, 'loadbalancer_id');
  const tree = await readTree(table, id);
  if (tree === undefined) throw notFound('Load Balancer', id);
  const { project_id } = tree.loadBalancer;
  request.authorize(project_id);
  const isAdmin = policiesOf(config)('load-balancer:admin', request.caller!, { project_id });
  const guards = await readStormGuards(table);
  const amphorae = guards.size === 0 ? [] : await readAmphorae(table, tree.loadBalancer.amphora_ids);
  const zones = new Set(amphorae.map(({ cached_zone }) => cached_zone ?? ''));
  // Asked for by people now and then: a cold start does not read it.
  const { explanationOf } = await import('../domain/explanation.ts');
  const context = {
    heldBack: [...zones].flatMap((zone) => guards.get(zone) ?? []).filter(({ is_engaged }) => is_engaged),
    now: clock.now(),
    attemptsAllowed: config.operation_attempts,
    isStrict: config.conflict_policy === 'strict',
    isAdmin,
  };
  return { status: 200, body: { explanation: withFields(request, explanationOf(tree, context)) } };
}

export const routes = { 'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/explain': explain } satisfies Routes;
