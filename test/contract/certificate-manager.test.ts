// What any certificate manager makes of the references of listeners and pools.
import { createPrivateKey, randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LocalCertificates } from '../../lambdas/drivers/certificates/local-certificates.ts';
import { aesSealer } from '../../lambdas/drivers/certificates/sealer.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import * as bundled from '../support/pkcs12-bundles.ts';
import {
  containerRef,
  keepCertificate,
  keepSecret,
  makeUserAuthority,
  secretRef,
  type UserAuthority,
} from '../support/user-certificates.ts';

const { bundles, unreadableBundles } = bundled;
let one: UserAuthority;
let other: UserAuthority;
beforeAll(async () => {
  [one, other] = await Promise.all([makeUserAuthority('one'), makeUserAuthority('other')]);
});

const implementations = {
  local: (table: SqliteTable) => new LocalCertificates({ table, sealer: aesSealer(Buffer.alloc(32, 1)) }),
};

describe.each(Object.entries(implementations))('certificate manager: %s', (_name, make) => {
  let table: SqliteTable;
  let manager: LocalCertificates;
  beforeEach(() => {
    table = new SqliteTable({ path: ':memory:' });
    manager = make(table);
  });
  const unreadable = (...references: string[]) =>
    expect.objectContaining({ name: 'CertificateUnreadable', references });
  const unusable = (text: string) =>
    expect.objectContaining({ name: 'CertificateUnusable', message: expect.stringContaining(text) });

  it('reads a container by any URL that ends like Barbican’s', async () => {
    await keepCertificate(manager, 1, 'p', one);
    const { certificate, private_key } = one;
    expect(await manager.get(containerRef(1), 'p')).toEqual({ certificate, private_key, intermediates: [] });
    const elsewhere = containerRef(1).replace('https://keys.example/key-manager', 'http://127.0.0.1:9311');
    expect(await manager.get(elsewhere, 'p')).toMatchObject({ certificate });
  });

  it('reads certificate, key and intermediates of one secret, in any order', async () => {
    await keepSecret(manager, 1, 'p', [one.private_key, one.certificate, other.certificate].join('\n'));
    const served = await manager.get(secretRef(1), 'p');
    expect(served.certificate).toBe(one.certificate.trim());
    expect(served.intermediates).toEqual([other.certificate.trim()]);
  });

  it.each(Object.entries(bundles))('reads a PKCS#12 bundle %s', async (_how, base64) => {
    await manager.putSecret(secretRef(1).slice(-36), 'p', Buffer.from(base64, 'base64'));
    const served = await manager.get(secretRef(1), 'p');
    expect(served.certificate.trim()).toBe(bundled.certificate);
    expect(served.intermediates.map((one) => one.trim())).toEqual([bundled.intermediate]);
  });

  it.each(Object.entries(unreadableBundles))('does not read a PKCS#12 bundle %s', async (_how, base64) => {
    await manager.putSecret(secretRef(1).slice(-36), 'p', Buffer.from(base64, 'base64'));
    await expect(manager.get(secretRef(1), 'p')).rejects.toEqual(unreadable(secretRef(1)));
  });

  it('takes the passphrase off a key', async () => {
    await keepCertificate(manager, 1, 'p', one);
    const key = createPrivateKey(one.private_key);
    const locked = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' });
    await keepSecret(manager, 11, 'p', locked.toString());
    await keepSecret(manager, 12, 'p', 'open sesame');
    await expect(manager.get(containerRef(1), 'p')).rejects.toEqual(unreadable(containerRef(1)));
    const secrets = { certificate: secretRef(10), private_key: secretRef(11), private_key_passphrase: secretRef(12) };
    await manager.putContainer(containerRef(1).slice(-36), 'p', secrets);
    expect((await manager.get(containerRef(1), 'p')).private_key).toContain('BEGIN PRIVATE KEY');
  });

  it.each(['https://keys.example', 'x', '', containerRef(7), secretRef(7), `${containerRef(1)}/consumers`])(
    'cannot read %j, where nothing is',
    async (reference) => {
      await keepCertificate(manager, 1, 'p', one);
      await expect(manager.get(reference, 'p')).rejects.toEqual(unreadable(reference));
    },
  );

  it('does not read what belongs to another project', async () => {
    await keepCertificate(manager, 1, 'p', one);
    await expect(manager.get(containerRef(1), 'q')).rejects.toEqual(unreadable(containerRef(1)));
  });

  it('does not take a certificate with another key for readable', async () => {
    await keepCertificate(manager, 1, 'p', { certificate: one.certificate, private_key: other.private_key });
    await expect(manager.get(containerRef(1), 'p')).rejects.toEqual(unreadable(containerRef(1)));
  });

  it('reads an authority, with a revocation list it signed', async () => {
    await keepSecret(manager, 1, 'p', one.certificate);
    await keepSecret(manager, 2, 'p', one.revocation_list);
    expect(await manager.getAuthority(secretRef(1), null, 'p')).toMatchObject({ revocation_list: null });
    expect(await manager.getAuthority(secretRef(1), secretRef(2), 'p')).toEqual({
      certificate: one.certificate,
      revocation_list: one.revocation_list,
    });
  });

  it('names every reference it cannot read', async () => {
    const both = manager.getAuthority(secretRef(1), secretRef(2), 'p');
    await expect(both).rejects.toEqual(unreadable(secretRef(1), secretRef(2)));
  });

  it('refuses an authority or a revocation list that is none', async () => {
    await keepSecret(manager, 1, 'p', 'a text');
    await keepSecret(manager, 2, 'p', one.certificate);
    await keepSecret(manager, 3, 'p', other.revocation_list);
    const refused = (authority: number, list: number | null) =>
      expect(manager.getAuthority(secretRef(authority), list === null ? null : secretRef(list), 'p')).rejects;
    await refused(1, null).toEqual(unusable('It must be a valid x509 PEM format certificate.'));
    await refused(2, 1).toEqual(unusable('It must be a valid x509 PEM format certificate revocation list.'));
    await refused(2, 3).toEqual(unusable('The CRL specified is not valid for client certificate authority'));
  });

  it('keeps nothing in the clear, and opens nothing with another key', async () => {
    const text = randomBytes(24).toString('hex');
    await keepSecret(manager, 1, 'p', text);
    const item = await table.get({ pk: `SECRET#${secretRef(1).slice(-36)}`, sk: 'KEY-MANAGER' });
    expect(item).toMatchObject({ project_id: 'p' });
    expect(JSON.stringify(item)).not.toContain(text);
    const stranger = new LocalCertificates({ table, sealer: aesSealer(Buffer.alloc(32, 2)) });
    await expect(stranger.getAuthority(secretRef(1), null, 'p')).rejects.toEqual(unreadable(secretRef(1)));
  });
});
