// Octavia's certificate generator: signs what amphorae and the control plane show each other.

export interface IssuedCertificate {
  /** PEM, leaf first. */
  certificate: string;
  /** PEM, PKCS#8. */
  private_key: string;
  /** Octavia's spelling of a time. */
  expires_at: string;
}

export interface CertificateAuthority {
  /** PEM of the authority's own certificate. */
  caCertificate(): Promise<string>;
  /** Server certificate whose only name (SAN, DNS) is the amphora id. */
  issueAmphora(amphoraId: string, now: number): Promise<IssuedCertificate>;
  /** The control plane's client certificate, made once and kept until it is near its end. */
  client(now: number): Promise<IssuedCertificate>;
}
