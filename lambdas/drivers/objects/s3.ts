// Archives of logs in S3. No client: the URL is all there is to make, and whoever has it puts the object.
import type { ArchiveRight } from '../../../amphora/agent-api.ts';
import type { ObjectStore, ObjectWish } from './object-store.ts';
import type { Credentials } from './presigned-url.ts';
import { rightTo } from './signed-rights.ts';

export interface S3ObjectStoreOptions {
  bucket: string;
  region: string;
  /** Of the function's role: what is signed is no more than it may do itself. */
  credentials: () => Promise<Credentials>;
  clock: { now(): number };
  rightMs: number;
  /** Other than AWS's own. */
  endpoint?: string;
}

export class S3ObjectStore implements ObjectStore {
  readonly #options: S3ObjectStoreOptions;

  constructor(options: S3ObjectStoreOptions) {
    this.#options = options;
  }

  async rightToPut(wish: ObjectWish): Promise<ArchiveRight> {
    const { bucket, region, credentials, clock, rightMs: lifetimeMs, endpoint } = this.#options;
    const base = endpoint === undefined ? `https://${bucket}.s3.${region}.amazonaws.com/` : `${endpoint}/${bucket}/`;
    return rightTo(wish, { base, credentials: await credentials(), region, now: clock.now(), lifetimeMs });
  }
}
