// Where archives of logs go: Swift, behind the services proxy, in Octavia's old design. The control plane puts nothing itself; it
// makes rights to put one object, which it hands to an amphora.
import type { ArchiveRight } from '../../../amphora/agent-api.ts';

export interface ObjectWish {
  /** Letters, digits and `._-` between slashes. */
  key: string;
  bytes: number;
  /** Lowercase hex. */
  sha256: string;
}

export interface ObjectStore {
  /** The right to put an object of this key, size and content, and no other, for a short while. Putting it twice puts it once. */
  rightToPut(wish: ObjectWish): Promise<ArchiveRight>;
}

/** Rights to put something where nobody keeps it: for a control plane with nothing behind it. */
export class NoopObjectStore implements ObjectStore {
  readonly granted: ObjectWish[] = [];
  async rightToPut(wish: ObjectWish): Promise<ArchiveRight> {
    this.granted.push(wish);
    return { url: `https://objects.invalid/${wish.key}`, headers: {}, expires_at: 0 };
  }
}
