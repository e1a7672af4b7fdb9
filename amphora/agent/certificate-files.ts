// Certificates and the like on disk, as Octavia's agent keeps them by digest. HAProxy reads them by slot, through one link to a
// directory that never changes: so `haproxy -c` sees a candidate's files while a process that dies is started with its own.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { writeDurably } from './durable.ts';
import type { Manifest } from './manifest.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const contentsDirectory = (loadBalancerId: string) => `${loadBalancerId}/certificates`;
const contentsFile = (loadBalancerId: string, digest: string) => `${contentsDirectory(loadBalancerId)}/${digest}.pem`;
const slotsName = (manifest: Manifest) => `slots-${sha256(JSON.stringify([...manifest].sort())).slice(0, 32)}`;

/** Where `haproxy -c` runs: what the candidate calls `slots` lies here under that name. */
export const stagingDirectory = (loadBalancerId: string): string => `${loadBalancerId}/staged`;

export class CertificateFiles {
  readonly #loadBalancerId: string;

  constructor(loadBalancerId: string) {
    this.#loadBalancerId = loadBalancerId;
  }

  has(digest: string): boolean {
    return existsSync(contentsFile(this.#loadBalancerId, digest));
  }

  put(digest: string, contents: string): void {
    mkdirSync(contentsDirectory(this.#loadBalancerId), { recursive: true, mode: 0o700 });
    writeDurably(contentsFile(this.#loadBalancerId, digest), contents);
  }

  read(digest: string): string {
    return readFileSync(contentsFile(this.#loadBalancerId, digest), 'utf8');
  }

  remove(digest: string): void {
    rmSync(contentsFile(this.#loadBalancerId, digest), { force: true });
  }

  missing(manifest: Manifest): string[] {
    return [...new Set(manifest.values())].filter((digest) => !this.has(digest));
  }

  /** Lays the slots out beside those in force. */
  stage(manifest: Manifest): void {
    const name = slotsName(manifest);
    const directory = `${this.#loadBalancerId}/${name}`;
    if (this.#installed() !== name) {
      // What a killed agent left may be half of it.
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      for (const [slot, digest] of manifest) symlinkSync(`../certificates/${digest}.pem`, `${directory}/${slot}`);
    }
    mkdirSync(stagingDirectory(this.#loadBalancerId), { recursive: true, mode: 0o700 });
    link(`../${name}`, `${stagingDirectory(this.#loadBalancerId)}/slots`);
  }

  /** From here on HAProxy would start with these. */
  install(manifest: Manifest): void {
    if (!this.isInstalled(manifest)) link(slotsName(manifest), `${this.#loadBalancerId}/slots`);
  }

  isInstalled(manifest: Manifest): boolean {
    const installed = this.#installed();
    return installed === slotsName(manifest) || (installed === null && manifest.size === 0);
  }

  /** Only what the manifest names is left. */
  prune(manifest: Manifest): void {
    const root = this.#loadBalancerId;
    rmSync(stagingDirectory(root), { recursive: true, force: true });
    const isLeft = (name: string) => name.startsWith('slots-') && name !== slotsName(manifest);
    for (const name of readdirSync(root).filter(isLeft)) rmSync(`${root}/${name}`, { recursive: true, force: true });
    if (!existsSync(contentsDirectory(root))) return;
    const kept = new Set([...manifest.values()].map((digest) => `${digest}.pem`));
    for (const name of readdirSync(contentsDirectory(root)).filter((one) => !kept.has(one))) {
      rmSync(`${contentsDirectory(root)}/${name}`, { force: true });
    }
  }

  #installed(): string | null {
    try {
      return readlinkSync(`${this.#loadBalancerId}/slots`);
    } catch {
      return null;
    }
  }
}

/** In one step, whatever is there. */
function link(target: string, place: string): void {
  rmSync(`${place}.new`, { force: true });
  symlinkSync(target, `${place}.new`);
  renameSync(`${place}.new`, place);
}
