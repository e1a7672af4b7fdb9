// Quotas: how many of each resource a project may have.
import { integer } from './attribute-types.ts';
import { ApiError } from './errors.ts';
import { resource, type Updated } from './resource.ts';

export const quotaResources = {
  loadbalancer: 'Load Balancer',
  listener: 'Listener',
  member: 'Member',
  pool: 'Pool',
  healthmonitor: 'Health Monitor',
  l7policy: 'L7 Policy',
  l7rule: 'L7 Rule',
} as const;

const limit = () => ({ type: integer(-1, 2_000_000_000), on: 'create+update' }) as const;

/** Two resources had another name once, which clients still send. */
export const quota = resource({
  root: 'quota',
  plural: 'quotas',
  argument: 'quotas',
  title: 'Quotas',
  attributes: {
    loadbalancer: limit(),
    load_balancer: limit(),
    listener: limit(),
    member: limit(),
    pool: limit(),
    healthmonitor: limit(),
    health_monitor: limit(),
    l7policy: limit(),
    l7rule: limit(),
  },
});

/** Limits to be set, null to go back to the default; of two spellings the present one wins. */
export function limitsAskedFor({
  load_balancer,
  health_monitor,
  ...asked
}: Updated<typeof quota.attributes>): Partial<Record<QuotaResource, number | null>> {
  return {
    ...(load_balancer === undefined ? {} : { loadbalancer: load_balancer }),
    ...(health_monitor === undefined ? {} : { healthmonitor: health_monitor }),
    ...asked,
  };
}

export type QuotaResource = keyof typeof quotaResources;

/** How many more (or fewer) of each; what a change costs. */
export type QuotaDelta = Partial<Record<QuotaResource, number>>;
/** -1: no limit. */
export type QuotaLimits = Record<QuotaResource, number>;

/** Limits set for the project (absent or null: the default) and counters `in_use_<resource>`. */
export interface QuotaRow {
  project_id: string;
  [attribute: string]: unknown;
}

export const inUse = (resource: QuotaResource): string => `in_use_${resource}`;

export const quotaMet = (resources: QuotaResource[]) =>
  new ApiError(403, `Quota has been met for resources: ${resources.map((name) => quotaResources[name]).join(', ')}`);

/** Limits in force for a project. */
export function limitsOf(row: QuotaRow | undefined, defaults: QuotaLimits): QuotaLimits {
  const limits = { ...defaults };
  for (const name of Object.keys(quotaResources) as QuotaResource[]) {
    const own = row?.[name];
    if (typeof own === 'number') limits[name] = own;
  }
  return limits;
}

/** Resources of which `delta` would be too many. */
export const exceeded = (row: QuotaRow | undefined, limits: QuotaLimits, delta: QuotaDelta): QuotaResource[] =>
  (Object.keys(delta) as QuotaResource[]).filter((name) => {
    const used = Number(row?.[inUse(name)] ?? 0);
    const more = delta[name] ?? 0;
    return more > 0 && limits[name] !== -1 && used + more > limits[name];
  });

/** Both spellings of the two resources that had another name once. */
export function quotaResponse(limits: QuotaLimits, projectId?: string) {
  return {
    ...limits,
    load_balancer: limits.loadbalancer,
    health_monitor: limits.healthmonitor,
    ...(projectId === undefined ? {} : { project_id: projectId, tenant_id: projectId }),
  };
}
