// What listeners and pools refer to of the key manager.
import type { ListenerRow } from './listener.ts';
import type { PoolRow } from './pool.ts';
import type { Child } from './tree.ts';

/** What is read at once: a certificate with its key, or an authority with its revocation list. */
export type CertificateReference =
  | { kind: 'certificate'; project_id: string; reference: string }
  | { kind: 'authority'; project_id: string; reference: string; revocation_reference: string | null };

const certificate = (project_id: string, reference: string): CertificateReference => ({
  kind: 'certificate',
  project_id,
  reference,
});
const authority = (
  project_id: string,
  reference: string | null,
  revocation_reference: string | null,
): CertificateReference[] =>
  reference === null ? [] : [{ kind: 'authority', project_id, reference, revocation_reference }];

const ofListener = (row: ListenerRow): CertificateReference[] => [
  ...[...new Set([row.default_tls_container_ref, ...row.sni_container_refs])]
    .filter((reference) => reference !== null)
    .map((reference) => certificate(row.project_id, reference)),
  ...authority(row.project_id, row.client_ca_tls_container_ref, row.client_crl_container_ref),
];

const ofPool = (row: PoolRow): CertificateReference[] => [
  ...(row.tls_container_ref === null ? [] : [certificate(row.project_id, row.tls_container_ref)]),
  ...authority(row.project_id, row.ca_tls_container_ref, row.crl_container_ref),
];

/** None for whatever is neither listener nor pool. */
export function certificateReferencesOf({ kind, row }: Child): CertificateReference[] {
  if (kind === 'listener') return ofListener(row as ListenerRow);
  return kind === 'pool' ? ofPool(row as PoolRow) : [];
}

/** Every URL or ARN in them. */
export const addressesIn = (references: CertificateReference[]): string[] =>
  references.flatMap((one) =>
    one.kind === 'authority' && one.revocation_reference !== null
      ? [one.reference, one.revocation_reference]
      : [one.reference],
  );
