import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DriverError } from '../../lambdas/domain/errors.ts';
import { parseTimestamp } from '../../lambdas/domain/time.ts';
import type { CertificateAuthority } from '../../lambdas/drivers/certificates/certificate-authority.ts';
import { clientName, LocalCertificateAuthority } from '../../lambdas/drivers/certificates/local-authority.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';

const amphoraId = '5c4ee6a4-4a2a-4b8d-a1a5-0d5d0fb9a6a1';
const dayMs = 86_400_000;
const now = Date.parse('2026-11-21T00:00:00Z');
const serverAuth = '1.3.6.1.5.5.7.3.1';
const clientAuth = '1.3.6.1.5.5.7.3.2';

const implementations: Record<string, (table: SqliteTable, encryptionKey: Buffer) => CertificateAuthority> = {
  local: (table, encryptionKey) => new LocalCertificateAuthority({ table, encryptionKey, clock: { now: () => now } }),
};

describe.each(Object.entries(implementations))('certificate authority: %s', (_name, make) => {
  const key = randomBytes(32);
  let table: SqliteTable;
  let authority: CertificateAuthority;

  beforeEach(() => {
    table = new SqliteTable({ path: ':memory:' });
    authority = make(table, key);
  });
  afterEach(() => table.close());

  it('signs certificates whose only name is the amphora id, for its agent and for it as a peer of another', async () => {
    const issued = await authority.issueAmphora(amphoraId, now);
    const certificate = new X509Certificate(issued.certificate);
    expect(certificate.subjectAltName).toBe(`DNS:${amphoraId}`);
    expect(certificate.keyUsage).toEqual([serverAuth, clientAuth]);
    expect(certificate.ca).toBe(false);
    expect(certificate.checkHost(amphoraId)).toBe(amphoraId);
    expect(certificate.checkPrivateKey(createPrivateKey(issued.private_key))).toBe(true);
    expect(issued.private_key).toContain('BEGIN PRIVATE KEY');
  });

  it('signs with the authority whose certificate it shows', async () => {
    const ca = new X509Certificate(await authority.caCertificate());
    const issued = new X509Certificate((await authority.issueAmphora(amphoraId, now)).certificate);
    expect(ca.ca).toBe(true);
    expect(issued.checkIssued(ca)).toBe(true);
    expect(issued.verify(ca.publicKey)).toBe(true);
    expect(Date.parse(ca.validTo) - now).toBe(3_650 * dayMs);
  });

  it('says when a certificate expires', async () => {
    const issued = await authority.issueAmphora(amphoraId, now);
    expect(parseTimestamp(issued.expires_at)).toBe(now + 365 * dayMs);
    expect(Date.parse(new X509Certificate(issued.certificate).validTo)).toBe(parseTimestamp(issued.expires_at));
  });

  it('gives every certificate a serial number of its own', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => authority.issueAmphora(amphoraId, now)));
    expect(new Set(all.map(({ certificate }) => new X509Certificate(certificate).serialNumber)).size).toBe(5);
  });

  it('keeps one client certificate of the control plane', async () => {
    const first = await authority.client(now);
    const certificate = new X509Certificate(first.certificate);
    expect(certificate.subject).toBe(`CN=${clientName}`);
    expect(certificate.keyUsage).toEqual([clientAuth]);
    expect(await authority.client(now + dayMs)).toEqual(first);
    expect(await make(table, key).client(now)).toEqual(first);
  });

  it('renews the client certificate near its end', async () => {
    const first = await authority.client(now);
    const later = await authority.client(parseTimestamp(first.expires_at) - dayMs);
    expect(later.certificate).not.toBe(first.certificate);
    expect(await make(table, key).client(now + dayMs)).toEqual(later);
  });

  it('agrees on one authority and one client when several start at once', async () => {
    const started = Array.from({ length: 4 }, () => make(table, key));
    const authorities = await Promise.all(started.map((each) => each.caCertificate()));
    const clients = await Promise.all(started.map((each) => each.client(now)));
    expect(new Set(authorities).size).toBe(1);
    expect(new Set(clients.map(({ private_key }) => private_key)).size).toBe(1);
  });

  it('keeps no private key in the clear, and opens none with another key', async () => {
    await authority.client(now);
    const { items } = await table.query({ pk: 'CA#local' });
    expect(items).toHaveLength(2);
    expect(JSON.stringify(items)).not.toContain('PRIVATE KEY');
    await expect(make(table, randomBytes(32)).issueAmphora(amphoraId, now)).rejects.toThrow(DriverError);
  });
});
