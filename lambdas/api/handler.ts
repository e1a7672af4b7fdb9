// Octavia's API controller: one Lambda behind the HTTP API, made of the resources' route tables.
import type { RouteHandler, Routes } from '../runtime/http/request.ts';
import { type HttpHandler, httpHandler, type Service } from '../runtime/http/stack.ts';
import type { Services } from '../runtime/services.ts';
import { routes as amphorae } from './amphorae.ts';
import { routes as availabilityZoneProfiles } from './availability-zone-profiles.ts';
import { routes as availabilityZones } from './availability-zones.ts';
import { documentationOf } from './documentation.ts';
import { routes as explain } from './explain.ts';
import { routes as flavorProfiles } from './flavor-profiles.ts';
import { routes as flavors } from './flavors.ts';
import { routes as healthMonitors } from './health-monitors.ts';
import { routes as healthcheck } from './healthcheck.ts';
import { faultOf } from './http/faults.ts';
import { idempotent } from './http/idempotency.ts';
import { asBoolean } from './http/list-query.ts';
import { negotiate } from './http/negotiation.ts';
import { authorizeRoute, policiesOf } from './http/policy.ts';
import { routes as l7Policies } from './l7-policies.ts';
import { routes as l7Rules } from './l7-rules.ts';
import { routes as listeners } from './listeners.ts';
import { routes as loadBalancers } from './load-balancers.ts';
import { routes as members } from './members.ts';
import { routes as pools } from './pools.ts';
import { routes as providers } from './providers.ts';
import { routes as quotas } from './quotas.ts';
import { routes as rollouts } from './rollouts.ts';
import { routes as versions } from './versions.ts';

/** `/v2` means `/v2.0`, and every resource may be asked for with or without `/lbaas`. */
function canonicalPath(path: string): string {
  const [, version, ...rest] = path.split('/');
  if (version !== 'v2' && version !== 'v2.0') return path;
  const isMounted = rest.length === 0 || rest[0] === '' || rest[0] === 'lbaas' || rest[0] === 'octavia';
  return ['', 'v2.0', ...(isMounted ? [] : ['lbaas']), ...rest].join('/');
}

const publicPaths = new Set(['/healthcheck', '/openapi.json', '/docs']);
const isPublic = (method: string, path: string): boolean =>
  publicPaths.has(path) || (path === '/' && (method === 'GET' || method === 'HEAD'));

const resourceRoutes: Routes = {
  ...versions,
  ...loadBalancers,
  ...listeners,
  ...pools,
  ...members,
  ...healthMonitors,
  ...l7Policies,
  ...l7Rules,
  ...quotas,
  ...providers,
  ...flavors,
  ...flavorProfiles,
  ...availabilityZones,
  ...availabilityZoneProfiles,
  ...amphorae,
  ...rollouts,
  ...healthcheck,
  ...explain,
};

const routes: Routes = {
  ...resourceRoutes,
  ...documentationOf(Object.keys(resourceRoutes), (route) => isPublic(...(route.split(' ') as [string, string]))),
};

/** Rare, and with HAProxy's configuration a good part of the function's code: loaded when it is asked for. */
const dryRunnable =
  (handler: RouteHandler): RouteHandler =>
  async (request) => {
    if (!asBoolean(request.query.get('dry_run') ?? 'false')) return handler(request);
    const { dryRun } = await import('./http/dry-run.ts');
    return dryRun(request, handler);
  };

/** What every write takes beside its body: a key that makes it one, a wish to see it before it is done. */
function withOptions(route: string, handler: RouteHandler): RouteHandler {
  if (route.startsWith('POST ')) return dryRunnable(idempotent(handler, routes));
  return route.startsWith('PUT ') || route.startsWith('DELETE ') ? dryRunnable(handler) : handler;
}

export const octaviaService: Service = {
  routes: Object.fromEntries(
    Object.entries(routes).map(([route, handler]) => [route, withOptions(route, handler)]),
  ) as Routes,
  canonicalPath,
  isPublic,
  authorize: authorizeRoute,
  fault: faultOf,
  negotiate,
};

export function apiHandler(services: Services): HttpHandler {
  // A policy file that cannot be read stops the start, and not the first request that needs it.
  policiesOf(services.config);
  return httpHandler(services, octaviaService);
}
