// Every place certificates are kept in, behind one certificate manager: the form of a reference says which. An authority may be in
// one place and its revocation list in another.
import {
  type CertificateManager,
  CertificateUnreadable,
  type SecretStore,
  type ServedCertificate,
  type TrustedAuthority,
} from './certificate-manager.ts';
import { readAuthority } from './trusted-authority.ts';

export interface CertificatePlace {
  /** Whether a reference is of the form that leads there. */
  holds(reference: string): boolean;
  certificates: CertificateManager & SecretStore;
}

export class CertificatesByReference implements CertificateManager {
  readonly #places: CertificatePlace[];

  /** @param places the first one that holds a reference is asked */
  constructor(places: CertificatePlace[]) {
    this.#places = places;
  }

  async get(reference: string, projectId: string): Promise<ServedCertificate> {
    return this.#placeOf(reference).get(reference, projectId);
  }

  getAuthority(reference: string, revocationReference: string | null, projectId: string): Promise<TrustedAuthority> {
    const read = async (one: string) => (await this.#placeOf(one).readSecret(one, projectId)).toString('utf8');
    return readAuthority(read, reference, revocationReference);
  }

  #placeOf(reference: string): CertificateManager & SecretStore {
    const place = this.#places.find(({ holds }) => holds(reference));
    if (place === undefined) throw new CertificateUnreadable([reference]);
    return place.certificates;
  }
}
