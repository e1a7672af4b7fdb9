// A certificate authority for tests, and the certificates of amphorae and of the control plane that it signs.
import { webcrypto } from 'node:crypto';
// Must come before the library: its dependency container looks for it while it loads.
import '../../lambdas/drivers/certificates/reflect-metadata.ts';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

export interface Pair {
  certificate: string;
  private_key: string;
}

export interface TestAuthority {
  certificate: string;
  /** Valid from a day ago until a day from now, unless told otherwise. */
  issue(commonName: string, from?: Date, to?: Date): Promise<Pair>;
}

const makeKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

async function toPem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

export async function makeAuthority(name = 'test authority'): Promise<TestAuthority> {
  const keys = await makeKeys();
  const lifetime = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    ...lifetime,
    keys: keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  });
  const issue = async (commonName: string, from = lifetime.notBefore, to = lifetime.notAfter): Promise<Pair> => {
    const own = await makeKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${commonName}`,
      issuer: authority.subject,
      notBefore: from,
      notAfter: to,
      signingKey: keys.privateKey,
      publicKey: own.publicKey,
      signingAlgorithm: algorithm,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: commonName }])],
    });
    return { certificate: certificate.toString('pem'), private_key: await toPem(own.privateKey) };
  };
  return { certificate: authority.toString('pem'), issue };
}
