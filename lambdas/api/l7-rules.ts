// The L7 rules resource, below its policy.
import { conflict, notFound } from '../domain/errors.ts';
import { type L7RuleRow, l7Rule, l7RuleResponse, rulesPerPolicy, settledRule } from '../domain/l7-rule.ts';
import { type Created, parseCreate, parseUpdate, rootOf } from '../domain/resource.ts';
import { newRow } from '../domain/row.ts';
import type { Child, Skeleton } from '../domain/tree.ts';
import type { TreeChange } from '../repositories/changes.ts';
import { readChild, readSkeleton } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { listBody, withFields } from './http/lists.ts';
import { scalarNames } from './http/names.ts';
import { loadBalancerOf, refuseWhileDeleting, rowWritten, submit } from './http/submit.ts';
import { listenerOf, policyIn } from './l7-policies.ts';

export type RuleAttributes = Created<typeof l7Rule.attributes>;

export function newL7Rule(
  attributes: RuleAttributes,
  policy: { id: string; load_balancer_id: string; project_id: string },
  id: string,
  now: number,
): L7RuleRow {
  const { project_id: _project, ...own } = attributes;
  return {
    ...settledRule(own),
    ...newRow(id, policy.load_balancer_id, policy.project_id, now),
    l7policy_id: policy.id,
  };
}

export const tooManyRules = (policyId: string) => conflict(`Too many rules on L7 policy ${policyId}`);

/** The policy in the path; an unknown one is refused before the rules are looked at. */
const policyLoadBalancer = (request: ApiRequest): Promise<string> =>
  loadBalancerOf(request, 'l7policy', 'L7Policy', param(request, 'l7policy_id'), 'http');

/** The policy of a change with its listener, which change with their rules. */
function touched(
  skeleton: Skeleton,
  policyId: string,
  ruleIds?: string[],
): { policy: Child<'l7policy'>; touch: NonNullable<TreeChange['touch']> } {
  const policy = policyIn(skeleton, policyId);
  const listener = listenerOf(skeleton, policy.row.listener_id);
  return {
    policy,
    touch: [{ child: policy, set: ruleIds === undefined ? {} : { rule_ids: ruleIds } }, { child: listener }],
  };
}

function ruleIn(skeleton: Skeleton, request: ApiRequest): Child<'l7rule'> {
  const id = param(request, 'rule_id');
  const row = skeleton.l7Rules.find((one) => one.id === id && one.l7policy_id === param(request, 'l7policy_id'));
  if (row === undefined) throw notFound('L7Rule', id);
  refuseWhileDeleting('L7Rule', row);
  return { kind: 'l7rule', row };
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const loadBalancerId = await policyLoadBalancer(request);
  const attributes = settledRule(parseCreate(l7Rule, rootOf(l7Rule, request.body)));
  const id = services.newId();
  const accepted = await submit(request, loadBalancerId, (skeleton) => {
    const policyId = param(request, 'l7policy_id');
    const { rule_ids } = policyIn(skeleton, policyId).row;
    if (rule_ids.length >= rulesPerPolicy) throw tooManyRules(policyId);
    const { policy, touch } = touched(skeleton, policyId, [...rule_ids, id]);
    const row = newL7Rule(attributes, policy.row, id, services.clock.now());
    return { create: [{ kind: 'l7rule', row }], touch, quota: { made: { l7rule: 1 } } };
  });
  return { status: 201, body: { rule: l7RuleResponse(rowWritten(accepted, 'l7rule', id)) } };
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  await policyLoadBalancer(request);
  const id = param(request, 'rule_id');
  const row = await readChild(request.services.table, 'l7rule', id);
  if (row?.l7policy_id !== param(request, 'l7policy_id')) throw notFound('L7Rule', id);
  request.authorize(row.project_id);
  return { status: 200, body: { rule: withFields(request, l7RuleResponse(row)) } };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  const loadBalancerId = await policyLoadBalancer(request);
  // Octavia names the argument otherwise here than on creation.
  const given = parseUpdate({ ...l7Rule, argument: 'l7rule_' }, rootOf(l7Rule, request.body));
  const accepted = await submit(request, loadBalancerId, (skeleton) => {
    const child = ruleIn(skeleton, request);
    const settled = settledRule({ ...child.row, ...given });
    return {
      update: [{ child, set: { ...given, key: settled.key } }],
      touch: touched(skeleton, child.row.l7policy_id).touch,
    };
  });
  return { status: 200, body: { rule: l7RuleResponse(rowWritten(accepted, 'l7rule', param(request, 'rule_id'))) } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  const loadBalancerId = await policyLoadBalancer(request);
  await submit(request, loadBalancerId, (skeleton) => {
    const child = ruleIn(skeleton, request);
    const { rule_ids } = policyIn(skeleton, child.row.l7policy_id).row;
    const rest = rule_ids.filter((id) => id !== child.row.id);
    return { remove: [child], touch: touched(skeleton, child.row.l7policy_id, rest).touch };
  });
  return { status: 204 };
}

async function list(request: ApiRequest): Promise<ApiResponse> {
  const policyId = param(request, 'l7policy_id');
  const skeleton = await readSkeleton(request.services.table, await policyLoadBalancer(request));
  request.authorize(skeleton?.loadBalancer.project_id ?? null);
  const rows = (skeleton?.l7Rules ?? []).filter((row) => row.l7policy_id === policyId);
  return {
    status: 200,
    body: await listBody(request, { plural: 'rules', rows, show: l7RuleResponse, known: scalarNames(l7Rule) }),
  };
}

export const routes = {
  'GET /v2.0/lbaas/l7policies/{l7policy_id}/rules': list,
  'POST /v2.0/lbaas/l7policies/{l7policy_id}/rules': create,
  'GET /v2.0/lbaas/l7policies/{l7policy_id}/rules/{rule_id}': show,
  'PUT /v2.0/lbaas/l7policies/{l7policy_id}/rules/{rule_id}': update,
  'DELETE /v2.0/lbaas/l7policies/{l7policy_id}/rules/{rule_id}': remove,
} satisfies Routes;
