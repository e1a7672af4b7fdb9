// Looks, before anything is accepted, whether the certificates that listeners and pools refer to can be read and used, and keeps
// copies of them for who applies it.
import { keepCopy, readAtSource } from '../controller/certificate-copies.ts';
import type { CertificateReference } from '../domain/certificate-references.ts';
import { spelledList } from '../domain/deployment.ts';
import { ApiError, invalid } from '../domain/errors.ts';
import { CertificateUnreadable, CertificateUnusable } from '../drivers/certificates/certificate-manager.ts';
import type { Services } from '../runtime/services.ts';

const unreadable = (references: string[], cause: unknown) =>
  new ApiError(400, `Could not retrieve certificate: ${spelledList(references)}`, { cause });

const readAndKept = async (services: Services, one: CertificateReference) =>
  keepCopy(services, one, await readAtSource(services, one));

/** Certificates to be shown to the other side. @throws ApiError 400 naming all that cannot be read */
export async function checkServed(
  services: Services,
  project_id: string,
  references: readonly (string | null | undefined)[],
): Promise<void> {
  const given = references.filter((reference) => reference !== null && reference !== undefined);
  const found = await Promise.allSettled(
    given.map((reference) => readAndKept(services, { kind: 'certificate', project_id, reference })),
  );
  const failed = found.filter((one) => one.status === 'rejected').map(({ reason }) => reason as unknown);
  const other = failed.find((error) => !(error instanceof CertificateUnreadable));
  if (other !== undefined) throw other;
  const unread = given.filter((_, index) => found[index]?.status === 'rejected');
  if (unread.length > 0) throw unreadable(unread, failed[0]);
}

/** The authority the other side's certificates are checked against, with its revocation list. @throws ApiError 400 */
export async function checkAuthority(
  services: Services,
  project_id: string,
  reference: string | null,
  revocation_reference: string | null,
): Promise<void> {
  if (reference === null) return;
  try {
    await readAndKept(services, { kind: 'authority', project_id, reference, revocation_reference });
  } catch (error) {
    if (error instanceof CertificateUnreadable) throw unreadable(error.references, error);
    if (error instanceof CertificateUnusable) throw invalid(error.message);
    throw error;
  }
}
