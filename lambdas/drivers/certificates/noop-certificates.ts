// A certificate manager that believes in every reference, as Octavia's noop one does: for a control plane that no amphora serves.
import type { CertificateManager, ServedCertificate, TrustedAuthority } from './certificate-manager.ts';

export class NoopCertificates implements CertificateManager {
  async get(): Promise<ServedCertificate> {
    return { certificate: '', private_key: '', intermediates: [] };
  }

  async getAuthority(): Promise<TrustedAuthority> {
    return { certificate: '', revocation_list: null };
  }
}
