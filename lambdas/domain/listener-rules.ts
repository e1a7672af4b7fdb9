// What must fit together in a listener: protocol, headers, certificates, TLS, HSTS. Pure; what a reference leads to is for the
// certificate manager to say.
import { type DeploymentRules, disabled, invalidOption, spelledList } from './deployment.ts';
import { ApiError, invalid } from './errors.ts';
import { versionOf } from './ip-addresses.ts';
import type { ListenerAttributes, ListenerRow, ListenerUpdate } from './listener.ts';
import { checkListenerExtensions } from './listener-extensions.ts';
import type { LoadBalancerRow } from './load-balancer.ts';
import { checkTls, withTlsDefaults } from './tls.ts';

/** Every attribute that rules are about, as it will be. */
type Judged = Pick<ListenerRow, 'protocol' | (keyof ListenerUpdate & keyof ListenerRow)>;

const httpHeaders = [
  'X-Forwarded-For',
  'X-Forwarded-Port',
  'X-Forwarded-Proto',
  'X-Forwarded-IP',
  'X-Client-IP',
  'X-Real-IP',
];
const tlsHeaders = [
  'X-SSL-Client-Verify',
  'X-SSL-Client-Has-Cert',
  'X-SSL-Client-DN',
  'X-SSL-Client-CN',
  'X-SSL-Issuer',
  'X-SSL-Client-SHA1',
  'X-SSL-Client-Not-Before',
  'X-SSL-Client-Not-After',
];

function checkInsertHeaders({ protocol, insert_headers }: Judged): void {
  const names = Object.keys(insert_headers);
  if (names.length === 0) return;
  if (protocol !== 'HTTP' && protocol !== 'TERMINATED_HTTPS') {
    throw invalidOption('insert-headers', `a ${protocol} protocol listener.`);
  }
  const isUnknown = names.some((name) => !httpHeaders.includes(name) && !tlsHeaders.includes(name));
  if (isUnknown) throw invalidOption(spelledList(names), 'insert_headers');
  const ofTls = names.filter((name) => tlsHeaders.includes(name));
  if (protocol !== 'TERMINATED_HTTPS' && ofTls.length > 0) {
    throw invalidOption(spelledList(ofTls), `${protocol} protocol listener.`);
  }
}

const hasServerCertificate = (one: Judged): boolean =>
  one.default_tls_container_ref !== null || one.sni_container_refs.length > 0;

/** PROMETHEUS offers TLS once it has a certificate; TERMINATED_HTTPS must have one. */
export const offersTls = (one: Judged): boolean =>
  one.protocol === 'TERMINATED_HTTPS' || (one.protocol === 'PROMETHEUS' && hasServerCertificate(one));

/** What there is stays, whatever an operator forbids later. */
function checkProtocol(one: Judged, rules: DeploymentRules): void {
  if (offersTls(one) && !rules.allow_tls_terminated_listeners) {
    throw disabled('protocol', one.protocol === 'PROMETHEUS' ? 'PROMETHEUS with TLS' : one.protocol);
  }
  if (one.protocol === 'PROMETHEUS' && !rules.allow_prometheus_listeners) throw disabled('protocol', 'PROMETHEUS');
}

function checkServerCertificates(one: Judged): void {
  const { protocol } = one;
  if ((protocol === 'UDP' || protocol === 'SCTP') && hasServerCertificate(one)) {
    throw invalid(`${protocol} protocol listener does not support TLS.`);
  }
  if (!offersTls(one) && hasServerCertificate(one)) {
    throw invalid(`Certificate container references are not allowed on ${protocol} protocol listeners.`);
  }
  if (hasServerCertificate(one)) return;
  const needed = 'An SNI or default certificate container reference must be provided';
  if (one.client_ca_tls_container_ref !== null) throw invalid(`${needed} with a client CA container reference.`);
  if (protocol === 'TERMINATED_HTTPS') throw invalid(`${needed} for ${protocol} protocol listeners.`);
}

function checkClientCertificates(one: Judged): void {
  if (one.client_ca_tls_container_ref !== null) return;
  if (one.client_authentication !== 'NONE') {
    throw invalid(
      `Client authentication setting ${one.client_authentication} requires a client CA container reference.`,
    );
  }
  if (one.client_crl_container_ref !== null) {
    throw invalid(
      'A client authentication CA reference is required to specify a client authentication revocation list.',
    );
  }
}

const isHstsWished = (given: Pick<ListenerUpdate, 'hsts_include_subdomains' | 'hsts_preload'>): boolean =>
  given.hsts_include_subdomains === true || given.hsts_preload === true;

function checkHstsProtocol(one: Judged): void {
  if (one.hsts_max_age !== null && one.protocol !== 'TERMINATED_HTTPS') {
    throw invalid('The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol.');
  }
}

function checkAll(one: Judged): void {
  checkInsertHeaders(one);
  checkServerCertificates(one);
  checkClientCertificates(one);
  checkListenerExtensions(one);
}

/** Judges a new listener and fills in what only TLS has. @throws ApiError 400 */
export function settledListener(attributes: ListenerAttributes, rules: DeploymentRules): ListenerAttributes {
  checkProtocol(attributes, rules);
  checkAll(attributes);
  checkTls(attributes, rules);
  if (isHstsWished(attributes) && attributes.hsts_max_age === null) {
    throw invalid(
      'HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well.',
    );
  }
  checkHstsProtocol(attributes);
  return { ...attributes, ...settledLists(attributes) };
}

const settledLists = (one: Judged) => ({
  allowed_cidrs: [...new Set(one.allowed_cidrs)],
  ...(one.protocol === 'TERMINATED_HTTPS' ? withTlsDefaults(one) : {}),
});

/** Judges a change by what the listener will be, and answers what is to be set. @throws ApiError 400 */
export function settledListenerUpdate(row: ListenerRow, given: ListenerUpdate, rules: DeploymentRules): ListenerUpdate {
  const will: ListenerRow = { ...row, ...given };
  checkAll(will);
  checkTls(given, rules);
  if (isHstsWished(given) && will.hsts_max_age === null) {
    throw invalid('Cannot enable hsts_include_subdomains or hsts_preload if hsts_max_age was not set as well.');
  }
  checkHstsProtocol(will);
  const settled: Record<string, unknown> = { ...will, ...settledLists(will) };
  return Object.fromEntries(Object.keys(given).map((name) => [name, settled[name]]));
}

/** @throws ApiError 400 for a listener that can have neither pools nor policies */
export function refuseChildren(protocol: ListenerRow['protocol']): void {
  if (protocol === 'PROMETHEUS') throw new ApiError(400, `Protocol ${protocol} listeners cannot have child objects.`);
}

type Vips = Pick<LoadBalancerRow, 'vip_address' | 'additional_vips' | 'vip_sg_ids'>;

export const vipAddresses = ({ vip_address, additional_vips }: Pick<Vips, 'vip_address' | 'additional_vips'>) => [
  vip_address,
  ...additional_vips.map(({ ip_address }) => ip_address),
];

/** @throws ApiError 400 for a CIDR nobody could come from, or beside security groups of the user's */
export function checkAllowedCidrs(cidrs: readonly string[], loadBalancer: Vips): void {
  if (cidrs.length > 0 && loadBalancer.vip_sg_ids.length > 0) {
    throw invalid('Allowed CIDRs are not allowed when using custom VIP Security Groups.');
  }
  checkFamilies(cidrs, loadBalancer);
}

/** @throws ApiError 400 for a CIDR nobody could come from */
export function checkFamilies(cidrs: readonly string[], loadBalancer: Vips): void {
  const vips = vipAddresses(loadBalancer);
  const stranger = cidrs.find((cidr) => !vips.some((vip) => versionOf(vip) === versionOf(cidr)));
  if (stranger === undefined) return;
  throw invalid(`CIDR ${stranger} IP version incompatible with all VIPs ${spelledList(vips)} IP version.`);
}
