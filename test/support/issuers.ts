// An authority as users have one: it signs certificates of servers and clients, and revokes them.
import { randomBytes, webcrypto } from 'node:crypto';
// Must come before the library: its dependency container looks for it while it loads.
import '../../lambdas/drivers/certificates/reflect-metadata.ts';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const lifetime = { notBefore: new Date('2025-01-01'), notAfter: new Date('2045-01-01') };

/** PEM */
export interface Issued {
  certificate: string;
  private_key: string;
  serial: string;
  /** SHA-1 in uppercase hex. */
  fingerprint: string;
}

export interface Issuer {
  /** PEM */
  certificate: string;
  /** @param names DNS names; the first is the common name too */
  issue(...names: string[]): Promise<Issued>;
  /** PEM of a list with these serial numbers. */
  revocationList(...serials: string[]): Promise<string>;
}

const makeKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

export async function makeIssuer(name: string): Promise<Issuer> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await makeKeys();
  const own = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    ...lifetime,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  });
  return {
    certificate: own.toString('pem'),
    issue: (...names) => issue(own.subject, keys.privateKey, names),
    async revocationList(...serials) {
      const list = await x509.X509CrlGenerator.create({
        issuer: own.subject,
        thisUpdate: lifetime.notBefore,
        nextUpdate: lifetime.notAfter,
        entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: lifetime.notBefore })),
        signingAlgorithm: algorithm,
        signingKey: keys.privateKey,
      });
      return list.toString('pem').replaceAll(' CRL-', ' X509 CRL-');
    },
  };
}

async function issue(issuer: string, signingKey: webcrypto.CryptoKey, names: string[]): Promise<Issued> {
  const keys = await makeKeys();
  const serial = `4${randomBytes(8).toString('hex').slice(1)}`;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: `CN=${names[0]}`,
    issuer,
    ...lifetime,
    signingKey,
    publicKey: keys.publicKey,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  const thumbprint = Buffer.from(await certificate.getThumbprint('SHA-1', webcrypto)).toString('hex');
  return {
    certificate: certificate.toString('pem'),
    private_key: x509.PemConverter.encode(key, 'PRIVATE KEY'),
    serial,
    fingerprint: thumbprint.toUpperCase(),
  };
}
