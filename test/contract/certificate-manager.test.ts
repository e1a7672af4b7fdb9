// What any certificate manager makes of the references of listeners and pools.
import { createPrivateKey, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CachedCertificates } from '../../lambdas/drivers/certificates/cached-certificates.ts';
import { CertificateCopies } from '../../lambdas/drivers/certificates/certificate-copies.ts';
import type { CertificateManager } from '../../lambdas/drivers/certificates/certificate-manager.ts';
import { CertificatesByReference } from '../../lambdas/drivers/certificates/certificates-by-reference.ts';
import { LocalCertificates } from '../../lambdas/drivers/certificates/local-certificates.ts';
import { aesSealer } from '../../lambdas/drivers/certificates/sealer.ts';
import { isSecretArn, SecretsManagerCertificates } from '../../lambdas/drivers/certificates/secrets-manager.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import * as bundled from '../support/pkcs12-bundles.ts';
import { SecretsManagerDouble, secretArn } from '../support/secrets-manager-double.ts';
import { TurnableClock } from '../support/services.ts';
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
let double: SecretsManagerDouble;
beforeAll(async () => {
  [one, other] = await Promise.all([makeUserAuthority('one'), makeUserAuthority('other')]);
  double = await SecretsManagerDouble.start();
});
afterAll(() => double[Symbol.asyncDispose]());

const sealer = aesSealer(Buffer.alloc(32, 1));
let table: SqliteTable;
beforeEach(() => {
  table = new SqliteTable({ path: ':memory:' });
  double.secrets.clear();
  double.asked.length = 0;
  double.fault = undefined;
});

const unreadable = (...references: string[]) => expect.objectContaining({ name: 'CertificateUnreadable', references });
const unusable = (text: string) =>
  expect.objectContaining({ name: 'CertificateUnusable', message: expect.stringContaining(text) });

interface Place {
  manager: CertificateManager;
  refOf(number: number): string;
  keep(number: number, projectId: string, payload: string | Buffer): Promise<void>;
}

function local(): Place {
  const manager = new LocalCertificates({ table, sealer });
  const keep: Place['keep'] = (number, projectId, payload) =>
    manager.putSecret(secretRef(number).slice(-36), projectId, payload);
  return { manager, refOf: secretRef, keep };
}

function secretsManager(): Place {
  const keep: Place['keep'] = async (number, projectId, payload) => {
    const tags = { 'octavia:project': projectId };
    const value = typeof payload === 'string' ? { SecretString: payload } : { SecretBinary: payload };
    double.secrets.set(secretArn(number), { ...value, tags });
  };
  return { manager: new SecretsManagerCertificates({ client: double.client }), refOf: secretArn, keep };
}

const byReference = () =>
  new CertificatesByReference([
    { holds: isSecretArn, certificates: new SecretsManagerCertificates({ client: double.client }) },
    { holds: () => true, certificates: new LocalCertificates({ table, sealer }) },
  ]);

const implementations: Record<string, () => Place> = {
  local,
  'Secrets Manager': secretsManager,
  'by reference, to the key manager': () => ({ ...local(), manager: byReference() }),
  'by reference, to Secrets Manager': () => ({ ...secretsManager(), manager: byReference() }),
  cached: () => {
    const source = new SecretsManagerCertificates({ client: double.client });
    return { ...secretsManager(), manager: new CachedCertificates({ source, clock: new TurnableClock() }) };
  },
  'copies, where there are none': () => ({
    ...local(),
    manager: new CertificateCopies({ table, sealer, source: byReference() }),
  }),
};

describe.each(Object.entries(implementations))('certificate manager: %s', (_name, make) => {
  let manager: CertificateManager;
  let ref: Place['refOf'];
  let keep: Place['keep'];
  beforeEach(() => {
    ({ manager, refOf: ref, keep } = make());
  });

  it('reads certificate, key and intermediates of one secret, in any order', async () => {
    await keep(1, 'p', [one.private_key, one.certificate, other.certificate].join('\n'));
    const served = await manager.get(ref(1), 'p');
    expect(served.certificate).toBe(one.certificate.trim());
    expect(served.intermediates).toEqual([other.certificate.trim()]);
  });

  it.each(Object.entries(bundles))('reads a PKCS#12 bundle %s', async (_how, base64) => {
    await keep(1, 'p', Buffer.from(base64, 'base64'));
    const served = await manager.get(ref(1), 'p');
    expect(served.certificate.trim()).toBe(bundled.certificate);
    expect(served.intermediates.map((text) => text.trim())).toEqual([bundled.intermediate]);
  });

  it.each(Object.entries(unreadableBundles))('does not read a PKCS#12 bundle %s', async (_how, base64) => {
    await keep(1, 'p', Buffer.from(base64, 'base64'));
    await expect(manager.get(ref(1), 'p')).rejects.toEqual(unreadable(ref(1)));
  });

  it('reads a certificate that has expired, as Octavia does', async () => {
    await keep(1, 'p', bundled.expired);
    expect((await manager.get(ref(1), 'p')).certificate).toContain('BEGIN CERTIFICATE');
  });

  it('cannot read what is nowhere, of another form, empty or no certificate', async () => {
    await keep(2, 'p', '');
    await keep(3, 'p', 'a text');
    await keep(4, 'p', one.certificate);
    const away = `${ref(7).slice(0, -1)}`;
    for (const reference of ['https://keys.example', 'x', '', ref(7), away, ref(2), ref(3), ref(4)])
      await expect(manager.get(reference, 'p')).rejects.toEqual(unreadable(reference));
  });

  it('does not read what belongs to another project', async () => {
    await keep(1, 'p', one.private_key + one.certificate);
    expect(await manager.get(ref(1), 'p')).toBeDefined();
    await expect(manager.get(ref(1), 'q')).rejects.toEqual(unreadable(ref(1)));
    await expect(manager.getAuthority(ref(1), null, 'q')).rejects.toEqual(unreadable(ref(1)));
  });

  it('does not take a certificate with another key for readable', async () => {
    await keep(1, 'p', one.certificate + other.private_key);
    await expect(manager.get(ref(1), 'p')).rejects.toEqual(unreadable(ref(1)));
  });

  it('reads an authority, with a revocation list it signed', async () => {
    await keep(1, 'p', one.certificate);
    await keep(2, 'p', one.revocation_list);
    expect(await manager.getAuthority(ref(1), null, 'p')).toMatchObject({ revocation_list: null });
    expect(await manager.getAuthority(ref(1), ref(2), 'p')).toEqual({
      certificate: one.certificate,
      revocation_list: one.revocation_list,
    });
  });

  it('names every reference it cannot read', async () => {
    await expect(manager.getAuthority(ref(1), ref(2), 'p')).rejects.toEqual(unreadable(ref(1), ref(2)));
  });

  it('refuses an authority or a revocation list that is none', async () => {
    await keep(1, 'p', 'a text');
    await keep(2, 'p', one.certificate);
    await keep(3, 'p', other.revocation_list);
    const refused = (authority: number, list: number | null) =>
      expect(manager.getAuthority(ref(authority), list === null ? null : ref(list), 'p')).rejects;
    await refused(1, null).toEqual(unusable('It must be a valid x509 PEM format certificate.'));
    await refused(2, 1).toEqual(unusable('It must be a valid x509 PEM format certificate revocation list.'));
    await refused(2, 3).toEqual(unusable('The CRL specified is not valid for client certificate authority'));
  });
});

describe('certificates of the key manager', () => {
  let manager: LocalCertificates;
  beforeEach(() => {
    manager = new LocalCertificates({ table, sealer });
  });

  it('are read from a container by any URL that ends like Barbican’s', async () => {
    await keepCertificate(manager, 1, 'p', one);
    const { certificate, private_key } = one;
    expect(await manager.get(containerRef(1), 'p')).toEqual({ certificate, private_key, intermediates: [] });
    const elsewhere = containerRef(1).replace('https://keys.example/key-manager', 'http://127.0.0.1:9311');
    expect(await manager.get(elsewhere, 'p')).toMatchObject({ certificate });
    const consumers = `${containerRef(1)}/consumers`;
    await expect(manager.get(consumers, 'p')).rejects.toEqual(unreadable(consumers));
    await expect(manager.get(containerRef(1), 'q')).rejects.toEqual(unreadable(containerRef(1)));
  });

  it('have the passphrase taken off their key, and intermediates beside them', async () => {
    await keepCertificate(manager, 1, 'p', one);
    const key = createPrivateKey(one.private_key);
    const locked = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' });
    await keepSecret(manager, 11, 'p', locked.toString());
    await keepSecret(manager, 12, 'p', 'open sesame');
    await keepSecret(manager, 13, 'p', `${other.certificate}\n${one.certificate}`);
    await expect(manager.get(containerRef(1), 'p')).rejects.toEqual(unreadable(containerRef(1)));
    const secrets = {
      certificate: secretRef(10),
      private_key: secretRef(11),
      private_key_passphrase: secretRef(12),
      intermediates: secretRef(13),
    };
    await manager.putContainer(containerRef(1).slice(-36), 'p', secrets);
    const served = await manager.get(containerRef(1), 'p');
    expect(served.private_key).toContain('BEGIN PRIVATE KEY');
    expect(served.intermediates).toEqual([other.certificate.trim(), one.certificate.trim()]);
    await keepSecret(manager, 13, 'p', 'no certificates');
    await expect(manager.get(containerRef(1), 'p')).rejects.toEqual(unreadable(containerRef(1)));
  });

  it('are not read from a container of another type', async () => {
    await keepCertificate(manager, 1, 'p', one);
    const key = { pk: `CONTAINER#${containerRef(1).slice(-36)}`, sk: 'KEY-MANAGER' };
    await table.transact([{ kind: 'update', key, set: { type: 'generic' } }]);
    await expect(manager.get(containerRef(1), 'p')).rejects.toEqual(unreadable(containerRef(1)));
  });

  it('are kept sealed, and opened with no other key and under no other id', async () => {
    const text = randomBytes(24).toString('hex');
    await keepSecret(manager, 1, 'p', text);
    const [key, otherKey] = [1, 2].map((number) => ({
      pk: `SECRET#${secretRef(number).slice(-36)}`,
      sk: 'PAYLOAD',
    }));
    const item = (await table.get(key!))!;
    expect(item).toMatchObject({ project_id: 'p' });
    for (const form of [text, Buffer.from(text).toString('base64')]) expect(JSON.stringify(item)).not.toContain(form);
    const stranger = new LocalCertificates({ table, sealer: aesSealer(Buffer.alloc(32, 2)) });
    await expect(stranger.readSecret(secretRef(1), 'p')).rejects.toThrow();
    await table.transact([{ kind: 'put', item: { ...item, ...otherKey! } }]);
    await expect(manager.readSecret(secretRef(2), 'p')).rejects.toThrow();
    expect(String(await manager.readSecret(secretRef(1), 'p'))).toBe(text);
  });
});

describe('certificates of Secrets Manager', () => {
  const put = (value: object, tags = { 'octavia:project': 'p' } as Record<string, string>) =>
    double.secrets.set(secretArn(1), { SecretString: JSON.stringify(value), tags });
  const get = () => new SecretsManagerCertificates({ client: double.client }).get(secretArn(1), 'p');

  it('are read from JSON, with intermediates in one text or in a list', async () => {
    const { certificate, private_key } = one;
    for (const intermediates of [other.certificate, [other.certificate]]) {
      put({ certificate, private_key, intermediates });
      expect((await get()).intermediates).toEqual([other.certificate.trim()]);
    }
    put({ certificate, private_key });
    expect(await get()).toMatchObject({ certificate, private_key, intermediates: [] });
    put({ certificate });
    await expect(get()).rejects.toEqual(unreadable(secretArn(1)));
  });

  it('are nobody’s without the tag, and then not even read', async () => {
    put(one, {});
    await expect(get()).rejects.toEqual(unreadable(secretArn(1)));
    expect(double.asked).toEqual(['DescribeSecret']);
  });

  it('cannot be told from missing ones without permission', async () => {
    put(one);
    double.fault = { type: 'AccessDeniedException', status: 400 };
    await expect(get()).rejects.toEqual(unreadable(secretArn(1)));
  });

  it.each(['ThrottlingException', 'InternalServiceError'])('are not called unreadable after %s', async (type) => {
    put(one);
    double.fault = { type, status: type === 'InternalServiceError' ? 500 : 400 };
    const away = expect.objectContaining({ name: 'DriverError', isTransient: true });
    await expect(get()).rejects.toEqual(away);
    const authority = new SecretsManagerCertificates({ client: double.client }).getAuthority(secretArn(1), null, 'p');
    await expect(authority).rejects.toEqual(away);
  });

  it('go with a revocation list of the key manager', async () => {
    double.secrets.set(secretArn(1), { SecretString: one.certificate, tags: { 'octavia:project': 'p' } });
    await keepSecret(new LocalCertificates({ table, sealer }), 2, 'p', one.revocation_list);
    const { revocation_list } = await byReference().getAuthority(secretArn(1), secretRef(2), 'p');
    expect(revocation_list).toBe(one.revocation_list);
  });
});
