// Pools: members that share the work of a listener.
import { boolean, listOf, nested, oneOf, tags, text, uuid } from './attribute-types.ts';
import { type Created, resource } from './resource.ts';
import { owner, type Row, refs } from './row.ts';

export const poolProtocols = ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2'] as const;
export const algorithms = ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP'] as const;

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
    tags: { type: tags(), on: 'create+update', default: [] },
  },
});

type Attributes = Created<typeof pool.attributes>;
export interface PoolRow
  extends Row,
    Omit<Attributes, 'loadbalancer_id' | 'listener_id' | 'project_id' | 'healthmonitor' | 'members'> {
  healthmonitor_id: string | null;
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
    session_persistence: null,
    ...owner(row),
    loadbalancers: refs([row.load_balancer_id]),
    listeners: refs(listenerIds),
    created_at: row.created_at,
    updated_at: row.updated_at,
    // Octavia leaves the key out when there is no monitor, and clients test for it.
    ...(row.healthmonitor_id === null ? {} : { healthmonitor_id: row.healthmonitor_id }),
    members: refs(memberIds),
    tags: row.tags,
    tls_container_ref: null,
    ca_tls_container_ref: null,
    crl_container_ref: null,
    tls_enabled: false,
    tls_ciphers: null,
    tls_versions: null,
    alpn_protocols: null,
  };
}
