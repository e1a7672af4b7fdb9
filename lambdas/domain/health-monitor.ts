// Health monitors: how a pool finds out which members live.
import { boolean, integer, oneOf, oneOfNumbers, pattern, tags, text, urlPath, uuid } from './attribute-types.ts';
import { type DeploymentRules, disabled, invalidOption } from './deployment.ts';
import { invalid } from './errors.ts';
import { type Created, resource, type Updated } from './resource.ts';
import { owner, type Row, refs } from './row.ts';

export const monitorTypes = ['HTTP', 'HTTPS', 'PING', 'TCP', 'TLS-HELLO', 'UDP-CONNECT', 'SCTP'] as const;
type MonitorType = (typeof monitorTypes)[number];
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

export const speaksHttp = (type: MonitorType): boolean => type === 'HTTP' || type === 'HTTPS';

const ofHttp = ['http_method', 'url_path', 'expected_codes'] as const;
const refuseHttp = (name: string, type: string) => invalidOption(name, `health monitors of type ${type}`);

function checkDomainName({ domain_name, http_version }: Pick<HealthMonitorRow, 'domain_name' | 'http_version'>): void {
  if (domain_name === null) return;
  if (http_version === null) throw invalid("'http_version' must be specified when 'domain_name' is provided.");
  if (http_version < 1.1) {
    throw invalidOption(`http_version ${http_version.toFixed(1)}`, 'health monitors HTTP 1.1 domain name health check');
  }
}

const httpDefaults = (monitor: Pick<HealthMonitorRow, (typeof ofHttp)[number]>) => ({
  http_method: monitor.http_method ?? 'GET',
  url_path: monitor.url_path ?? '/',
  expected_codes: monitor.expected_codes ?? '200',
});

/** Fills in what only HTTP(S) monitors have and refuses it elsewhere. @throws ApiError 400 */
export function settledMonitor(monitor: Attributes, rules: DeploymentRules): Attributes {
  if (monitor.type === 'PING' && !rules.allow_ping_health_monitors) throw disabled('type', monitor.type);
  const given = ofHttp.find((name) => monitor[name] !== null);
  if (!speaksHttp(monitor.type) && given !== undefined) throw refuseHttp(given, monitor.type);
  checkDomainName(monitor);
  return speaksHttp(monitor.type) ? { ...monitor, ...httpDefaults(monitor) } : monitor;
}

/** Judges a change, and answers what is to be set. @throws ApiError 400 */
export function settledMonitorUpdate(
  row: HealthMonitorRow,
  given: Updated<typeof healthMonitor.attributes>,
): Partial<HealthMonitorRow> {
  const foreign = ofHttp.find((name) => name in given);
  if (!speaksHttp(row.type) && foreign !== undefined) throw refuseHttp(foreign, row.type);
  const will = { ...row, ...given };
  if ('domain_name' in given || 'http_version' in given) checkDomainName(will);
  const settled: Record<string, unknown> = speaksHttp(row.type) ? { ...will, ...httpDefaults(will) } : will;
  return Object.fromEntries(Object.keys(given).map((name) => [name, settled[name]]));
}

const datagramTypes: readonly string[] = ['UDP-CONNECT', 'SCTP', 'TCP', 'HTTP'];

/**
 * Which types a pool takes, by its protocol.
 * @param delay seconds; undefined when it is not changed
 * @throws ApiError 400
 */
export function checkTypeForPool(
  type: MonitorType,
  delay: number | undefined,
  poolProtocol: string,
  rules: DeploymentRules,
): void {
  if (poolProtocol !== 'UDP' && poolProtocol !== 'SCTP') {
    if (type !== 'UDP-CONNECT' && type !== 'SCTP') return;
    throw invalid(`The ${type} type is only supported for pools of type UDP/SCTP.`);
  }
  if (!datagramTypes.includes(type)) {
    throw invalid(
      `The associated pool protocol is ${poolProtocol}, so only a ${datagramTypes.join('/')} health monitor is supported.`,
    );
  }
  const least = rules.udp_connect_min_interval_health_monitor;
  if (type === 'UDP-CONNECT' && delay !== undefined && delay < least) {
    throw invalid(
      `The request delay value ${delay} should be larger than ${least} for UDP-CONNECT health monitor type.`,
    );
  }
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
