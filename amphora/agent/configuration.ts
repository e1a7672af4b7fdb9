// What the agent remembers on disk: the last good configuration, and whether this amphora holds the VIP. The working
// directory is the agent's directory, so every path here is short and relative.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { CertificateFiles, stagingDirectory } from './certificate-files.ts';
import { sections } from './config-diff.ts';
import { writeDurably } from './durable.ts';
import { documentsIn } from './lvs/documents.ts';
import { readManifest } from './manifest.ts';
import { withoutListeners } from './standby.ts';

export interface Configuration {
  load_balancer_id: string;
  generation: number;
  digest: string;
  /** As pushed, with its placeholders. */
  text: string;
}

export interface Vip {
  load_balancer_id: string;
  ip_address: string;
  /** Of the last that was heard of it. */
  epoch: number;
  /** It went to another amphora, and this one ends what it has begun. */
  has_left?: boolean;
  /** Milliseconds since the epoch. */
  left_at?: number;
}

const vipFile = 'vip.json';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** HAProxy runs in the load balancer's directory. A socket's path may have 107 bytes; this one is short wherever that is. */
const directoryAsHaproxySeesIt = '/proc/self/cwd';

/** HAProxy's part of the text as HAProxy reads it, line for line the one pushed: placeholders filled in, `maxconn` kept under the ceiling. */
export function materialise(text: string, maxConnections: number | null): string {
  const placed = documentsIn(text).haproxy.replaceAll('{{DIRECTORY}}', directoryAsHaproxySeesIt);
  if (maxConnections === null) return placed;
  // `haproxy -n` would overrule a lower value of the configuration too, and could not change at a reload.
  const lines = placed.split('\n');
  const global = lines.findIndex((line) => /^\s*global\b/.test(line));
  const end = lines.findIndex((line, index) => index > global && sections.has(line.trim().split(/\s/)[0]!));
  const at = lines.findIndex((line, index) => index > global && /^\s*maxconn\s/.test(line));
  if (global === -1 || at === -1 || (end !== -1 && at > end)) return placed;
  lines[at] = lines[at]!.replace(/\d+/, (value) => String(Math.min(Number(value), maxConnections)));
  return lines.join('\n');
}

export class ConfigurationStore {
  readonly #maxConnections: number | null;
  current: Configuration | null;
  vip: Vip | null;

  constructor(maxConnections: number | null) {
    this.#maxConnections = maxConnections;
    this.vip = readJson<Vip>(vipFile);
    const directories = readdirSync('.').filter((name) => uuid.test(name));
    this.current =
      directories.map((name) => readJson<Configuration>(`${name}/configuration.json`)).find(Boolean) ?? null;
  }

  /** True when traffic is this amphora's: the VIP of the configuration's load balancer is here. */
  holdsVip(loadBalancerId: string): boolean {
    return this.vip?.load_balancer_id === loadBalancerId && this.vip.has_left !== true;
  }

  /** True when it was, and this amphora still ends what it has begun. */
  hasLeft(loadBalancerId: string): boolean {
    return this.vip?.load_balancer_id === loadBalancerId && this.vip.has_left === true;
  }

  /** Writes text and files beside those in force, for `haproxy -c`. */
  stage(candidate: Configuration): void {
    mkdirSync(candidate.load_balancer_id, { recursive: true, mode: 0o700 });
    filesOf(candidate).stage(readManifest(candidate.text));
    writeFileSync(stagedFile(candidate), materialise(candidate.text, this.#maxConnections), { mode: 0o600 });
  }

  unstage(candidate: Configuration): void {
    rmSync(stagingDirectory(candidate.load_balancer_id), { recursive: true, force: true });
    rmSync(stagedFile(candidate), { force: true });
    if (this.current === null) rmSync(candidate.load_balancer_id, { recursive: true, force: true });
  }

  /** The text as it is in force here: without the VIP nobody is listened to. */
  inForce({ load_balancer_id, text }: Configuration): string {
    return this.holdsVip(load_balancer_id) ? text : withoutListeners(text);
  }

  /** From here on HAProxy would start with the text, which was staged whole so that all of it was looked at. */
  install(candidate: Configuration): void {
    // A kill between the two is seen as an interruption.
    filesOf(candidate).install(readManifest(candidate.text));
    writeFileSync(stagedFile(candidate), this.#materialised(candidate), { mode: 0o600 });
    renameSync(stagedFile(candidate), configurationFile(candidate));
  }

  /** Makes an installed candidate the last good one. The order lets a start after a crash see that it came between. */
  commit(candidate: Configuration): void {
    writeDurably(`${candidate.load_balancer_id}/configuration.json`, JSON.stringify(candidate));
    this.current = candidate;
    filesOf(candidate).prune(readManifest(candidate.text));
  }

  /** Puts the last good text back where HAProxy reads it. */
  restore(): void {
    if (this.current === null) return;
    this.stage(this.current);
    this.install(this.current);
  }

  /** True when the agent was killed while it applied: the file, or the process, may be ahead of the last good one. */
  wasInterrupted(): boolean {
    if (this.current === null) return false;
    if (existsSync(stagedFile(this.current)) || !existsSync(configurationFile(this.current))) return true;
    if (!filesOf(this.current).isInstalled(readManifest(this.current.text))) return true;
    const installed = readFileSync(configurationFile(this.current), 'utf8');
    return installed !== this.#materialised(this.current);
  }

  #materialised(candidate: Configuration): string {
    return materialise(this.inForce(candidate), this.#maxConnections);
  }

  setVip(vip: Vip): void {
    writeDurably(vipFile, JSON.stringify(vip));
    this.vip = vip;
  }

  forget(loadBalancerId: string): void {
    if (this.vip?.load_balancer_id === loadBalancerId) {
      rmSync(vipFile, { force: true });
      this.vip = null;
    }
    rmSync(loadBalancerId, { recursive: true, force: true });
    if (this.current?.load_balancer_id === loadBalancerId) this.current = null;
  }
}

const configurationFile = (of: Configuration) => `${of.load_balancer_id}/haproxy.cfg`;
const stagedFile = (of: Configuration) => `${of.load_balancer_id}/haproxy.cfg.new`;
export const filesOf = (of: Configuration) => new CertificateFiles(of.load_balancer_id);

function readJson<T>(file: string): T | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : null;
}
