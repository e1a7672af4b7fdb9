// Pools: members that share the work of a listener.
import { boolean, listOf, nested, oneOf, tags, text, uuid } from './attribute-types.ts';
import { type DeploymentRules, refuseUnsupported } from './deployment.ts';
import { invalid } from './errors.ts';
import { shownExtensions } from './extensions.ts';
import { checkPoolExtensions, type PoolExtensions, poolExtensions } from './pool-extensions.ts';
import { type Created, resource, type Updated } from './resource.ts';
import { owner, type Row, refs } from './row.ts';
import { changedPersistence, type SessionPersistence, settledPersistence } from './session-persistence.ts';
import { checkTls, reference, tlsAttributes, withTlsDefaults } from './tls.ts';

export const poolProtocols = ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'UDP', 'SCTP'] as const;
export const algorithms = ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP', 'SOURCE_IP_PORT'] as const;

export const pool = resource({
  root: 'pool',
  plural: 'pools',
  argument: 'pool_',
  title: 'Pool',
  attributes: {
    loadbalancer_id: { type: uuid(), on: 'create' },
    listener_id: { type: uuid(), on: 'create' },
    protocol: { type: oneOf(...poolProtocols), on: 'create', required: true },
    lb_algorithm: { type: oneOf(...algorithms), on: 'create+update', required: true, nullable: false },
    project_id: { type: text(36), on: 'create' },
    name: { type: text(), on: 'create+update', default: '' },
    description: { type: text(), on: 'create+update', default: '' },
    admin_state_up: { type: boolean(), on: 'create+update', default: true },
    healthmonitor: { type: nested(), on: 'create' },
    members: { type: listOf(nested()), on: 'create', default: [] },
    session_persistence: { type: nested(), on: 'create+update' },
    tls_enabled: { type: boolean(), on: 'create+update', default: false },
    tls_container_ref: { type: reference(), on: 'create+update' },
    ca_tls_container_ref: { type: reference(), on: 'create+update' },
    crl_container_ref: { type: reference(), on: 'create+update' },
    ...tlsAttributes,
    tags: { type: tags(), on: 'create+update', default: [] },
    ...poolExtensions,
  },
});

type Given = Created<typeof pool.attributes>;
type GivenUpdate = Updated<typeof pool.attributes>;
interface Settled {
  session_persistence: SessionPersistence | null;
}
export type PoolAttributes = Omit<Given, keyof Settled> & Settled;

type OwnAttributes = Omit<
  PoolAttributes,
  'loadbalancer_id' | 'listener_id' | 'project_id' | 'healthmonitor' | 'members' | keyof PoolExtensions
> &
  Partial<PoolExtensions>;
export interface PoolRow extends Row, OwnAttributes {
  healthmonitor_id: string | null;
}

function checkAlgorithm(algorithm: string | null | undefined, rules: DeploymentRules): void {
  if (algorithm === 'SOURCE_IP_PORT') {
    refuseUnsupported(rules, `Amphora provider does not support ${algorithm} algorithm.`);
  }
}

/** Judges a new pool and fills in what only TLS has. @throws ApiError 400, 501 */
export function settledPool(given: Given, rules: DeploymentRules): PoolAttributes {
  const session_persistence = settledPersistence(given.session_persistence, given.protocol);
  checkAlgorithm(given.lb_algorithm, rules);
  if (given.crl_container_ref !== null && given.ca_tls_container_ref === null) {
    throw invalid('A CA certificate reference is required to specify a revocation list.');
  }
  checkTls(given, rules);
  checkPoolExtensions(given);
  return { ...given, session_persistence, ...(given.tls_enabled ? withTlsDefaults(given) : {}) };
}

/** Judges a change, and answers what is to be set. @throws ApiError 400, 501 */
export function settledPoolUpdate(row: PoolRow, given: GivenUpdate, rules: DeploymentRules): Partial<OwnAttributes> {
  const { session_persistence: _persistence, ...rest } = given;
  checkAlgorithm(given.lb_algorithm, rules);
  const persistence =
    given.session_persistence === undefined
      ? {}
      : { session_persistence: changedPersistence(given.session_persistence, row.session_persistence, row.protocol) };
  const will: PoolRow = { ...row, ...rest };
  checkRevocation(row, will);
  checkTls(given, rules);
  checkPoolExtensions(will);
  // A pool that begins to speak TLS, or is told to forget what was set, gets the defaults.
  const isTlsChanged = will.tls_enabled && ['tls_enabled', ...Object.keys(tlsAttributes)].some((name) => name in given);
  return { ...rest, ...persistence, ...(isTlsChanged ? withTlsDefaults(will) : {}) };
}

function checkRevocation(row: PoolRow, will: PoolRow): void {
  if (will.crl_container_ref === null || will.ca_tls_container_ref !== null) return;
  throw invalid(
    row.ca_tls_container_ref === null
      ? 'A CA reference is required to specify a certificate revocation list.'
      : 'A CA reference cannot be removed when a certificate revocation list is present.',
  );
}

/** The pool as the API shows it. @param listenerIds listeners that send to it */
export function poolResponse(row: PoolRow, listenerIds: string[], memberIds: string[]) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    provisioning_status: row.provisioning_status,
    operating_status: row.operating_status,
    admin_state_up: row.admin_state_up,
    protocol: row.protocol,
    lb_algorithm: row.lb_algorithm,
    session_persistence: row.session_persistence,
    ...owner(row),
    loadbalancers: refs([row.load_balancer_id]),
    listeners: refs(listenerIds),
    created_at: row.created_at,
    updated_at: row.updated_at,
    // Octavia leaves the key out when there is no monitor, and clients test for it.
    ...(row.healthmonitor_id === null ? {} : { healthmonitor_id: row.healthmonitor_id }),
    members: refs(memberIds),
    tags: row.tags,
    tls_container_ref: row.tls_container_ref,
    ca_tls_container_ref: row.ca_tls_container_ref,
    crl_container_ref: row.crl_container_ref,
    tls_enabled: row.tls_enabled,
    tls_ciphers: row.tls_ciphers,
    tls_versions: row.tls_versions,
    alpn_protocols: row.alpn_protocols,
    ...shownExtensions(poolExtensions, row),
  };
}
