// Rows of a load balancer's tree with everything filled in, so that a test says only what it is about.
import type { HealthMonitorRow } from '../../lambdas/domain/health-monitor.ts';
import type { L7PolicyRow } from '../../lambdas/domain/l7-policy.ts';
import type { L7RuleRow } from '../../lambdas/domain/l7-rule.ts';
import type { ListenerRow } from '../../lambdas/domain/listener.ts';
import type { LoadBalancerRow } from '../../lambdas/domain/load-balancer.ts';
import type { MemberRow } from '../../lambdas/domain/member.ts';
import type { PoolRow } from '../../lambdas/domain/pool.ts';
import type { Row } from '../../lambdas/domain/row.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';

/** The same id each time, readable in golden files: kind of resource, then number. */
export const idOf = (kind: 'lb' | 'listener' | 'pool' | 'member' | 'monitor' | 'other', number = 1): string => {
  const first = { lb: 'a', listener: 'b', pool: 'c', member: 'd', monitor: 'e', other: 'f' }[kind].repeat(8);
  return `${first}-0000-4000-8000-${String(number).padStart(12, '0')}`;
};

const row = (id: string): Row => ({
  id,
  load_balancer_id: idOf('lb'),
  project_id: idOf('other', 1).replaceAll('-', ''),
  provisioning_status: 'ACTIVE',
  operating_status: 'ONLINE',
  created_at: '2026-01-01T00:00:00',
  updated_at: null,
  generation: 1,
});

export const aLoadBalancer = (given: Partial<LoadBalancerRow> = {}): LoadBalancerRow => ({
  ...row(idOf('lb')),
  name: '',
  description: '',
  admin_state_up: true,
  vip_address: '127.0.0.1',
  vip_port_id: idOf('other', 2),
  vip_subnet_id: idOf('other', 3),
  vip_network_id: idOf('other', 4),
  vip_qos_policy_id: null,
  vip_sg_ids: [],
  additional_vips: [],
  provider: 'amphora',
  flavor_id: null,
  availability_zone: null,
  topology: 'SINGLE',
  tags: [],
  listener_ids: [],
  pool_ids: [],
  amphora_ids: [],
  candidates: [],
  applied_generation: 1,
  vip_epoch: 1,
  operation: null,
  lease: null,
  failover_pause: null,
  intents: [],
  ...given,
});

export const aListener = (given: Partial<ListenerRow> = {}): ListenerRow => ({
  ...row(idOf('listener')),
  protocol: 'HTTP',
  protocol_port: 80,
  name: '',
  description: '',
  admin_state_up: true,
  connection_limit: -1,
  default_pool_id: null,
  timeout_client_data: 50_000,
  timeout_member_connect: 5_000,
  timeout_member_data: 50_000,
  timeout_tcp_inspect: 0,
  insert_headers: {},
  default_tls_container_ref: null,
  sni_container_refs: [],
  client_ca_tls_container_ref: null,
  client_crl_container_ref: null,
  client_authentication: 'NONE',
  allowed_cidrs: [],
  tls_ciphers: null,
  tls_versions: null,
  alpn_protocols: null,
  hsts_max_age: null,
  hsts_include_subdomains: false,
  hsts_preload: false,
  l7policy_ids: [],
  tags: [],
  ...given,
});

export const aPool = (given: Partial<PoolRow> = {}): PoolRow => ({
  ...row(idOf('pool')),
  protocol: 'HTTP',
  lb_algorithm: 'ROUND_ROBIN',
  name: '',
  description: '',
  admin_state_up: true,
  healthmonitor_id: null,
  session_persistence: null,
  tls_enabled: false,
  tls_container_ref: null,
  ca_tls_container_ref: null,
  crl_container_ref: null,
  tls_ciphers: null,
  tls_versions: null,
  alpn_protocols: null,
  tags: [],
  ...given,
});

/** Of the pool `aPool()`. */
export const aMember = (given: Partial<MemberRow> = {}): MemberRow => ({
  ...row(idOf('member')),
  pool_id: idOf('pool'),
  address: '192.0.2.1',
  protocol_port: 8080,
  subnet_id: null,
  name: '',
  admin_state_up: true,
  weight: 1,
  backup: false,
  monitor_port: null,
  monitor_address: null,
  request_sriov: false,
  tags: [],
  ...given,
});

/** Of the pool `aPool()`. */
export const aMonitor = (given: Partial<HealthMonitorRow> = {}): HealthMonitorRow => ({
  ...row(idOf('monitor')),
  pool_id: idOf('pool'),
  type: 'TCP',
  delay: 5,
  timeout: 3,
  max_retries: 2,
  max_retries_down: 3,
  name: '',
  admin_state_up: true,
  http_method: null,
  url_path: null,
  expected_codes: null,
  http_version: null,
  domain_name: null,
  tags: [],
  ...given,
});

/** What is given, below `aLoadBalancer()`; nothing else. */
export const aTree = (given: Partial<Tree> = {}): Tree => ({
  loadBalancer: aLoadBalancer(),
  listeners: [],
  pools: [],
  healthMonitors: [],
  l7Policies: [],
  l7Rules: [],
  members: [],
  ...given,
});

/** Of the listener `aListener()`. */
export const aL7Policy = (given: Partial<L7PolicyRow> = {}): L7PolicyRow => ({
  ...row(idOf('other', 10)),
  listener_id: idOf('listener'),
  action: 'REJECT',
  redirect_pool_id: null,
  redirect_url: null,
  redirect_prefix: null,
  redirect_http_code: null,
  position: 1,
  name: '',
  description: '',
  admin_state_up: true,
  tags: [],
  rule_ids: [],
  ...given,
});

/** Of the policy `aL7Policy()`. */
export const aL7Rule = (given: Partial<L7RuleRow> = {}): L7RuleRow => ({
  ...row(idOf('other', 11)),
  l7policy_id: idOf('other', 10),
  type: 'PATH',
  compare_type: 'STARTS_WITH',
  value: '/',
  key: null,
  invert: false,
  admin_state_up: true,
  tags: [],
  ...given,
});
