// Which of HAProxy's metrics a PROMETHEUS listener tells, and under which names: those of Octavia's prometheus-proxy.

export interface Family {
  name: string;
  /** What HAProxy labels `proxy`, and what it calls the kind of proxy in its help; undefined for the process. */
  label?: 'listener' | 'pool';
}

const namesIn = (...lists: string[]): string[] => lists.flatMap((list) => list.trim().split(/\s+/));

const ofProcess = namesIn(
  'max_connections current_connections connections_total requests_total',
  'max_ssl_connections current_ssl_connections ssl_connections_total',
  'current_connection_rate limit_connection_rate max_connection_rate',
  'current_session_rate limit_session_rate max_session_rate',
  'current_ssl_rate limit_ssl_rate max_ssl_rate',
  'current_frontend_ssl_key_rate max_frontend_ssl_key_rate frontend_ssl_reuse',
  'current_backend_ssl_key_rate max_backend_ssl_key_rate ssl_cache_lookups_total ssl_cache_misses_total',
  'http_comp_bytes_in_total http_comp_bytes_out_total limit_http_comp',
  'listeners dropped_logs_total',
);
const ofMemory = namesIn('pool_allocated_bytes pool_used_bytes pool_failures_total');

const ofEveryProxy = namesIn(
  'status current_sessions max_sessions limit_sessions sessions_total max_session_rate',
  'bytes_in_total bytes_out_total responses_denied_total failed_header_rewriting_total http_responses_total',
);
const ofHttp = namesIn(
  'requests_denied_total http_requests_total http_cache_lookups_total http_cache_hits_total',
  'http_comp_bytes_in_total http_comp_bytes_out_total http_comp_bytes_bypassed_total http_comp_responses_total',
);
const ofListeners = namesIn(
  'limit_session_rate connections_rate_max connections_total request_errors_total denied_connections_total',
  'denied_sessions_total http_requests_rate_max intercepted_requests_total',
);
const ofPoolsAndMembers = namesIn(
  'last_session_seconds current_queue max_queue connection_attempts_total connection_reuses_total',
  'queue_time_average_seconds connect_time_average_seconds response_time_average_seconds total_time_average_seconds',
  'max_queue_time_seconds max_connect_time_seconds max_response_time_seconds max_total_time_seconds',
  'connection_errors_total response_errors_total retry_warnings_total redispatch_warnings_total client_aborts_total',
  'check_up_down_total check_last_change_seconds downtime_seconds_total loadbalanced_total',
);
const ofMembers = namesIn(
  'queue_limit weight check_failures_total current_throttle idle_connections_current idle_connections_limit',
  'server_aborts_total',
);

const named = (from: string, to: string, names: string[], label?: Family['label']): [string, Family][] =>
  names.map((name) => [`haproxy_${from}_${name}`, { name: `octavia_${to}_${name}`, label }]);

/** By HAProxy's name. */
export const families: ReadonlyMap<string, Family> = new Map([
  ...named('process', 'loadbalancer', ofProcess),
  ...named('process', 'memory', ofMemory),
  ...named('frontend', 'listener', [...ofEveryProxy, ...ofHttp, ...ofListeners], 'listener'),
  ...named('backend', 'pool', [...ofEveryProxy, ...ofHttp, ...ofPoolsAndMembers], 'pool'),
  ['haproxy_backend_server_aborts_total', { name: 'octavia_pool_member_aborts_total', label: 'pool' }],
  ['haproxy_backend_active_servers', { name: 'octavia_pool_active_members', label: 'pool' }],
  ['haproxy_backend_backup_servers', { name: 'octavia_pool_backup_members', label: 'pool' }],
  ...named('server', 'member', [...ofEveryProxy, ...ofPoolsAndMembers, ...ofMembers], 'pool'),
]);

/** Of the machine, which HAProxy does not know. */
export const machineFamilies = {
  octavia_loadbalancer_cpu: 'Load balancer CPU utilization (percentage).',
  octavia_loadbalancer_memory: 'Load balancer memory utilization (percentage).',
};
