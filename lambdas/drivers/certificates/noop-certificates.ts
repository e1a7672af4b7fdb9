// Certificates that are never read, for a control plane with nothing behind it: every reference leads to one.
import type { CertificateManager, ServedCertificate, TrustedAuthority } from './certificate-manager.ts';

export class NoopCertificates implements CertificateManager {
  async get(): Promise<ServedCertificate> {
    return { certificate: '', private_key: '', intermediates: [] };
  }

  async getAuthority(): Promise<TrustedAuthority> {
    return { certificate: '', revocation_list: null };
  }
}
