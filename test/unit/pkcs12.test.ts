// PKCS#12 bundles as users' tools write them.
import { createCipheriv, createPrivateKey, pbkdf2Sync, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Der, readDer } from '../../lambdas/drivers/certificates/der.ts';
import { isPkcs12, readPkcs12 } from '../../lambdas/drivers/certificates/pkcs12.ts';
import { bundles, certificate, intermediate, privateKey, unreadableBundles } from '../support/pkcs12-bundles.ts';

const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64');
const print = (pem: string): string => new X509Certificate(pem).fingerprint256;
const keyOf = (pem: string): string => createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem' }).toString();

/** The same value as BER writes it that does not know the length beforehand. */
function withoutLengths(value: Der): Buffer {
  if ((value.tag & 0x20) === 0) return value.bytes;
  return Buffer.concat([Buffer.of(value.tag, 0x80), ...value.children.map(withoutLengths), Buffer.alloc(2)]);
}

/** @param parts hexadecimal, or values */
function value(tag: number, ...parts: (string | Buffer)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)));
  return Buffer.concat([Buffer.of(tag, 0x82, content.length >> 8, content.length & 0xff), content]);
}
const [data, encryptedData, shroudedKey] = ['2a864886f70d010701', '2a864886f70d010706', '2a864886f70d010c0a0102'].map(
  (id) => value(0x06, id!),
) as [Buffer, Buffer, Buffer];
/** PBES2 with as many rounds as are taken at all, and what that makes of two zero bytes. */
const costly = value(
  0x30,
  value(0x06, '2a864886f70d01050d'),
  value(
    0x30,
    value(0x30, value(0x06, '2a864886f70d01050c'), value(0x30, value(0x04, '00'), value(0x02, '0186a0'))),
    value(0x30, value(0x06, '60864801650304012a'), value(0x04, Buffer.alloc(16))),
  ),
);
const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync('', Buffer.alloc(1), 100_000, 32, 'sha1'), Buffer.alloc(16));
const ciphered = Buffer.concat([cipher.update(Buffer.from('3000', 'hex')), cipher.final()]);
const bundleOf = (...parts: Buffer[]): Buffer =>
  value(0x30, value(0x02, '03'), value(0x30, data, value(0xa0, value(0x04, value(0x30, ...parts)))));
const keyBag = value(0x30, shroudedKey, value(0xa0, value(0x30, costly, value(0x04, ciphered))));
const keysPart = (count: number) =>
  value(0x30, data, value(0xa0, value(0x04, value(0x30, ...Array<Buffer>(count).fill(keyBag)))));
const encryptedPart = value(
  0x30,
  encryptedData,
  value(0xa0, value(0x30, value(0x02, '00'), value(0x30, data, costly, value(0x80, ciphered)))),
);

const expectWhole = (bundle: Buffer): void => {
  expect(isPkcs12(bundle)).toBe(true);
  const served = readPkcs12(bundle);
  expect(print(served.certificate)).toBe(print(certificate));
  expect(served.intermediates.map(print)).toEqual([print(intermediate)]);
  expect(served.private_key).toBe(keyOf(privateKey));
};

describe('a PKCS#12 bundle', () => {
  it.each(Object.entries(bundles))('%s is read', (_how, base64) => expectWhole(bytesOf(base64)));

  it.each(Object.entries(bundles))('%s is read without lengths, as older tools write it', (_how, base64) => {
    expectWhole(withoutLengths(readDer(bytesOf(base64))));
  });

  it.each(Object.entries(unreadableBundles))('%s is refused', (_how, base64) => {
    const bundle = bytesOf(base64);
    expect(isPkcs12(bundle)).toBe(true);
    expect(() => readPkcs12(bundle)).toThrow();
  });

  it('that was changed or cut off anywhere is read as it was, or refused', () => {
    const [first] = Object.values(bundles);
    const whole = bytesOf(first!);
    for (let at = 0; at < whole.length; at += 29) {
      const changed = Buffer.from(whole);
      changed[at] = changed[at]! ^ 0x41;
      for (const bundle of [changed, whole.subarray(0, at)]) {
        try {
          expect(keyOf(readPkcs12(bundle).private_key)).toBe(keyOf(privateKey));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect((error as Error).name).not.toBe('AssertionError');
        }
      }
    }
  });

  it('is told from PEM, texts and other ASN.1', () => {
    const der = new X509Certificate(certificate).raw;
    for (const one of [Buffer.from(certificate), Buffer.alloc(0), Buffer.from('0'), Buffer.from('hello'), der])
      expect(isPkcs12(one)).toBe(false);
  });

  it('does not fill the stack with levels', () => {
    let nested = Buffer.from([0x02, 0x01, 0x03]);
    for (let level = 0; level < 60; level++) nested = Buffer.concat([Buffer.of(0x30, nested.length), nested]);
    expect(() => readDer(nested)).toThrow('nested too deeply');
  });

  it.each([
    ['keys', bundleOf(keysPart(60))],
    ['encrypted parts', bundleOf(...Array<Buffer>(60).fill(encryptedPart))],
  ])('does not keep a machine busy with its %s, each of which takes long to decipher', (_what, bundle) => {
    const before = process.cpuUsage();
    expect(() => readPkcs12(bundle)).toThrow();
    const { user } = process.cpuUsage(before);
    expect(user / 1_000).toBeLessThan(600);
  });
});
