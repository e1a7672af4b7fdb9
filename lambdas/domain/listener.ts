// Listeners: the ports a load balancer answers on.
import { boolean, integer, listOf, mapOf, nested, oneOf, tags, text, uuid } from './attribute-types.ts';
import { shownExtensions } from './extensions.ts';
import { cidr } from './ip-addresses.ts';
import { type ListenerExtensions, listenerExtensions } from './listener-extensions.ts';
import { type Created, resource, type Updated } from './resource.ts';
import { owner, type Row, refs } from './row.ts';
import { reference, tlsAttributes } from './tls.ts';

export const listenerProtocols = ['TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS', 'UDP', 'SCTP', 'PROMETHEUS'] as const;
/** 24 days, as HAProxy's timeouts allow. */
const timeoutMs = () => integer(0, 24 * 24 * 3_600_000);

export const listener = resource({
  root: 'listener',
  plural: 'listeners',
  argument: 'listener_',
  title: 'Listener',
  attributes: {
    loadbalancer_id: { type: uuid(), on: 'create', required: true },
    protocol: { type: oneOf(...listenerProtocols), on: 'create', required: true },
    protocol_port: { type: integer(1, 65_535), on: 'create', required: true },
    project_id: { type: text(36), on: 'create' },
    name: { type: text(), on: 'create+update', default: '' },
    description: { type: text(), on: 'create+update', default: '' },
    admin_state_up: { type: boolean(), on: 'create+update', default: true },
    connection_limit: { type: integer(-1, 2_147_483_647), on: 'create+update', default: -1 },
    default_pool_id: { type: uuid(), on: 'create+update' },
    default_pool: { type: nested(), on: 'create' },
    l7policies: { type: listOf(nested()), on: 'create', default: [] },
    timeout_client_data: { type: timeoutMs(), on: 'create+update', default: 50_000 },
    timeout_member_connect: { type: timeoutMs(), on: 'create+update', default: 5_000 },
    timeout_member_data: { type: timeoutMs(), on: 'create+update', default: 50_000 },
    timeout_tcp_inspect: { type: timeoutMs(), on: 'create+update', default: 0 },
    insert_headers: { type: mapOf(text()), on: 'create+update', default: {} },
    default_tls_container_ref: { type: reference(), on: 'create+update' },
    sni_container_refs: { type: listOf(reference()), on: 'create+update', default: [] },
    client_ca_tls_container_ref: { type: reference(), on: 'create+update' },
    client_crl_container_ref: { type: reference(), on: 'create+update' },
    client_authentication: { type: oneOf('NONE', 'OPTIONAL', 'MANDATORY'), on: 'create+update', default: 'NONE' },
    allowed_cidrs: { type: listOf(cidr()), on: 'create+update', default: [] },
    ...tlsAttributes,
    hsts_max_age: { type: integer(0, 2_147_483_647), on: 'create+update' },
    hsts_include_subdomains: { type: boolean(), on: 'create+update', default: false },
    hsts_preload: { type: boolean(), on: 'create+update', default: false },
    tags: { type: tags(), on: 'create+update', default: [] },
    ...listenerExtensions,
  },
});

export type ListenerAttributes = Created<typeof listener.attributes>;
export type ListenerUpdate = Updated<typeof listener.attributes>;
export interface ListenerRow
  extends Row,
    Omit<
      ListenerAttributes,
      'loadbalancer_id' | 'project_id' | 'default_pool' | 'l7policies' | keyof ListenerExtensions
    >,
    Partial<ListenerExtensions> {
  /** In position order. */
  l7policy_ids: string[];
}

/** Ports are unique per load balancer within one transport protocol. */
export const portClass = (protocol: ListenerRow['protocol']): 'TCP' | 'UDP' | 'SCTP' =>
  protocol === 'UDP' || protocol === 'SCTP' ? protocol : 'TCP';

/** Pools a listener may send to, by its protocol. */
const poolProtocols: Record<ListenerRow['protocol'], readonly string[]> = {
  TCP: ['HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'TCP'],
  HTTP: ['HTTP', 'PROXY', 'PROXYV2'],
  HTTPS: ['HTTPS', 'PROXY', 'PROXYV2', 'TCP'],
  TERMINATED_HTTPS: ['HTTP', 'PROXY', 'PROXYV2'],
  UDP: ['UDP'],
  SCTP: ['SCTP'],
  PROMETHEUS: [],
};
export const mayUsePool = (listenerProtocol: ListenerRow['protocol'], poolProtocol: string): boolean =>
  poolProtocols[listenerProtocol].includes(poolProtocol);

/** The listener as the API shows it; `graph` is the shape inside the answer to a fully populated create. */
export function listenerResponse(row: ListenerRow) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    provisioning_status: row.provisioning_status,
    operating_status: row.operating_status,
    admin_state_up: row.admin_state_up,
    protocol: row.protocol,
    protocol_port: row.protocol_port,
    connection_limit: row.connection_limit,
    default_tls_container_ref: row.default_tls_container_ref,
    sni_container_refs: row.sni_container_refs,
    ...owner(row),
    default_pool_id: row.default_pool_id,
    l7policies: refs(row.l7policy_ids),
    insert_headers: row.insert_headers,
    created_at: row.created_at,
    updated_at: row.updated_at,
    loadbalancers: refs([row.load_balancer_id]),
    timeout_client_data: row.timeout_client_data,
    timeout_member_connect: row.timeout_member_connect,
    timeout_member_data: row.timeout_member_data,
    timeout_tcp_inspect: row.timeout_tcp_inspect,
    tags: row.tags,
    client_ca_tls_container_ref: row.client_ca_tls_container_ref,
    client_authentication: row.client_authentication,
    client_crl_container_ref: row.client_crl_container_ref,
    // No list at all is what Octavia shows when everybody may connect.
    allowed_cidrs: row.allowed_cidrs.length === 0 ? null : row.allowed_cidrs,
    tls_ciphers: row.tls_ciphers,
    tls_versions: row.tls_versions,
    alpn_protocols: row.alpn_protocols,
    hsts_max_age: row.hsts_max_age,
    hsts_include_subdomains: row.hsts_include_subdomains,
    hsts_preload: row.hsts_preload,
    ...shownExtensions(listenerExtensions, row),
  };
}
