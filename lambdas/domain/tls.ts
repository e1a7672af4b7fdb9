// TLS as listeners offer it and pools speak it to members: ciphers, versions, ALPN protocols and references to certificates.

import { kind } from './attribute-kind.ts';
import { listOf, text } from './attribute-types.ts';
import type { DeploymentRules } from './deployment.ts';
import { invalid } from './errors.ts';

/** Oldest first. */
export const tlsVersions = ['SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
const alpnProtocols = ['h2', 'http/1.1', 'http/1.0'];

const alpnProtocol = () =>
  kind(
    (value, refused): string => {
      if (typeof value === 'string' && alpnProtocols.includes(value)) return value;
      return refused('Value should be a valid ALPN protocol ID');
    },
    { type: 'string', enum: alpnProtocols },
  );

/** The URL of a secret or container of the key manager. */
export const reference = () => text(255);

/** Attributes that listeners and pools share. */
export const tlsAttributes = {
  tls_ciphers: { type: text(2_048), on: 'create+update' },
  tls_versions: { type: listOf(text(32)), on: 'create+update' },
  alpn_protocols: { type: listOf(alpnProtocol()), on: 'create+update' },
} as const;

export interface TlsSettings {
  tls_ciphers: string | null;
  tls_versions: string[] | null;
  alpn_protocols: string[] | null;
}

/** OWASP's cipher string B. */
const defaultCiphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'DHE-RSA-AES128-GCM-SHA256',
  'DHE-RSA-AES256-GCM-SHA384',
  'DHE-RSA-CHACHA20-POLY1305',
].join(':');

/** With the defaults where nothing is set. */
export const withTlsDefaults = (settings: TlsSettings): TlsSettings => ({
  tls_ciphers: settings.tls_ciphers ?? defaultCiphers,
  tls_versions: settings.tls_versions ?? ['TLSv1.2', 'TLSv1.3'],
  alpn_protocols: settings.alpn_protocols ?? alpnProtocols,
});

function checkCiphers(ciphers: string, { tls_cipher_prohibit_list }: DeploymentRules): void {
  if (!/^[A-Za-z0-9\-+!:@=_.]+$/.test(ciphers)) {
    throw invalid('Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed.');
  }
  const prohibited = new Set(tls_cipher_prohibit_list.split(':').filter(Boolean));
  const rejected = ciphers.split(':').filter((cipher) => prohibited.has(cipher));
  if (rejected.length > 0) {
    throw invalid(`The following ciphers have been prohibited by an administrator: ${rejected.join(', ')}`);
  }
}

function checkVersions(versions: string[], { minimum_tls_version }: DeploymentRules): void {
  if (versions.length === 0) {
    throw invalid(
      'Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default.',
    );
  }
  const ageOf = (version: string) => (tlsVersions as readonly string[]).indexOf(version);
  const unknown = versions.filter((version) => ageOf(version) < 0);
  if (unknown.length > 0) throw invalid(`Invalid TLS versions: ${unknown.join(', ')}`);
  const tooOld = versions.filter((version) => ageOf(version) < ageOf(minimum_tls_version));
  if (tooOld.length > 0) {
    throw invalid(`Requested TLS versions are less than the minimum: ${tooOld.join(', ')} < ${minimum_tls_version}`);
  }
}

/** Judges what was given. @throws ApiError 400 */
export function checkTls(given: Partial<TlsSettings>, rules: DeploymentRules): void {
  if (given.tls_ciphers) checkCiphers(given.tls_ciphers, rules);
  if (given.tls_versions) checkVersions(given.tls_versions, rules);
  if (given.alpn_protocols?.length === 0) {
    throw invalid(
      'Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default.',
    );
  }
}
