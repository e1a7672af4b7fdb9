// Octavia's policies: which one a route asks for, what each is by default, and a deployment's own from its policy file.
import { readFileSync } from 'node:fs';
import { ApiError } from '../../domain/errors.ts';
import type { Config } from '../../runtime/config.ts';
import type { ApiRequest, Caller } from '../../runtime/http/request.ts';
import { asBoolean } from './list-query.ts';
import { type Enforcer, enforcerOf } from './policy-rules.ts';

/** Keystone's own roles and Octavia's older ones are worth the same. A policy file may restate any of these. */
const rules: Record<string, string> = {
  'load-balancer:owner': 'project_id:%(project_id)s',
  'load-balancer:admin': 'role:admin or role:load-balancer_admin',
  'load-balancer:global_observer': 'role:load-balancer_global_observer',
  'load-balancer:observer_and_owner': '(role:reader or role:load-balancer_observer) and rule:load-balancer:owner',
  'load-balancer:member_and_owner': '(role:member or role:load-balancer_member) and rule:load-balancer:owner',
  'load-balancer:quota-admin': 'role:load-balancer_quota_admin or rule:load-balancer:admin',
  'load-balancer:read-global': 'rule:load-balancer:global_observer or rule:load-balancer:admin',
  'load-balancer:read':
    'rule:load-balancer:observer_and_owner or rule:load-balancer:member_and_owner or rule:load-balancer:read-global',
  'load-balancer:write': 'rule:load-balancer:member_and_owner or rule:load-balancer:admin',
  'load-balancer:read-quota': 'rule:load-balancer:read or rule:load-balancer:quota-admin',
  'load-balancer:read-quota-global': 'rule:load-balancer:read-global or rule:load-balancer:quota-admin',
  'load-balancer:write-quota': 'rule:load-balancer:quota-admin',
};

interface ResourcePolicy {
  /** As in `os_load-balancer_api:<name>:<action>`. */
  name: string;
  read: string;
  write: string;
  /** What lists every project's. */
  global: string;
  /** Actions with a rule of their own. */
  actions?: Record<string, string>;
}

const owned = (name: string, actions?: Record<string, string>): ResourcePolicy => ({
  name,
  read: 'rule:load-balancer:read',
  write: 'rule:load-balancer:write',
  global: 'rule:load-balancer:read-global',
  actions,
});
const offered = (name: string): ResourcePolicy => ({ ...owned(name), write: 'rule:load-balancer:admin' });
const administrative = (name: string): ResourcePolicy => ({
  ...offered(name),
  read: 'rule:load-balancer:admin',
  global: 'rule:load-balancer:admin',
});

/** By the last collection in a route's path. */
const resources: Record<string, ResourcePolicy> = {
  loadbalancers: owned('loadbalancer', { put_failover: 'rule:load-balancer:admin' }),
  listeners: owned('listener'),
  pools: owned('pool'),
  members: owned('member', { get_all: 'rule:load-balancer:read or role:service' }),
  healthmonitors: owned('healthmonitor'),
  l7policies: owned('l7policy'),
  rules: owned('l7rule'),
  quotas: {
    name: 'quota',
    read: 'rule:load-balancer:read-quota',
    write: 'rule:load-balancer:write-quota',
    global: 'rule:load-balancer:read-quota-global',
  },
  providers: offered('provider'),
  flavors: offered('flavor'),
  availabilityzones: offered('availability-zone'),
  flavorprofiles: administrative('flavor-profile'),
  availabilityzoneprofiles: administrative('availability-zone-profile'),
  flavor_capabilities: administrative('provider-flavor'),
  availability_zone_capabilities: administrative('provider-availability-zone'),
  amphorae: administrative('amphora'),
  rollouts: administrative('rollout'),
};

/** Actions named by the end of a path, by method else. */
const actionsOfPaths: Record<string, string> = {
  status: 'get_status',
  statuses: 'get_status',
  stats: 'get_stats',
  explain: 'get_explain',
  default: 'get_defaults',
  failover: 'put_failover',
  config: 'put_config',
  certificate: 'put_certificate',
};
const actions = ['post', 'put', 'delete', 'get_all', 'get_one', ...Object.values(actionsOfPaths)];

const policyName = (resource: string, action: string): string => `os_load-balancer_api:${resource}:${action}`;

const groupsPolicy = (action: string): string => policyName('loadbalancer', `${action}:vip_sg_ids`);

/** Every policy with its default. */
export const defaultPolicies: ReadonlyMap<string, string> = new Map([
  ...Object.entries(rules),
  ...Object.values(resources).flatMap(({ name, read, write, global, actions: own }) => [
    ...actions.map((action): [string, string] => [
      policyName(name, action),
      own?.[action] ?? (action.startsWith('get_') ? read : write),
    ]),
    [policyName(name, 'get_all-global'), global] as [string, string],
  ]),
  // Security groups of a VIP have policies of their own, which by default are those of the call.
  ...['post', 'put'].map((action): [string, string] => [groupsPolicy(action), resources['loadbalancers']!.write]),
]);

/** The policy a route asks for, `os_load-balancer_api:listener:get_one`. @throws Error for a route that nobody thought of */
export function policyOfRoute(route: string): string {
  const [method = '', path = ''] = route.split(' ');
  const segments = path.split('/').filter(Boolean);
  const last = segments.at(-1) ?? '';
  const collection = segments.findLast((segment) => segment in resources);
  if (collection === undefined) throw new Error(`no policy for ${route}`);
  const action = actionsOfPaths[last];
  const isCollection = last === collection;
  const byMethod = method === 'GET' ? (isCollection ? 'get_all' : 'get_one') : method.toLowerCase();
  return policyName(resources[collection]!.name, action ?? byMethod);
}

/** A path, or the JSON itself where there are no files to put beside a function. */
function ownPolicies({ policy_file }: Config): [string, string][] {
  if (policy_file === '') return [];
  const text = policy_file.trimStart().startsWith('{') ? policy_file : readFileSync(policy_file, 'utf8');
  const policies = Object.entries(JSON.parse(text) as Record<string, unknown>);
  const wrong = policies.find(([, rule]) => typeof rule !== 'string');
  if (wrong) throw new Error(`policy "${wrong[0]}" must be a text`);
  return policies as [string, string][];
}

const enforcers = new WeakMap<Config, Enforcer>();

/** The policies in force, read once. @throws Error for a policy file that cannot be read */
export function policiesOf(config: Config): Enforcer {
  const known = enforcers.get(config);
  if (known) return known;
  const enforcer = enforcerOf(new Map([...defaultPolicies, ...ownPolicies(config)]));
  enforcers.set(config, enforcer);
  return enforcer;
}

const forbidden = () => new ApiError(403, 'Policy does not allow this request to be performed.');

const namesGroups = (body: unknown): boolean =>
  ((body as { loadbalancer?: { vip_sg_ids?: unknown } } | undefined)?.loadbalancer?.vip_sg_ids ?? null) !== null;

/** A batch of members makes, changes and, unless it only adds, deletes them; security groups are asked for beside the call. */
function policiesAskedFor({ route, query, body }: ApiRequest): string[] {
  const isOfLoadBalancer = /^(POST|PUT) \/v2\.0\/lbaas\/loadbalancers(\/\{loadbalancer_id\})?$/.exec(route);
  if (isOfLoadBalancer && namesGroups(body)) {
    return [policyOfRoute(route), groupsPolicy(isOfLoadBalancer[1]!.toLowerCase())];
  }
  if (route !== 'PUT /v2.0/lbaas/pools/{pool_id}/members') return [policyOfRoute(route)];
  const isAdditive = asBoolean(query.get('additive_only') ?? 'false');
  return ['post', 'put', ...(isAdditive ? [] : ['delete'])].map((action) => policyName('member', action));
}

/** @throws ApiError 403 */
export function authorizeRoute(request: ApiRequest, caller: Caller, projectId: string | null): void {
  const isAllowed = policiesOf(request.services.config);
  const isRefused = (policy: string) => !isAllowed(policy, caller, { project_id: projectId });
  if (policiesAskedFor(request).some(isRefused)) throw forbidden();
}

/** For resources that belong to no project: what matters is what the caller may do in its own. @throws ApiError 403 */
export const authorizeOwn = (request: ApiRequest): void => request.authorize(request.caller?.project_id ?? null);

/**
 * The project a list is confined to; null: all.
 * @throws ApiError 403 for another's project, or without any
 */
export function listedProject(request: ApiRequest): string | null {
  const caller = request.caller!;
  const wanted = request.query.get('project_id');
  const global = `${policyOfRoute(request.route)}-global`;
  if (policiesOf(request.services.config)(global, caller, { project_id: null })) return wanted;
  const project = wanted ?? caller.project_id;
  if (project === null) throw forbidden();
  request.authorize(project);
  return project;
}
