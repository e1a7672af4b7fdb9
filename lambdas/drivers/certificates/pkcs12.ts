// PKCS#12 (RFC 7292), the form in which Octavia's guide has users keep a certificate with its key and intermediates. Octavia reads
// such bundles without a passphrase only; what is encrypted is so under an empty one.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import type { ServedCertificate } from './certificate-manager.ts';
import { childOf, type Der, objectIdOf, readDer, tags } from './der.ts';
import { deciphered, emptyPassphrases, isSignedWith } from './pkcs12-keys.ts';

const contentTypes = { data: '1.2.840.113549.1.7.1', encryptedData: '1.2.840.113549.1.7.6' };
const bagTypes = {
  key: '1.2.840.113549.1.12.10.1.1',
  shroudedKey: '1.2.840.113549.1.12.10.1.2',
  certificate: '1.2.840.113549.1.12.10.1.3',
  safeContents: '1.2.840.113549.1.12.10.1.6',
};
/** Tools write two, one with certificates and one with the key; each may take a fifth of a second to decipher. */
const mostParts = 8;
const x509Type = '1.2.840.113549.1.9.22.1';

/** What was found in the bags. */
interface Contents {
  /** PKCS#8 */
  key: Buffer | undefined;
  certificates: Buffer[];
}

/** A sequence that begins with version 3. PEM and texts do not. */
export function isPkcs12(payload: Buffer): boolean {
  try {
    const [version, authSafe] = payload[0] === tags.sequence ? readDer(payload).children : [];
    return version?.tag === tags.integer && version.content.equals(Buffer.of(3)) && authSafe?.tag === tags.sequence;
  } catch {
    // Whatever it is, it is nothing to be read here.
    return false;
  }
}

const explicit = (value: Der): Der => childOf(childOf(value, 1), 0);

/** @param contents a ContentInfo of the authenticated safe */
function safeContentsOf(contents: Der, passphrase: Buffer): Der {
  const type = objectIdOf(childOf(contents, 0));
  if (type === contentTypes.data) return readDer(explicit(contents).content);
  if (type !== contentTypes.encryptedData) throw new TypeError(`a part of type ${type} cannot be read`);
  const encrypted = childOf(explicit(contents), 1);
  return readDer(deciphered(childOf(encrypted, 1), childOf(encrypted, 2).content, passphrase));
}

function readBag(bag: Der, passphrase: Buffer, found: Contents): void {
  const value = explicit(bag);
  const type = objectIdOf(childOf(bag, 0));
  // The first counts, and no other is worth the rounds to decipher it.
  if (type === bagTypes.key) found.key ??= value.bytes;
  if (type === bagTypes.shroudedKey) found.key ??= deciphered(childOf(value, 0), childOf(value, 1).content, passphrase);
  if (type === bagTypes.certificate && objectIdOf(childOf(value, 0)) === x509Type)
    found.certificates.push(explicit(value).content);
  if (type === bagTypes.safeContents) for (const one of value.children) readBag(one, passphrase, found);
}

/** @throws Error when it has a passphrase */
function passphraseOf(macData: Der | undefined, content: Buffer): Buffer {
  if (macData === undefined) return emptyPassphrases[0];
  const found = emptyPassphrases.find((one) => isSignedWith(macData, content, one));
  if (found === undefined) throw new Error('the PKCS#12 bundle has a passphrase, or was changed');
  return found;
}

/** The certificate of the key comes first, whatever order they are in. */
function servedOf({ key: pkcs8, certificates }: Contents): ServedCertificate {
  if (pkcs8 === undefined) throw new Error('the PKCS#12 bundle has no private key');
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const all = certificates.map((one) => new X509Certificate(one));
  const publicKey = createPublicKey(key);
  const leaf = all.find((one) => one.publicKey.equals(publicKey));
  if (leaf === undefined) throw new Error('the PKCS#12 bundle has no certificate of its key');
  return {
    certificate: leaf.toString(),
    private_key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    intermediates: all.filter((one) => one !== leaf).map(String),
  };
}

/** @throws Error for a bundle that cannot be read without a passphrase */
export function readPkcs12(payload: Buffer): ServedCertificate {
  const file = readDer(payload);
  const authSafe = childOf(file, 1);
  if (objectIdOf(childOf(authSafe, 0)) !== contentTypes.data)
    throw new Error('the PKCS#12 bundle is signed with a key');
  const { content } = explicit(authSafe);
  const passphrase = passphraseOf(file.children[2], content);
  const found: Contents = { key: undefined, certificates: [] };
  const parts = readDer(content).children;
  if (parts.length > mostParts) throw new TypeError(`the PKCS#12 bundle has ${parts.length} parts, which are too many`);
  for (const part of parts)
    for (const bag of safeContentsOf(part, passphrase).children) readBag(bag, passphrase, found);
  return servedOf(found);
}
