// Octavia's API controller: one Lambda behind the HTTP API, made of the resources' route tables.
import { type HttpHandler, httpHandler, type Service } from '../runtime/http/stack.ts';
import type { Services } from '../runtime/services.ts';
import { routes as amphorae } from './amphorae.ts';
import { routes as availabilityZoneProfiles } from './availability-zone-profiles.ts';
import { routes as availabilityZones } from './availability-zones.ts';
import { routes as flavorProfiles } from './flavor-profiles.ts';
import { routes as flavors } from './flavors.ts';
import { routes as healthMonitors } from './health-monitors.ts';
import { faultOf } from './http/faults.ts';
import { negotiate } from './http/negotiation.ts';
import { authorizeRoute } from './http/policy.ts';
import { routes as l7Policies } from './l7-policies.ts';
import { routes as l7Rules } from './l7-rules.ts';
import { routes as listeners } from './listeners.ts';
import { routes as loadBalancers } from './load-balancers.ts';
import { routes as members } from './members.ts';
import { routes as pools } from './pools.ts';
import { routes as providers } from './providers.ts';
import { routes as quotas } from './quotas.ts';
import { routes as versions } from './versions.ts';

/** `/v2` means `/v2.0`, and every resource may be asked for with or without `/lbaas`. */
function canonicalPath(path: string): string {
  const [, version, ...rest] = path.split('/');
  if (version !== 'v2' && version !== 'v2.0') return path;
  const isMounted = rest.length === 0 || rest[0] === '' || rest[0] === 'lbaas' || rest[0] === 'octavia';
  return ['', 'v2.0', ...(isMounted ? [] : ['lbaas']), ...rest].join('/');
}

export const octaviaService: Service = {
  routes: {
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
  },
  canonicalPath,
  isPublic: (method, path) => path === '/' && (method === 'GET' || method === 'HEAD'),
  authorize: authorizeRoute,
  fault: faultOf,
  negotiate,
};

export const apiHandler = (services: Services): HttpHandler => httpHandler(services, octaviaService);
