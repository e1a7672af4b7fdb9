// Health monitors: how a pool finds out which members live.
import { boolean, integer, oneOf, oneOfNumbers, pattern, tags, text, urlPath, uuid } from './attribute-types.ts';
import { invalid } from './errors.ts';
import { type Created, resource } from './resource.ts';
import { owner, type Row, refs } from './row.ts';

export const monitorTypes = ['HTTP', 'HTTPS', 'TCP', 'TLS-HELLO'] as const;
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'CONNECT', 'PATCH'] as const;
const seconds = () => integer(0, 2_147_483);
const hostname =
  /^(?=.{1,255}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*\.?$/;

export const healthMonitor = resource({
  root: 'healthmonitor',
  plural: 'healthmonitors',
  argument: 'health_monitor_',
  title: 'Health Monitor',
  attributes: {
    pool_id: { type: uuid(), on: 'create', required: true },
    type: { type: oneOf(...monitorTypes), on: 'create', required: true },
    delay: { type: seconds(), on: 'create+update', required: true, nullable: false },
    timeout: { type: seconds(), on: 'create+update', required: true, nullable: false },
    max_retries: { type: integer(1, 10), on: 'create+update', required: true, nullable: false },
    max_retries_down: { type: integer(1, 10), on: 'create+update', default: 3 },
    project_id: { type: text(36), on: 'create' },
    name: { type: text(), on: 'create+update', default: '' },
    admin_state_up: { type: boolean(), on: 'create+update', default: true },
    http_method: { type: oneOf(...methods), on: 'create+update' },
    url_path: { type: urlPath(), on: 'create+update' },
    expected_codes: { type: pattern(/^(\d{3}(\s*,\s*\d{3})*|\d{3}-\d{3})$/, 64), on: 'create+update' },
    http_version: { type: oneOfNumbers(1.0, 1.1), on: 'create+update' },
    domain_name: { type: pattern(hostname, 255), on: 'create+update' },
    tags: { type: tags(), on: 'create+update', default: [] },
  },
});

type Attributes = Created<typeof healthMonitor.attributes>;
export interface HealthMonitorRow extends Row, Omit<Attributes, 'project_id'> {}

export const speaksHttp = (type: HealthMonitorRow['type']): boolean => type === 'HTTP' || type === 'HTTPS';

/** Fills in what only HTTP(S) monitors have and refuses it elsewhere. @throws ApiError 400 */
export function settledMonitor<M extends Partial<Attributes> & { type: HealthMonitorRow['type'] }>(monitor: M): M {
  const given = (['http_method', 'url_path', 'expected_codes', 'http_version', 'domain_name'] as const).filter(
    (name) => (monitor[name] ?? null) !== null,
  );
  if (!speaksHttp(monitor.type)) {
    if (given.length === 0) return monitor;
    throw invalid(`${given.join(', ')} is not a valid option for health monitors of type ${monitor.type}`);
  }
  if (monitor.domain_name && (monitor.http_version ?? 0) < 1.1) {
    throw invalid("'http_version'(1.1) must be set when 'domain_name' is set");
  }
  return {
    ...monitor,
    http_method: monitor.http_method ?? 'GET',
    url_path: monitor.url_path ?? '/',
    expected_codes: monitor.expected_codes ?? '200',
  };
}

export function healthMonitorResponse(row: HealthMonitorRow) {
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    delay: row.delay,
    timeout: row.timeout,
    max_retries: row.max_retries,
    max_retries_down: row.max_retries_down,
    http_method: row.http_method,
    url_path: row.url_path,
    expected_codes: row.expected_codes,
    admin_state_up: row.admin_state_up,
    ...owner(row),
    pools: refs([row.pool_id]),
    provisioning_status: row.provisioning_status,
    operating_status: row.operating_status,
    created_at: row.created_at,
    updated_at: row.updated_at,
    tags: row.tags,
    http_version: row.http_version,
    domain_name: row.domain_name,
  };
}
