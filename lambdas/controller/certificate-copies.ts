// Reads what a reference leads to and keeps a copy of it, for functions that reach nothing but the table, and for times when its own
// place is away. The one writer of copies: the API when it accepts a reference, and housekeeping afterwards.
import { X509Certificate } from 'node:crypto';
import type { CertificateReference } from '../domain/certificate-references.ts';
import { timestamp } from '../domain/time.ts';
import { copyIdOf, copyKey, copyOf } from '../drivers/certificates/certificate-copies.ts';
import type { ServedCertificate, TrustedAuthority } from '../drivers/certificates/certificate-manager.ts';
import { type CopyState, writeCopy } from '../repositories/certificate-references.ts';
import type { Services } from '../runtime/services.ts';

type Contents = ServedCertificate | TrustedAuthority;

/** From where users keep it, and not from a copy. @throws CertificateUnreadable, CertificateUnusable, DriverError */
export const readAtSource = ({ certificateSource }: Services, one: CertificateReference): Promise<Contents> =>
  one.kind === 'certificate'
    ? certificateSource.get(one.reference, one.project_id)
    : certificateSource.getAuthority(one.reference, one.revocation_reference, one.project_id);

/** Noop managers have no certificate at all. */
const expiryOf = (one: CertificateReference, { certificate }: Contents): string | null =>
  one.kind === 'authority' || certificate === ''
    ? null
    : timestamp(Date.parse(new X509Certificate(certificate).validTo));

/** @param known what was known of it before; what says the same is left as it is */
export async function keepCopy(
  services: Services,
  one: CertificateReference,
  contents: Contents,
  known?: CopyState,
): Promise<CopyState> {
  const copyId = copyIdOf(one);
  const { digest, sealed_copy } = copyOf(copyId, contents, services.sealer);
  if (known?.digest === digest && known.lost_since === null) return known;
  const state: CopyState = {
    copy_id: copyId,
    digest,
    written_at: services.clock.now(),
    lost_since: null,
    expires_at: expiryOf(one, contents),
    is_expiry_told: false,
  };
  await writeCopy(services.table, state, { ...copyKey(copyId), sealed_copy });
  return state;
}
