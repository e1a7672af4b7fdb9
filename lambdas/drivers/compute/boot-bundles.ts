// What an EC2 amphora fetches once at its first boot: keys that must not lie in its user data. One object per amphora, reached by a
// presigned URL; put only if absent, so that whoever builds an amphora a second time finds what its machine was born with.
import { createHash } from 'node:crypto';
import type { BootBundle } from '../../../amphora/boot-document.ts';
import { DriverError } from '../../domain/errors.ts';
import { type Credentials, presignedUrl } from '../objects/presigned-url.ts';

export interface StoredBundle {
  /** GET of it, for a short while. */
  url: string;
  /** Lowercase hex. */
  sha256: string;
}

export interface BootBundles {
  /** @returns what was put first for this amphora */
  put(bundle: BootBundle): Promise<StoredBundle>;
  /** No error when it is gone. */
  remove(amphoraId: string): Promise<void>;
  /** GET of the kit by which a stock machine becomes an amphora, for a short while. @param sha256 of it, lowercase hex: its name */
  kitUrl(sha256: string): Promise<string>;
}

/** Where machines get what they are born with by another way. */
export class NoopBootBundles implements BootBundles {
  async put(): Promise<StoredBundle> {
    return { url: '', sha256: '' };
  }
  async remove(): Promise<void> {}
  async kitUrl(): Promise<string> {
    return '';
  }
}

export interface S3BootBundlesOptions {
  /** Encrypted by default, and emptied by a rule of its own after a day. */
  bucket: string;
  region: string;
  /** Of the function's role: a URL allows no more than that. */
  credentials: () => Promise<Credentials>;
  clock: { now(): number };
  /** Of the URL that the amphora gets. */
  rightMs: number;
  /** Other than AWS's own. */
  endpoint?: string;
}

const keyOf = (amphoraId: string): string => `boot/${amphoraId}.json`;
const requestTimeoutMs = 10_000;
const ownRightMs = 60_000;

export class S3BootBundles implements BootBundles {
  readonly #options: S3BootBundlesOptions;

  constructor(options: S3BootBundlesOptions) {
    this.#options = options;
  }

  async put(bundle: BootBundle): Promise<StoredBundle> {
    const body = JSON.stringify(bundle);
    // 412: there is one; 409: it is being put at this moment.
    const { status } = await this.#request('PUT', bundle.amphora_id, [200, 409, 412], body);
    const bytes = status === 200 ? Buffer.from(body) : await this.#read(bundle.amphora_id);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { url: (await this.#right('GET', keyOf(bundle.amphora_id), this.#options.rightMs)).href, sha256 };
  }

  async remove(amphoraId: string): Promise<void> {
    await this.#request('DELETE', amphoraId, [200, 204, 404]);
  }

  async kitUrl(sha256: string): Promise<string> {
    return (await this.#right('GET', `kit/${sha256}.tar.gz`, this.#options.rightMs)).href;
  }

  async #read(amphoraId: string): Promise<Buffer> {
    const response = await this.#request('GET', amphoraId, [200]);
    return Buffer.from(await response.arrayBuffer());
  }

  async #request(method: string, amphoraId: string, expected: number[], body?: string): Promise<Response> {
    const headers: Record<string, string> = body === undefined ? {} : { 'if-none-match': '*' };
    const url = await this.#right(method, keyOf(amphoraId), ownRightMs, headers);
    const doing = `${method} of the boot bundle of amphora ${amphoraId}`;
    const signal = AbortSignal.timeout(requestTimeoutMs);
    const response = await fetch(url, { method, headers, signal, ...(body !== undefined && { body }) }).catch(
      (cause) => {
        throw new DriverError(`${doing}: S3 does not answer`, { cause, isTransient: true });
      },
    );
    if (expected.includes(response.status)) return response;
    throw new DriverError(`${doing}: S3 answers ${response.status}`, { isTransient: response.status >= 500 });
  }

  async #right(method: string, key: string, lifetimeMs: number, headers = {}): Promise<URL> {
    const { bucket, region, credentials, clock, endpoint } = this.#options;
    const base = endpoint === undefined ? `https://${bucket}.s3.${region}.amazonaws.com/` : `${endpoint}/${bucket}/`;
    const url = new URL(`${base}${key}`);
    const lifetimeSeconds = Math.ceil(lifetimeMs / 1_000);
    return presignedUrl({
      method,
      url,
      headers,
      credentials: await credentials(),
      region,
      now: clock.now(),
      lifetimeSeconds,
    });
  }
}
