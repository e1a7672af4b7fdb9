import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { CertificateManager } from '../../lambdas/drivers/certificates/certificate-manager.ts';
import { NoopCertificates } from '../../lambdas/drivers/certificates/noop-certificates.ts';

const certificates: CertificateManager = new NoopCertificates();

it('believes in certificates and authorities that are not there, and has nothing to serve of them', async () => {
  expect(await certificates.get(randomUUID(), 'a-project')).toEqual({
    certificate: '',
    private_key: '',
    intermediates: [],
  });
  expect(await certificates.getAuthority(randomUUID(), randomUUID(), 'a-project')).toEqual({
    certificate: '',
    revocation_list: null,
  });
});
