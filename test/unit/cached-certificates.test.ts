// Certificates that are remembered for a minute, and no longer.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CachedCertificates } from '../../lambdas/drivers/certificates/cached-certificates.ts';
import { SecretsManagerCertificates } from '../../lambdas/drivers/certificates/secrets-manager.ts';
import { certificate, privateKey } from '../support/pkcs12-bundles.ts';
import { SecretsManagerDouble, secretArn } from '../support/secrets-manager-double.ts';
import { TurnableClock } from '../support/services.ts';

let double: SecretsManagerDouble;
beforeAll(async () => {
  double = await SecretsManagerDouble.start();
});
afterAll(() => double[Symbol.asyncDispose]());
beforeEach(() => {
  double.secrets.clear();
  double.asked.length = 0;
});

const unreadable = (...references: string[]) => expect.objectContaining({ name: 'CertificateUnreadable', references });

describe('cached certificates', () => {
  const clock = new TurnableClock();
  const cached = (maxKept?: number) =>
    new CachedCertificates({
      source: new SecretsManagerCertificates({ client: double.client }),
      clock,
      ...(maxKept === undefined ? {} : { maxKept }),
    });
  const keep = (number: number) =>
    double.secrets.set(secretArn(number), {
      SecretString: `${certificate}\n${privateKey}`,
      tags: { 'octavia:project': 'p' },
    });
  const reads = () => double.asked.filter((action) => action === 'GetSecretValue').length;

  it('are asked for once a minute, however many want them', async () => {
    keep(1);
    const manager = cached();
    await Promise.all(Array.from({ length: 20 }, () => manager.get(secretArn(1), 'p')));
    clock.turn(59_000);
    await manager.get(secretArn(1), 'p');
    expect(reads()).toBe(1);
    clock.turn(1_000);
    await manager.get(secretArn(1), 'p');
    expect(reads()).toBe(2);
  });

  it('are nobody else’s', async () => {
    keep(1);
    const manager = cached();
    await manager.get(secretArn(1), 'p');
    await expect(manager.get(secretArn(1), 'q')).rejects.toEqual(unreadable(secretArn(1)));
  });

  it('are asked for again at once when they could not be read', async () => {
    const manager = cached();
    await expect(manager.get(secretArn(1), 'p')).rejects.toEqual(unreadable(secretArn(1)));
    keep(1);
    expect(await manager.get(secretArn(1), 'p')).toBeDefined();
  });

  it('are no more than so many, the oldest being forgotten', async () => {
    const manager = cached(2);
    for (const number of [1, 2, 3]) {
      keep(number);
      await manager.get(secretArn(number), 'p');
    }
    await manager.get(secretArn(3), 'p');
    expect(reads()).toBe(3);
    await manager.get(secretArn(1), 'p');
    expect(reads()).toBe(4);
  });
});
