// Octavia's certificate manager: what listeners and pools refer to by Barbican's URLs of containers and secrets.

/** A certificate with what it takes to serve it, checked: it can be read, and the key is its own. */
export interface ServedCertificate {
  /** PEM */
  certificate: string;
  /** PEM, without a passphrase. */
  private_key: string;
  /** PEM, one each, in the order they are sent. */
  intermediates: string[];
}

/** What certificates of the other side are checked against. */
export interface TrustedAuthority {
  /** PEM */
  certificate: string;
  /** PEM, signed by that authority. */
  revocation_list: string | null;
}

/** A reference leads nowhere, to another project's secret, or to something that is no certificate. */
export class CertificateUnreadable extends Error {
  override readonly name = 'CertificateUnreadable';
  readonly references: string[];
  constructor(references: string[], options?: ErrorOptions) {
    super(`cannot be read: ${references.join(', ')}`, options);
    this.references = references;
  }
}

/** What was read is not what it is to be used for; the message is for the user. */
export class CertificateUnusable extends Error {
  override readonly name = 'CertificateUnusable';
}

export interface CertificateManager {
  /**
   * @param reference of a certificate container, or of a secret that holds certificate, key and intermediates, as a PKCS#12
   * bundle without a passphrase or in PEM
   * @param projectId whose it must be
   * @throws CertificateUnreadable
   */
  get(reference: string, projectId: string): Promise<ServedCertificate>;
  /**
   * @param reference of the secret with the authority's certificate in PEM
   * @param revocationReference of the secret with its revocation list in PEM
   * @throws CertificateUnreadable naming all that cannot be read
   * @throws CertificateUnusable
   */
  getAuthority(reference: string, revocationReference: string | null, projectId: string): Promise<TrustedAuthority>;
}

/** Where payloads lie that references lead to. */
export interface SecretStore {
  /** @throws Error when it is not there for that project */
  readSecret(reference: string, projectId: string): Promise<Buffer>;
}
