// What the settings say of writes: which a busy load balancer takes, how long one may take, and what projects may have.
import type { QuotaLimits } from '../domain/quota.ts';
import type { ChangePolicy } from '../repositories/changes.ts';
import type { Config } from '../runtime/config.ts';

export const quotaDefaults = (config: Config): QuotaLimits => ({
  loadbalancer: config.quota_load_balancer,
  listener: config.quota_listener,
  member: config.quota_member,
  pool: config.quota_pool,
  healthmonitor: config.quota_health_monitor,
  l7policy: config.quota_l7policy,
  l7rule: config.quota_l7rule,
});

export const policyOf = (config: Config): ChangePolicy => ({
  conflict_policy: config.conflict_policy,
  operation_timeout_ms: config.operation_timeout_ms,
  quotas: quotaDefaults(config),
});
