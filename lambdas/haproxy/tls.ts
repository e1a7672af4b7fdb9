// TLS as listeners end it and pools speak it to members: what a `bind` and a `server` line say of it.
import type { ListenerRow } from '../domain/listener.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type TlsSettings, tlsVersions } from '../domain/tls.ts';
import { type Argument, format, Unrenderable, value, wordFor, words } from './config.ts';
import { authoritySlot, clientCertificateSlot, listSlot, revocationSlot } from './files.ts';

export const endsTls = ({ protocol, default_tls_container_ref, sni_container_refs }: ListenerRow): boolean =>
  protocol === 'TERMINATED_HTTPS' || default_tls_container_ref !== null || sni_container_refs.length > 0;

/**
 * Where relative names of files lie; DHE has no parameters of its own. HAProxy remembers sessions for all listeners together, and asks
 * nobody for a certificate who resumes one: begun with a listener that lets everybody in, it would open one that does not. Tickets,
 * which are a listener's own, go on.
 * @param listeners those that end TLS
 */
export const tlsProcessLines = (listeners: ListenerRow[]): Argument[][] => [
  words`crt-base '{{DIRECTORY}}/slots'`,
  words`ca-base '{{DIRECTORY}}/slots'`,
  words`tune.ssl.default-dh-param 2048`,
  ...(listeners.some(({ client_authentication }) => client_authentication !== 'NONE')
    ? [words`tune.ssl.cachesize 0`]
    : []),
];

/** What the `bind` lines of a listener say of TLS. @throws Unrenderable rather than to serve less than was asked for */
export function bindTls(listener: ListenerRow): Argument[] {
  if (!endsTls(listener)) return [];
  const { id, default_tls_container_ref, sni_container_refs } = listener;
  if (default_tls_container_ref === null && sni_container_refs.length === 0) {
    throw new Unrenderable(id, 'a listener without a certificate is not served, rather than without encryption');
  }
  return [...words`ssl crt-list ${listSlot(listener)}`, ...clientAuthentication(listener), ...spoken(id, listener)];
}

const verifications: Record<string, Argument[]> = {
  NONE: words`verify none`,
  OPTIONAL: words`verify optional`,
  MANDATORY: words`verify required`,
};

function clientAuthentication(listener: ListenerRow): Argument[] {
  const { id, client_authentication, client_ca_tls_container_ref, client_crl_container_ref } = listener;
  if (client_ca_tls_container_ref === null) {
    if (client_authentication === 'NONE') return [];
    throw new Unrenderable(id, 'clients cannot be authenticated without a CA');
  }
  return [
    ...words`ca-file ${authoritySlot(listener)}`,
    ...wordFor(verifications, client_authentication, id),
    ...(client_crl_container_ref === null ? [] : words`crl-file ${revocationSlot(listener)}`),
  ];
}

/** Lines of a frontend that ends TLS: nothing in the clear, and browsers are told to come back encrypted. */
export function tlsLines(listener: ListenerRow): Argument[][] {
  if (listener.protocol !== 'TERMINATED_HTTPS') return [];
  const { hsts_max_age, hsts_include_subdomains, hsts_preload } = listener;
  const clear = words`http-request redirect scheme https unless { ssl_fc }`;
  if (hsts_max_age === null) return [clear];
  const policy = `max-age=${hsts_max_age};${hsts_include_subdomains ? ' includeSubDomains;' : ''}${hsts_preload ? ' preload;' : ''}`;
  // After everything else, so that what HAProxy answers itself carries it too.
  return [clear, words`http-after-response set-header Strict-Transport-Security ${format(policy)}`];
}

/** The part of a member's line. Octavia leaves `verify` to HAProxy's default where there is a CA and no CRL. */
export function memberTls(pool: PoolRow, listener: ListenerRow): Argument[] {
  if (!pool.tls_enabled) return [];
  const { tls_container_ref, ca_tls_container_ref, crl_container_ref } = pool;
  return [
    ...words`ssl`,
    // The name that the client asked for, which is the one the member's certificate must have then.
    ...(endsTls(listener) ? words`sni ssl_fc_sni` : []),
    ...(tls_container_ref === null ? [] : words`crt ${clientCertificateSlot(pool)}`),
    ...(ca_tls_container_ref === null ? words`verify none` : words`ca-file ${authoritySlot(pool)} verify required`),
    ...(ca_tls_container_ref === null || crl_container_ref === null ? [] : words`crl-file ${revocationSlot(pool)}`),
    ...spoken(pool.id, pool),
  ];
}

/** Ciphers, versions and ALPN protocols, as far as they are set. */
function spoken(id: string, { tls_ciphers, tls_versions, alpn_protocols }: TlsSettings): Argument[] {
  const names = tls_ciphers?.split(':').filter((cipher) => cipher !== '') ?? [];
  const suites = names.filter(isSuite);
  const ciphers = names.filter((cipher) => !isSuite(cipher));
  // Without a cipher for older versions, HAProxy would offer those with ciphers of its own choice.
  const isForNewest = suites.length > 0 && ciphers.length === 0;
  const versions = isForNewest
    ? (tls_versions ?? ['TLSv1.3']).filter((version) => version === 'TLSv1.3')
    : tls_versions;
  if (versions?.length === 0) throw new Unrenderable(id, `tls_ciphers has no cipher for ${tls_versions?.join(', ')}`);
  const mayBeNewest = versions?.includes('TLSv1.3') ?? true;
  return [
    ...(ciphers.length > 0 ? words`ciphers ${value(ciphers.join(':'))}` : []),
    ...(suites.length > 0 && mayBeNewest ? words`ciphersuites ${value(suites.join(':'))}` : []),
    ...(versions === null ? [] : versionRange(id, versions)),
    ...(alpn_protocols === null ? [] : words`alpn ${value(alpn_protocols.join(','))}`),
  ];
}

/** TLS 1.3 has suites of its own, by names like TLS_AES_128_GCM_SHA256, and HAProxy a word of its own for them. */
const isSuite = (cipher: string): boolean => cipher.startsWith('TLS_') && !cipher.includes('_WITH_');

const versionWords: Record<string, Argument> = Object.fromEntries(
  tlsVersions.map((version) => [version, { kind: 'word', text: version === 'TLSv1' ? 'TLSv1.0' : version }]),
);

/** With `no-tlsv10` and the like, as Octavia says it, HAProxy keeps its own minimum: TLS 1.1 could not be had. */
function versionRange(id: string, versions: string[]): Argument[] {
  const ages = versions.map((version) => (tlsVersions as readonly string[]).indexOf(version));
  const range = tlsVersions.slice(Math.min(...ages), Math.max(...ages) + 1);
  const between = range.filter((version) => !versions.includes(version));
  if (between.length > 0) {
    throw new Unrenderable(
      id,
      `HAProxy speaks every version of TLS in a range: tls_versions lacks ${between.join(', ')}`,
    );
  }
  const [oldest, newest] = [range[0]!, range.at(-1)!];
  return words`ssl-min-ver ${wordFor(versionWords, oldest, id)} ssl-max-ver ${wordFor(versionWords, newest, id)}`;
}
