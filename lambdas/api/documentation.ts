// Beyond Octavia: the API describes itself, to programs and to people.
import { availabilityZone } from '../domain/availability-zone.ts';
import { availabilityZoneProfile } from '../domain/availability-zone-profile.ts';
import { flavor } from '../domain/flavor.ts';
import { flavorProfile } from '../domain/flavor-profile.ts';
import { healthMonitor } from '../domain/health-monitor.ts';
import { l7Policy } from '../domain/l7-policy.ts';
import { l7Rule } from '../domain/l7-rule.ts';
import { listener } from '../domain/listener.ts';
import { loadBalancer } from '../domain/load-balancer.ts';
import { member } from '../domain/member.ts';
import { pool } from '../domain/pool.ts';
import { quota } from '../domain/quota.ts';
import type { Resource } from '../domain/resource.ts';
import { rollout } from '../domain/rollout.ts';
import type { ApiResponse, Routes } from '../runtime/http/request.ts';
import type { OpenApi } from './http/openapi.ts';

// biome-ignore lint/suspicious/noExplicitAny: resources of different attributes
const resources: Resource<any>[] = [
  loadBalancer,
  listener,
  pool,
  member,
  healthMonitor,
  l7Policy,
  l7Rule,
  quota,
  flavor,
  flavorProfile,
  availabilityZone,
  availabilityZoneProfile,
  rollout,
];

const own = ['GET /openapi.json', 'GET /docs'];

/** @param routes what is described @param isPublic routes that need no token */
export function documentationOf(routes: readonly string[], isPublic: (route: string) => boolean): Routes {
  // Loaded and made when it is first asked for: most functions never are.
  let document: Promise<OpenApi> | undefined;
  const described = (): Promise<OpenApi> => {
    document ??= import('./http/openapi.ts').then(({ openApiOf }) =>
      openApiOf([...routes, ...own], resources, isPublic),
    );
    return document;
  };
  const show = async (): Promise<ApiResponse> => ({ status: 200, body: await described() });
  const read = async (): Promise<ApiResponse> => {
    const { referencePage } = await import('./http/reference-page.ts');
    const headers = {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    };
    return { status: 200, text: referencePage(await described()), headers };
  };
  return { 'GET /openapi.json': show, 'GET /docs': read };
}
