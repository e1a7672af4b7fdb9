// Reads the certificates that a configuration needs, each reference once however often it is named and rendered.
import type { Tree } from '../domain/tree.ts';
import {
  CertificateUnreadable,
  CertificateUnusable,
  type ServedCertificate,
  type TrustedAuthority,
} from '../drivers/certificates/certificate-manager.ts';
import type { Certificates, ReadCertificates } from '../haproxy/files.ts';
import { type CertificateReferences, referencesOf } from '../haproxy/references.ts';
import type { Services } from '../runtime/services.ts';

export class CertificateReader {
  readonly #manager: Services['certificates'];
  readonly #served = new Map<string, Promise<ServedCertificate>>();
  readonly #authorities = new Map<string, Promise<TrustedAuthority>>();

  constructor({ certificates }: Pick<Services, 'certificates'>) {
    this.#manager = certificates;
  }

  /**
   * What the tree's references lead to; an error in the place of a listener or pool of which one leads nowhere.
   * @throws what the certificate manager throws when it cannot be asked
   */
  async read(tree: Tree): Promise<Certificates> {
    const wanted = referencesOf(tree);
    const found = await Promise.all(wanted.map((one) => this.#read(one).catch(asReason)));
    return new Map(wanted.map(({ resource_id }, index) => [resource_id, found[index]!]));
  }

  async #read({ project_id, served, authority }: CertificateReferences): Promise<ReadCertificates> {
    const [trusted, ...certificates] = await Promise.all([
      authority === null ? null : this.#authority(project_id, authority),
      ...served.map((reference) => this.#certificate(project_id, reference)),
    ]);
    return {
      served: new Map(served.map((reference, index) => [reference, certificates[index]!])),
      authority: trusted,
    };
  }

  #certificate(projectId: string, reference: string): Promise<ServedCertificate> {
    return once(this.#served, `${projectId} ${reference}`, () => this.#manager.get(reference, projectId));
  }

  #authority(projectId: string, { reference, revocation }: NonNullable<CertificateReferences['authority']>) {
    return once(this.#authorities, `${projectId} ${reference} ${revocation}`, () =>
      this.#manager.getAuthority(reference, revocation, projectId).catch((cause) => {
        if (!(cause instanceof CertificateUnusable)) throw cause;
        // What cannot be used is told without saying which it is.
        const named = [reference, ...(revocation === null ? [] : [revocation])].join(', ');
        throw new CertificateUnusable(`${named}: ${cause.message}`, { cause });
      }),
    );
  }
}

function once<T>(known: Map<string, Promise<T>>, key: string, read: () => Promise<T>): Promise<T> {
  const found = known.get(key) ?? read();
  known.set(key, found);
  return found;
}

function asReason(error: unknown): Error {
  if (error instanceof CertificateUnreadable || error instanceof CertificateUnusable) return error;
  throw error;
}
