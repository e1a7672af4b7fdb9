// Copies of the certificates that listeners and pools refer to, sealed in the table: made when a reference is accepted and whenever
// what it leads to has changed. Functions inside the VPC reach nothing but the table, and what was once read goes on being served
// while its own place is away.
import { createHash } from 'node:crypto';
import type { CertificateReference } from '../../domain/certificate-references.ts';
import type { Key, Table } from '../table/table.ts';
import {
  type CertificateManager,
  CertificateUnreadable,
  type ServedCertificate,
  type TrustedAuthority,
} from './certificate-manager.ts';
import type { Sealer } from './sealer.ts';

const hashed = (text: string): string => createHash('sha256').update(text).digest('hex');

/** One for each project, as who may read a reference depends on it. */
export const copyIdOf = (one: CertificateReference): string =>
  hashed(
    JSON.stringify([
      one.kind,
      one.project_id,
      one.reference,
      one.kind === 'authority' ? one.revocation_reference : null,
    ]),
  );

export const copyKey = (copyId: string): Key => ({ pk: `CERTIFICATE-COPY#${copyId}`, sk: 'COPY' });
const purposeOf = (copyId: string): string => `certificate-copy:${copyId}`;

export interface Copy {
  /** The same for the same contents; what it is made of has hundreds of random bits, or is public. */
  digest: string;
  sealed_copy: string;
}

/**
 * A payload has 64 kB at most; the three of a container (certificate, key, intermediates) make 260 kB when they are sealed, of the
 * 400 KB an item may have.
 */
export function copyOf(copyId: string, contents: ServedCertificate | TrustedAuthority, sealer: Sealer): Copy {
  const text = JSON.stringify(contents);
  return { digest: hashed(text), sealed_copy: sealer.seal(text, purposeOf(copyId)) };
}

export interface CertificateCopiesOptions {
  table: Table;
  sealer: Sealer;
  /** Asked when there is no copy; null where it cannot be reached. */
  source: CertificateManager | null;
}

export class CertificateCopies implements CertificateManager {
  readonly #options: CertificateCopiesOptions;

  constructor(options: CertificateCopiesOptions) {
    this.#options = options;
  }

  async get(reference: string, project_id: string): Promise<ServedCertificate> {
    const copy = await this.#copy<ServedCertificate>({ kind: 'certificate', project_id, reference });
    return copy ?? this.#source([reference]).get(reference, project_id);
  }

  async getAuthority(
    reference: string,
    revocation_reference: string | null,
    project_id: string,
  ): Promise<TrustedAuthority> {
    const copy = await this.#copy<TrustedAuthority>({ kind: 'authority', project_id, reference, revocation_reference });
    const references = [reference, ...(revocation_reference === null ? [] : [revocation_reference])];
    return copy ?? this.#source(references).getAuthority(reference, revocation_reference, project_id);
  }

  #source(references: string[]): CertificateManager {
    if (this.#options.source === null) throw new CertificateUnreadable(references);
    return this.#options.source;
  }

  async #copy<T>(one: CertificateReference): Promise<T | undefined> {
    const id = copyIdOf(one);
    const item = await this.#options.table.get(copyKey(id));
    return item && (JSON.parse(this.#options.sealer.open(String(item['sealed_copy']), purposeOf(id))) as T);
  }
}
