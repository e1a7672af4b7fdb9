// Octavia's default policies: which rule a route asks for, and which roles and projects satisfy it.
import { ApiError } from '../../domain/errors.ts';
import type { ApiRequest, Caller } from '../../runtime/http/request.ts';

type Rule = 'read' | 'read-global' | 'write' | 'admin' | 'read-quota' | 'read-quota-global' | 'write-quota';

const has = (caller: Caller, ...roles: string[]): boolean => roles.some((role) => caller.roles.includes(role));

const isAdmin = (caller: Caller): boolean => has(caller, 'admin', 'load-balancer_admin');
const owns = (caller: Caller, projectId: string | null): boolean =>
  projectId !== null && caller.project_id === projectId;
const writesOwn = (caller: Caller, projectId: string | null): boolean =>
  owns(caller, projectId) && has(caller, 'member', 'load-balancer_member');
const readsOwn = (caller: Caller, projectId: string | null): boolean =>
  owns(caller, projectId) && has(caller, 'reader', 'load-balancer_observer');
const readsAll = (caller: Caller): boolean => isAdmin(caller) || has(caller, 'load-balancer_global_observer');
const isQuotaAdmin = (caller: Caller): boolean => isAdmin(caller) || has(caller, 'load-balancer_quota_admin');

const rules: Record<Rule, (caller: Caller, projectId: string | null) => boolean> = {
  admin: isAdmin,
  'read-global': readsAll,
  read: (caller, projectId) => readsAll(caller) || readsOwn(caller, projectId) || writesOwn(caller, projectId),
  write: (caller, projectId) => isAdmin(caller) || writesOwn(caller, projectId),
  'read-quota-global': (caller) => readsAll(caller) || isQuotaAdmin(caller),
  'read-quota': (caller, projectId) =>
    readsAll(caller) || isQuotaAdmin(caller) || readsOwn(caller, projectId) || writesOwn(caller, projectId),
  'write-quota': isQuotaAdmin,
};

/** Routes whose rule does not follow from the method. */
const exceptions: Record<string, Rule> = {
  'PUT /v2.0/lbaas/loadbalancers/{loadbalancer_id}/failover': 'admin',
};

/** What only administrators see, and what everybody sees and only they change. */
const hiddenResources = /\/(octavia\/amphorae|lbaas\/(flavorprofiles|availabilityzoneprofiles|providers\/))/;
const givenResources = /\/lbaas\/(flavors|availabilityzones)/;

function ruleOf(route: string): Rule {
  const exception = exceptions[route];
  if (exception !== undefined) return exception;
  const isRead = route.startsWith('GET ');
  if (hiddenResources.test(route) || (givenResources.test(route) && !isRead)) return 'admin';
  if (route.includes('/lbaas/quotas')) return isRead ? 'read-quota' : 'write-quota';
  return isRead ? 'read' : 'write';
}

const forbidden = () => new ApiError(403, 'Policy does not allow this request to be performed.');

/** @throws ApiError 403 */
export function authorizeRoute(route: string, caller: Caller, projectId: string | null): void {
  if (!rules[ruleOf(route)](caller, projectId)) throw forbidden();
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
  const global: Rule = request.route.includes('/quotas') ? 'read-quota-global' : 'read-global';
  if (rules[global](caller, null)) return wanted;
  const project = wanted ?? caller.project_id;
  request.authorize(project);
  return project;
}
