// Writes X.509 certificates: ECDSA P-256 by WebCrypto, put together by @peculiar/x509, which is loaded on first use
// because its import costs more than most requests do.
import { randomBytes, type webcrypto } from 'node:crypto';

export interface KeyedCertificate {
  /** PEM */
  certificate: string;
  /** PEM, PKCS#8 */
  private_key: string;
}

export interface CertificateWish {
  common_name: string;
  /** DNS names of the subject alternative name. */
  dns_names: string[];
  use: readonly ('serverAuth' | 'clientAuth')[] | 'authority';
  /** Milliseconds since the epoch. */
  not_before: number;
  not_after: number;
}

type X509 = typeof import('@peculiar/x509');
let loading: Promise<X509> | undefined;
const load = (): Promise<X509> => {
  loading ??= import('./reflect-metadata.ts').then(() => import('@peculiar/x509'));
  return loading;
};

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** What is taken from an authority for each certificate it signs. */
interface Issuer {
  subject: string;
  keyIdentifier: Awaited<ReturnType<X509['AuthorityKeyIdentifierExtension']['create']>>;
  signingKey: webcrypto.CryptoKey;
}

/** Reading the authority's certificate and key takes as long as writing the new one, and they do not change. */
const issuers = new WeakMap<KeyedCertificate, Promise<Issuer>>();

function issuerOf(x509: X509, signer: KeyedCertificate): Promise<Issuer> {
  const known = issuers.get(signer) ?? readIssuer(x509, signer);
  issuers.set(signer, known);
  return known;
}

async function readIssuer(x509: X509, signer: KeyedCertificate): Promise<Issuer> {
  const { subject, publicKey } = new x509.X509Certificate(signer.certificate);
  const keyIdentifier = await x509.AuthorityKeyIdentifierExtension.create(publicKey);
  return { subject, keyIdentifier, signingKey: await importKey(signer.private_key) };
}

/** @param signer the authority; without one the certificate signs itself */
export async function makeCertificate(wish: CertificateWish, signer?: KeyedCertificate): Promise<KeyedCertificate> {
  const x509 = await load();
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const issuer = signer && (await issuerOf(x509, signer));
  const subject = new x509.Name([{ CN: [wish.common_name] }]).toString();
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: issuer?.subject ?? subject,
    notBefore: new Date(wish.not_before),
    notAfter: new Date(wish.not_after),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: issuer?.signingKey ?? keys.privateKey,
    extensions: await extensions(x509, wish, keys.publicKey, issuer),
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: `${made.toString('pem')}\n`,
    private_key: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  };
}

async function extensions(x509: X509, wish: CertificateWish, own: webcrypto.CryptoKey, issuer: Issuer | undefined) {
  const isAuthority = wish.use === 'authority';
  const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags;
  const list: InstanceType<X509['Extension']>[] = [
    new x509.BasicConstraintsExtension(isAuthority, isAuthority ? 0 : undefined, true),
    new x509.KeyUsagesExtension(isAuthority ? keyCertSign | cRLSign : digitalSignature, true),
    await x509.SubjectKeyIdentifierExtension.create(own),
  ];
  if (issuer) list.push(issuer.keyIdentifier);
  if (wish.use !== 'authority') {
    list.push(new x509.ExtendedKeyUsageExtension(wish.use.map((one) => x509.ExtendedKeyUsage[one])));
  }
  const names = wish.dns_names.map((value) => ({ type: 'dns' as const, value }));
  if (names.length > 0) list.push(new x509.SubjectAlternativeNameExtension(names));
  return list;
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

/** 127 random bits: RFC 5280 wants a positive number, so the first bit stays clear. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

/** False for a list of another authority. @throws Error for what is no revocation list @param authority PEM */
export async function isSignedRevocationList(pem: string, authority: string): Promise<boolean> {
  const x509 = await load();
  // The library writes and reads another label than everybody else.
  const [, base64] = /-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/.exec(pem) ?? [];
  if (base64 === undefined) throw new TypeError('no PEM of a certificate revocation list');
  const list = new x509.X509Crl(Buffer.from(base64, 'base64'));
  return list.verify({ publicKey: new x509.X509Certificate(authority) });
}
