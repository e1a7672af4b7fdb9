// The right to put one object, as a presigned URL: size and hash of the content are among the headers that are signed, so that
// the store refuses any other content.
import type { ArchiveRight } from '../../../amphora/agent-api.ts';
import type { ObjectWish } from './object-store.ts';
import { type Credentials, presignedUrl } from './presigned-url.ts';

export interface RightOptions {
  /** Of the bucket, ends in a slash. */
  base: string;
  credentials: Credentials;
  region: string;
  now: number;
  lifetimeMs: number;
}

export function rightTo(wish: ObjectWish, { base, credentials, region, now, lifetimeMs }: RightOptions): ArchiveRight {
  if (!isKey(wish.key)) throw new TypeError(`${JSON.stringify(wish.key)} is no key of an object`);
  const headers = {
    'content-length': String(wish.bytes),
    'content-type': 'application/gzip',
    'x-amz-checksum-sha256': Buffer.from(wish.sha256, 'hex').toString('base64'),
  };
  const lifetimeSeconds = Math.ceil(lifetimeMs / 1_000);
  const url = presignedUrl({
    method: 'PUT',
    url: new URL(base + wish.key),
    headers,
    credentials,
    region,
    now,
    lifetimeSeconds,
  });
  return { url: url.href, headers, expires_at: now + lifetimeSeconds * 1_000 };
}

/** Nothing that needs an escape, and nothing that leads up. */
export const isKey = (key: string): boolean => /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(key);
