// Everything beyond Octavia that a listener, a pool and a member can have, set.
import type { ListenerExtensions } from '../../lambdas/domain/listener-extensions.ts';
import type { PoolExtensions } from '../../lambdas/domain/pool-extensions.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { aListener, aMember, aMonitor, aPool, aTree, idOf } from './builders.ts';

export const extendedListener: ListenerExtensions = {
  rate_limit: { requests: 100, period: 60, type: 'HEADER', key: 'X-Api-Key' },
  connection_rate_limit: { connections: 50, period: 10 },
  compression: { content_types: ['text/html', 'application/json'] },
  request_headers: {
    set: { 'X-Request-ID': `\${request_id}`, 'X-Client': `for=\${client_address}:\${client_port};100%` },
    add: { Via: `\${protocol}/1.1 \${host}:\${listener_port}` },
    remove: ['X-Internal', 'Cookie2'],
  },
  response_headers: {
    set: { 'X-Request-ID': `\${request_id}`, 'Strict-Transport-Security': 'max-age=31536000; includeSubDomains' },
    add: { 'X-Served': `"it's" #1 \\ \${host}` },
    remove: ['Server', 'X-Powered-By'],
  },
  error_pages: {
    '429': { content_type: 'application/json', body: '{"error": "too many"}' },
    '503': {
      content_type: 'text/html; charset=utf-8',
      body: `<h1>It's down</h1>\r\n\n\t%[src] "$HOME" #1 {{DIRECTORY}} \\n ü`,
    },
  },
  http2: false,
  timeout_tunnel: 3_600_000,
  timeout_client_keep_alive: 5_000,
  timeout_client_request: 10_000,
  denied_cidrs: ['198.51.100.0/24', '2001:db8::/32'],
};

export const extendedPool: PoolExtensions = {
  retries: { attempts: 2, failures: ['EMPTY_RESPONSE', 'CONNECTION_FAILURE', '503'], non_idempotent: false },
  slow_start: 30,
};

export const extendedTree = (): Tree =>
  aTree({
    listeners: [aListener({ default_pool_id: idOf('pool'), ...extendedListener })],
    pools: [aPool(extendedPool)],
    healthMonitors: [aMonitor()],
    members: [aMember({ connection_limit: 20 })],
  });
