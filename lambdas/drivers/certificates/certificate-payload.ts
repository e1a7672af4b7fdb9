// What is kept of a certificate, in any of the forms users keep it in: a PKCS#12 bundle, or PEM of certificate, key and intermediates.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { ServedCertificate } from './certificate-manager.ts';
import { isPkcs12, readPkcs12 } from './pkcs12.ts';

const pemBlocks = /-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g;

/** PEM of certificates, one each. */
export const certificatesIn = (text: string): string[] =>
  (text.match(pemBlocks) ?? []).filter((block) => /BEGIN (?:TRUSTED |X509 )?CERTIFICATE-/.test(block));

/** Certificate, key and intermediates in one text; the certificate comes first, as in Octavia. */
function fromBundle(text: string): ServedCertificate {
  const [certificate = '', ...intermediates] = certificatesIn(text);
  const private_key = text.match(pemBlocks)?.find((block) => block.includes('PRIVATE KEY')) ?? '';
  return { certificate, private_key, intermediates };
}

/** @throws Error when it could not be served */
export function servable(served: ServedCertificate): ServedCertificate {
  const leaf = new X509Certificate(served.certificate);
  if (!leaf.checkPrivateKey(createPrivateKey(served.private_key))) throw new Error('certificate and key do not match');
  for (const one of served.intermediates) new X509Certificate(one);
  return served;
}

/** @throws Error for what holds no certificate with its key */
export const readPayload = (payload: Buffer): ServedCertificate =>
  servable(isPkcs12(payload) ? readPkcs12(payload) : fromBundle(payload.toString('utf8')));

/** The parts of a certificate, each a text of its own. @throws Error when they do not make one that can be served */
export function readParts(parts: {
  certificate: string;
  private_key: string;
  private_key_passphrase?: string | undefined;
  intermediates?: string | undefined;
}): ServedCertificate {
  const { certificate, private_key, private_key_passphrase, intermediates } = parts;
  return servable({
    certificate,
    private_key:
      private_key_passphrase === undefined ? private_key : withoutPassphrase(private_key, private_key_passphrase),
    intermediates: intermediates === undefined ? [] : intermediatesOf(intermediates),
  });
}

function intermediatesOf(text: string): string[] {
  const found = certificatesIn(text);
  // PKCS#7 and the like: served without them, clients would trust nobody.
  if (found.length === 0 && text.trim() !== '') throw new Error('the intermediates are no certificates in PEM');
  return found;
}

const withoutPassphrase = (key: string, passphrase: string): string =>
  createPrivateKey({ key, passphrase }).export({ type: 'pkcs8', format: 'pem' }).toString();
