// Octavia's certificate generator: signs what amphorae and the control plane show each other. Unlike Octavia's it is replaced by a
// successor before it ends, with a time in between in which both are trusted.

/** Common name by which an amphora knows the control plane. */
export const clientName = 'octavia-control-plane';

export interface IssuedCertificate {
  /** PEM, leaf first. */
  certificate: string;
  /** PEM, PKCS#8. */
  private_key: string;
  /** Octavia's spelling of a time. */
  expires_at: string;
  /** Id of the authority that signed it. */
  authority: string;
}

/** Which authorities are trusted now. */
export interface Trust {
  /** Raised whenever one comes or goes. */
  version: number;
  /** Oldest first; one, or two while the older is being replaced. */
  authorities: { id: string; certificate: string }[];
  /** Id of the one that signs what amphorae show. */
  signer: string;
}

/** What has become of the authorities: a successor is trusted, it signs from now on, the older one is trusted no more. */
export type AuthorityPhase = 'introduced' | 'signing' | 'retired';

export interface CertificateAuthority {
  trust(): Promise<Trust>;
  /** PEM of all that are trusted. */
  caCertificate(): Promise<string>;
  /** Server certificate whose only name (SAN, DNS) is the amphora id. */
  issueAmphora(amphoraId: string, now: number): Promise<IssuedCertificate>;
  /**
   * The control plane's client certificate, made once for each authority and kept until it is near its end.
   * @param authority id of one that is trusted, unless told the one that signs
   */
  client(now: number, authority?: string): Promise<IssuedCertificate>;
  /**
   * Takes the next step of a rotation if it is time for it; what was done before is on record, so that whoever is killed is gone on from.
   * @param isUnused whether nobody needs the older authority any more, because all trust the newer and show its certificates
   */
  advance(now: number, isUnused: (older: string, newer: string) => boolean): Promise<AuthorityPhase | undefined>;
}
