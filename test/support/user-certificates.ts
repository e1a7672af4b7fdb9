// Certificates as users keep them with the key manager, and an authority of theirs with its revocation list.
import { webcrypto } from 'node:crypto';
// Must come before the library: its dependency container looks for it while it loads.
import '../../lambdas/drivers/certificates/reflect-metadata.ts';
import * as x509 from '@peculiar/x509';
import type { LocalCertificates } from '../../lambdas/drivers/certificates/local-certificates.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const lifetime = { notBefore: new Date('2025-01-01'), notAfter: new Date('2045-01-01') };

export interface UserAuthority {
  /** PEM */
  certificate: string;
  private_key: string;
  revocation_list: string;
}

/** An authority signs itself, so that it also serves as any certificate with its key. */
export async function makeUserAuthority(name: string): Promise<UserAuthority> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    ...lifetime,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  });
  const list = await x509.X509CrlGenerator.create({
    issuer: certificate.subject,
    thisUpdate: lifetime.notBefore,
    nextUpdate: lifetime.notAfter,
    signingAlgorithm: algorithm,
    signingKey: keys.privateKey,
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: certificate.toString('pem'),
    private_key: x509.PemConverter.encode(key, 'PRIVATE KEY'),
    // As everybody else labels it.
    revocation_list: list.toString('pem').replaceAll(' CRL-', ' X509 CRL-'),
  };
}

const origin = 'https://keys.example/key-manager/v1';
const idOf = (number: number) => `5ec2e700-0000-4000-8000-${String(number).padStart(12, '0')}`;
export const secretRef = (number: number): string => `${origin}/secrets/${idOf(number)}`;
export const containerRef = (number: number): string => `${origin}/containers/${idOf(number)}`;

/** Keeps a text under `secretRef(number)`. */
export const keepSecret = (manager: LocalCertificates, number: number, projectId: string, payload: string) =>
  manager.putSecret(idOf(number), projectId, payload);

/** Keeps a certificate with its key under `containerRef(number)`; its secrets have the numbers ten and eleven times as high. */
export async function keepCertificate(
  manager: LocalCertificates,
  number: number,
  projectId: string,
  { certificate, private_key }: Pick<UserAuthority, 'certificate' | 'private_key'>,
): Promise<void> {
  await keepSecret(manager, number * 10, projectId, certificate);
  await keepSecret(manager, number * 11, projectId, private_key);
  const secrets = { certificate: secretRef(number * 10), private_key: secretRef(number * 11) };
  await manager.putContainer(idOf(number), projectId, secrets);
}
