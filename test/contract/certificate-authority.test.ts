import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DriverError } from '../../lambdas/domain/errors.ts';
import { parseTimestamp } from '../../lambdas/domain/time.ts';
import type { CertificateAuthority } from '../../lambdas/drivers/certificates/certificate-authority.ts';
import { clientName } from '../../lambdas/drivers/certificates/certificate-authority.ts';
import { LocalCertificateAuthority } from '../../lambdas/drivers/certificates/local-authority.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';

const amphoraId = '5c4ee6a4-4a2a-4b8d-a1a5-0d5d0fb9a6a1';
const dayMs = 86_400_000;
const now = Date.parse('2026-11-21T00:00:00Z');
const serverAuth = '1.3.6.1.5.5.7.3.1';
const clientAuth = '1.3.6.1.5.5.7.3.2';

type Clock = { now(): number };
const standingStill: Clock = { now: () => now };
const implementations: Record<
  string,
  (table: SqliteTable, encryptionKey: Buffer, clock?: Clock) => CertificateAuthority
> = {
  local: (table, encryptionKey, clock = standingStill) =>
    new LocalCertificateAuthority({ table, encryptionKey, clock }),
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

  describe('near its end', () => {
    const hourMs = 3_600_000;
    const end = now + 3_650 * dayMs;
    const renewal = end - 400 * dayMs + 1;
    const inUse = () => false;
    const unused = () => true;
    let time: number;
    let older: string;
    beforeEach(async () => {
      time = now;
      authority = make(table, key, { now: () => time });
      older = (await authority.trust()).signer;
      time = renewal;
    });
    /** Another process, as after a kill. */
    const another = () => make(table, key, { now: () => time });
    const introduced = async () => {
      await authority.advance(time, unused);
      const { authorities } = await authority.trust();
      return authorities[1]!.id;
    };
    const signing = async () => {
      const newer = await introduced();
      time += hourMs;
      await authority.advance(time, unused);
      return newer;
    };

    it('goes on alone until it is time for a successor', async () => {
      time = renewal - 2;
      expect(await authority.advance(time, unused)).toBeUndefined();
      expect(await authority.trust()).toMatchObject({ version: 1, signer: older, authorities: [{ id: older }] });
    });

    it('is trusted beside its successor, which does not sign before everybody can know of it', async () => {
      expect(await authority.advance(time, unused)).toBe('introduced');
      const { authorities, signer, version } = await authority.trust();
      expect({ signer, version, ids: authorities.length }).toEqual({ signer: older, version: 2, ids: 2 });
      expect((await authority.caCertificate()).match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
      time += hourMs - 1;
      expect(await authority.advance(time, unused)).toBeUndefined();
      expect((await authority.issueAmphora(amphoraId, time)).authority).toBe(older);
    });

    it('lets the successor sign, and keeps a client certificate of each', async () => {
      const newer = await signing();
      const trust = await authority.trust();
      const [first, second] = trust.authorities.map(({ certificate }) => new X509Certificate(certificate));
      expect(trust.signer).toBe(newer);
      const issued = await authority.issueAmphora(amphoraId, time);
      expect(issued.authority).toBe(newer);
      expect(new X509Certificate(issued.certificate).verify(second!.publicKey)).toBe(true);
      const clientOf = async (id?: string) => new X509Certificate((await authority.client(time, id)).certificate);
      expect((await clientOf(older)).verify(first!.publicKey)).toBe(true);
      expect((await clientOf()).verify(second!.publicKey)).toBe(true);
      expect((await clientOf(newer)).raw).toEqual((await clientOf()).raw);
    });

    it('stays for as long as anybody needs it, and is forgotten with its key and client afterwards', async () => {
      const newer = await signing();
      time += 30 * dayMs;
      expect(await authority.advance(time, inUse)).toBeUndefined();
      const asked: string[][] = [];
      const ask = (...ids: [string, string]) => asked.push(ids) > 0;
      expect(await authority.advance(time, ask)).toBe('retired');
      expect(asked).toEqual([[older, newer]]);
      expect(await authority.trust()).toMatchObject({ version: 3, signer: newer, authorities: [{ id: newer }] });
      await expect(authority.client(time, older)).rejects.toThrow(DriverError);
      expect((await table.query({ pk: 'CA#local' })).items).toHaveLength(2);
      expect(await authority.advance(time, unused)).toBeUndefined();
    });

    it('does not go right after the successor began to sign: somebody may not know yet', async () => {
      await signing();
      time += hourMs - 1;
      expect(await authority.advance(time, unused)).toBeUndefined();
      time += 1;
      expect(await authority.advance(time, unused)).toBe('retired');
    });

    it('is gone on with by another process, at each step', async () => {
      const phases = [];
      for (let step = 0; step < 3; step++, time += hourMs) phases.push(await another().advance(time, unused));
      expect(phases).toEqual(['introduced', 'signing', 'retired']);
    });

    it('takes each step once, however many take it at once', async () => {
      for (const phase of ['introduced', 'signing', 'retired']) {
        const several = await Promise.all(Array.from({ length: 4 }, () => another().advance(time, unused)));
        expect(several.filter((one) => one !== undefined)).toEqual([phase]);
        time += hourMs;
      }
    });

    it('is known to be replaced by every process in less time than both are trusted', async () => {
      const behind = another();
      await behind.trust();
      const newer = await introduced();
      time += hourMs / 4;
      expect((await behind.trust()).authorities.map(({ id }) => id)).toEqual([older, newer]);
    });

    it('signs nothing that is valid for longer than itself', async () => {
      time = end - 100 * dayMs;
      const { expires_at } = await authority.issueAmphora(amphoraId, time);
      expect(parseTimestamp(expires_at)).toBe(end);
    });
  });
});
