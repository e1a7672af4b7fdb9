// Archives of logs in a directory, for one machine: rights are the same URLs as S3's, checked here.
import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ArchiveRight } from '../../../amphora/agent-api.ts';
import type { ObjectStore, ObjectWish } from './object-store.ts';
import { type Credentials, refusalOf } from './presigned-url.ts';
import { isKey, rightTo } from './signed-rights.ts';

export interface DirectoryObjectStoreOptions {
  directory: string;
  /** Where `put` is reached, such as `http://127.0.0.1:9876/objects`; a function, since the port is known late. */
  endpoint: () => string;
  /** What rights are signed with. */
  secret: string;
  clock: { now(): number };
  rightMs: number;
}

export interface PutAnswer {
  status: 200 | 400 | 403;
  message: string;
}

const region = 'local';

export class DirectoryObjectStore implements ObjectStore {
  readonly #options: DirectoryObjectStoreOptions;
  readonly #credentials: Credentials;
  #puts = 0;

  constructor(options: DirectoryObjectStoreOptions) {
    this.#options = options;
    this.#credentials = { accessKeyId: 'amphora', secretAccessKey: options.secret };
  }

  async rightToPut(wish: ObjectWish): Promise<ArchiveRight> {
    const { endpoint, clock, rightMs: lifetimeMs } = this.#options;
    return rightTo(wish, {
      base: `${endpoint()}/`,
      credentials: this.#credentials,
      region,
      now: clock.now(),
      lifetimeMs,
    });
  }

  /** A request to the endpoint, as it came: only what a right allows is done, and nothing is read before that is known. */
  async put(request: IncomingMessage): Promise<PutAnswer> {
    const { method = '', url = '', headers } = request;
    const refusal = refusalOf({ method, target: url, headers }, this.#credentials, this.#options.clock.now());
    if (refusal !== undefined) return { status: 403, message: refusal };
    const key = url.split('?')[0]!.slice(new URL(this.#options.endpoint()).pathname.length + 1);
    if (method !== 'PUT' || !isKey(key)) return { status: 403, message: 'AccessDenied' };
    return this.#keep(request, join(this.#options.directory, key));
  }

  /** Whole or not at all: half an object is never seen under its name. */
  async #keep(request: IncomingMessage, file: string): Promise<PutAnswer> {
    const half = `${file}.${++this.#puts}.new`;
    const hash = createHash('sha256');
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    try {
      // Node gives no more of a body than its content-length says, which is signed.
      await pipeline(request, hashedBy(hash), createWriteStream(half, { mode: 0o600 }));
      if (hash.digest('base64') !== request.headers['x-amz-checksum-sha256'])
        return { status: 400, message: 'BadDigest' };
      await rename(half, file);
      return { status: 200, message: 'OK' };
    } finally {
      await rm(half, { force: true });
    }
  }
}

const hashedBy = (hash: Hash) =>
  async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
