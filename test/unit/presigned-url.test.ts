import { describe, expect, test } from 'vitest';
import { presignedUrl, refusalOf } from '../../lambdas/drivers/objects/presigned-url.ts';
import { rightTo } from '../../lambdas/drivers/objects/signed-rights.ts';

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const now = Date.parse('2013-05-24T00:00:00Z');

describe('a presigned URL', () => {
  test('is signed as in the example of the documentation of S3', () => {
    const url = new URL('https://examplebucket.s3.amazonaws.com/test.txt');
    const signed = presignedUrl({
      method: 'GET',
      url,
      headers: {},
      credentials,
      region: 'us-east-1',
      now,
      lifetimeSeconds: 86_400,
    });
    expect(signed.searchParams.get('X-Amz-Signature')).toBe(
      'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    );
  });

  test('with a token of a role and headers is signed as by the signer of the SDK', () => {
    const signed = presignedUrl({
      method: 'PUT',
      url: new URL('https://b.s3.eu-central-1.amazonaws.com/tenant/p/lb/2026/03/01/x.log.gz'),
      headers: {
        'content-length': '123',
        'content-type': 'application/gzip',
        'x-amz-checksum-sha256': 'q83v/+8=',
      },
      credentials: { accessKeyId: 'AKIA', secretAccessKey: 'sec/ret+', sessionToken: 'tok/en+=' },
      region: 'eu-central-1',
      now: Date.parse('2026-03-01T12:00:00Z'),
      lifetimeSeconds: 300,
    });
    expect(signed.searchParams.get('X-Amz-Signature')).toBe(
      '4c88035ab9825f53e29885369d810b3387a87252d16aea0f1aef991ba283e888',
    );
  });

  const headers = { 'content-length': '3', 'x-amz-checksum-sha256': 'abc=' };
  const url = presignedUrl({
    method: 'PUT',
    url: new URL('http://127.0.0.1:1/objects/a/b.gz'),
    headers,
    credentials: { ...credentials, sessionToken: 'a/b+c=' },
    region: 'local',
    now,
    lifetimeSeconds: 60,
  });
  const target = url.pathname + url.search;
  const sent = { ...headers, host: '127.0.0.1:1' };
  const refusal = (given: Partial<Parameters<typeof refusalOf>[0]> = {}, at = now) =>
    refusalOf({ method: 'PUT', target, headers: sent, ...given }, credentials, at);

  test('is good for what was signed, as long as it was signed for', () => {
    expect(refusal()).toBeUndefined();
    expect(refusal({}, now + 59_999)).toBeUndefined();
    expect(refusal({}, now + 60_000)).toContain('expired');
  });

  test.each([
    ['another object', { target: target.replace('b.gz', 'c.gz') }],
    ['another method', { method: 'DELETE' }],
    ['another size', { headers: { ...sent, 'content-length': '4' } }],
    ['other content', { headers: { ...sent, 'x-amz-checksum-sha256': 'xyz=' } }],
    ['no word of the content', { headers: { host: sent.host, 'content-length': '3' } }],
    ['a longer life', { target: target.replace('Expires=60', 'Expires=600') }],
    ['fewer signed headers', { target: target.replace('x-amz-checksum-sha256', '') }],
    ['another store', { headers: { ...sent, host: 'elsewhere' } }],
    ['nobody’s signature', { target: url.pathname }],
  ])('is refused for %s', (_what, given) => {
    expect(refusal(given)).toBe('SignatureDoesNotMatch');
  });
});

test.each(['../etc/passwd', '/a', 'a//b', 'a/../b', 'a b', 'a/.hidden', ''])('%j is no key of an object', (key) => {
  const options = { base: 'http://127.0.0.1/', credentials, region: 'local', now, lifetimeMs: 1 };
  expect(() => rightTo({ key, bytes: 1, sha256: '' }, options)).toThrow('is no key');
});
