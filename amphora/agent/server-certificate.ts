// The certificate the agent shows: read, and judged before it is taken, because an agent with a wrong one can be told nothing any more.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** What was sent is not to be used; the text says why, for an operator. Nothing changed. */
export class IdentityRefused extends Error {
  override readonly name = 'IdentityRefused';
}

/** PEM with the certificate first, intermediates after it, and its private key. */
export interface ServerCertificate {
  leaf: X509Certificate;
  certificates: string;
  private_key: string;
}

const certificateBlocks = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const keyBlock = /-----BEGIN (?:\w+ )?PRIVATE KEY-----[^-]+-----END (?:\w+ )?PRIVATE KEY-----/;
const serverAuth = '1.3.6.1.5.5.7.3.1';

export const certificatesIn = (pem: string): string[] => pem.match(certificateBlocks) ?? [];

export const isIssuedBy = (certificate: X509Certificate, authorities: string[]): boolean =>
  authorities
    .map((pem) => new X509Certificate(pem))
    .some((authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey));

/** @throws IdentityRefused for what nobody could be shown as this amphora's */
export function readServerCertificate(pem: string, amphoraId: string): ServerCertificate {
  const certificates = certificatesIn(pem);
  const private_key = keyBlock.exec(pem)?.[0];
  if (certificates.length === 0 || private_key === undefined)
    throw new IdentityRefused('a certificate and its private key are needed, in PEM');
  const leaf = whole(() => new X509Certificate(certificates[0]!), 'the certificate cannot be read');
  const isOwnKey = whole(() => leaf.checkPrivateKey(createPrivateKey(private_key)), 'the private key cannot be read');
  if (!isOwnKey) throw new IdentityRefused('the private key is not that of the certificate');
  if (leaf.checkHost(amphoraId) === undefined) throw new IdentityRefused(`the certificate does not name ${amphoraId}`);
  return { leaf, certificates: certificates.join('\n'), private_key };
}

/** @throws IdentityRefused for one that the control plane would not believe @param now milliseconds since the epoch */
export function checkServerCertificate(given: ServerCertificate, authorities: string[], now: number): void {
  const { leaf, certificates, private_key } = given;
  if (!isIssuedBy(leaf, authorities)) throw new IdentityRefused('no trusted authority has signed the certificate');
  if (leaf.ca) throw new IdentityRefused('the certificate is that of an authority');
  if (leaf.keyUsage && !leaf.keyUsage.includes(serverAuth))
    throw new IdentityRefused('the certificate is not for servers');
  if (Date.parse(leaf.validFrom) > now || Date.parse(leaf.validTo) <= now)
    throw new IdentityRefused('the certificate is not valid now');
  whole(() => createSecureContext({ cert: certificates, key: private_key }), 'the certificate cannot be served');
}

function whole<T>(read: () => T, otherwise: string): T {
  try {
    return read();
  } catch (cause) {
    throw new IdentityRefused(otherwise, { cause });
  }
}
