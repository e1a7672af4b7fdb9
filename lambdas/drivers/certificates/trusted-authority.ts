// What every certificate manager checks of an authority and its revocation list, once it has read them.
import { X509Certificate } from 'node:crypto';
import { DriverError } from '../../domain/errors.ts';
import { CertificateUnreadable, CertificateUnusable, type TrustedAuthority } from './certificate-manager.ts';
import { isSignedRevocationList } from './x509.ts';

function checkAuthority(pem: string): void {
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new CertificateUnusable(
      `The client authentication CA certificate is invalid. It must be a valid x509 PEM format certificate. Error: ${(cause as Error).message}`,
      { cause },
    );
  }
}

async function checkRevocationList(pem: string, authority: string): Promise<void> {
  let isSigned: boolean;
  try {
    isSigned = await isSignedRevocationList(pem, authority);
  } catch (cause) {
    throw new CertificateUnusable(
      `The client authentication certificate revocation list is invalid. It must be a valid x509 PEM format certificate revocation list. Error: ${(cause as Error).message}`,
      { cause },
    );
  }
  if (!isSigned)
    throw new CertificateUnusable(
      'The CRL specified is not valid for client certificate authority reference supplied.',
    );
}

/**
 * @param read answers with the text behind a reference; what it throws counts as unreadable
 * @throws CertificateUnreadable, CertificateUnusable, DriverError when a place does not answer
 */
export async function readAuthority(
  read: (reference: string) => Promise<string>,
  reference: string,
  revocationReference: string | null,
): Promise<TrustedAuthority> {
  const references = [reference, ...(revocationReference === null ? [] : [revocationReference])];
  const found = await Promise.allSettled(references.map(read));
  const reasons = found.map((one) => (one.status === 'rejected' ? one.reason : undefined));
  // A place that does not answer says nothing of what is in it.
  const away = reasons.find((reason) => reason instanceof DriverError);
  if (away !== undefined) throw away;
  const unread = references.filter((_, index) => found[index]?.status === 'rejected');
  if (unread.length > 0) throw new CertificateUnreadable(unread);
  const [certificate = '', list] = found.map((one) => (one.status === 'fulfilled' ? one.value : ''));
  checkAuthority(certificate);
  if (list !== undefined) await checkRevocationList(list, certificate);
  return { certificate, revocation_list: list ?? null };
}
