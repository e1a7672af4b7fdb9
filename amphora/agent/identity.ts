// By what the agent and the control plane know each other: server certificate, trusted authorities, key of heartbeats. The agent is
// born with them beside its settings; what it is given later lies in its own directory and comes first.
import type { X509Certificate } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { AgentSettings, HeartbeatKey, TrustedAuthorities } from '../agent-api.ts';
import { writeDurably } from './durable.ts';
import { log, textOf } from './log.ts';
import { Outdated } from './refused-verbs.ts';
import {
  certificatesIn,
  checkServerCertificate,
  IdentityRefused,
  isIssuedBy,
  readServerCertificate,
  type ServerCertificate,
} from './server-certificate.ts';

const certificateFile = 'identity/server.pem';
/** What was in use before, until somebody was shown the new one and believed it. */
const formerFile = 'identity/server.pem.old';
const authoritiesFile = 'identity/authorities.json';
const heartbeatKeyFile = 'identity/heartbeat-key.json';

export class Identity {
  readonly #amphoraId: string;
  #certificate: ServerCertificate;
  #authorities: TrustedAuthorities;
  #heartbeatKey: HeartbeatKey;
  #isProven = !existsSync(formerFile);
  readonly #listeners: (() => void)[] = [];

  /** To be made in the agent's directory. */
  constructor(settings: AgentSettings) {
    mkdirSync('identity', { recursive: true, mode: 0o700 });
    this.#amphoraId = settings.amphora_id;
    const born = () =>
      `${readFileSync(settings.server_certificate_file, 'utf8')}\n${readFileSync(settings.server_private_key_file, 'utf8')}`;
    this.#certificate =
      this.#read(certificateFile) ?? this.#read(formerFile) ?? readServerCertificate(born(), settings.amphora_id);
    this.#authorities = readJson<TrustedAuthorities>(authoritiesFile) ?? {
      version: 0,
      certificates: readFileSync(settings.ca_certificate_file, 'utf8'),
    };
    this.#heartbeatKey = readJson<HeartbeatKey>(heartbeatKeyFile) ?? {
      version: 0,
      heartbeat_key: settings.heartbeat_key,
    };
  }

  get heartbeatKey(): string {
    return this.#heartbeatKey.heartbeat_key;
  }

  /** Certificate and key in PEM, and of all authorities that are trusted. */
  get pem(): { own: string; authorities: string } {
    const { certificates, private_key } = this.#certificate;
    return { own: `${certificates}\n${private_key}\n`, authorities: this.#authorities.certificates };
  }

  get tls(): SecureContextOptions {
    const { certificates: cert, private_key: key } = this.#certificate;
    return { cert, key, ca: certificatesIn(this.#authorities.certificates), minVersion: 'TLSv1.2' };
  }

  /** Connections that are made from then on are to use `tls`; those there are go on. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** @param pem certificate and key @throws IdentityRefused, Outdated for one older than what it has */
  takeCertificate(pem: string): void {
    const given = readServerCertificate(pem, this.#amphoraId);
    checkServerCertificate(given, certificatesIn(this.#authorities.certificates), Date.now());
    const { leaf } = this.#certificate;
    if (leaf.fingerprint256 === given.leaf.fingerprint256) return;
    if (Date.parse(given.leaf.validFrom) < Date.parse(leaf.validFrom)) throw new Outdated('stale');
    // One that nobody has seen yet is not what to go back to.
    if (this.#isProven && existsSync(certificateFile)) linkSync(certificateFile, formerFile);
    writeDurably(certificateFile, `${given.certificates}\n${given.private_key}\n`);
    this.#certificate = given;
    this.#isProven = !existsSync(formerFile);
    for (const changed of this.#listeners) changed();
    log('has a new certificate', { expires_at: given.leaf.validTo });
  }

  /** @param peer who sends it, and must be trusted afterwards too @throws IdentityRefused, Outdated */
  takeAuthorities(given: TrustedAuthorities, peer: X509Certificate): void {
    const certificates = certificatesIn(String(given.certificates));
    if (given.version < this.#authorities.version) throw new Outdated('stale');
    if (!Number.isSafeInteger(given.version) || certificates.length === 0)
      throw new IdentityRefused('version and certificates are needed');
    if (!isTrusting(certificates, peer)) throw new IdentityRefused('whoever sent them would not be trusted any more');
    if (!isTrusting(certificates, this.#certificate.leaf))
      throw new IdentityRefused('the authority of the certificate in use is missing');
    const taken = { version: given.version, certificates: `${certificates.join('\n')}\n` };
    writeDurably(authoritiesFile, JSON.stringify(taken));
    this.#authorities = taken;
    for (const changed of this.#listeners) changed();
    log('trusts other authorities', { version: given.version, authorities: certificates.length });
  }

  /** @throws IdentityRefused, Outdated */
  takeHeartbeatKey({ version, heartbeat_key }: HeartbeatKey): void {
    if (!Number.isSafeInteger(version) || !/^[0-9a-f]{64}$/.test(String(heartbeat_key)))
      throw new IdentityRefused('version and heartbeat_key of 64 hexadecimal digits are needed');
    if (version < this.#heartbeatKey.version) throw new Outdated('stale');
    const taken = { version, heartbeat_key };
    writeDurably(heartbeatKeyFile, JSON.stringify(taken));
    this.#heartbeatKey = taken;
    log('signs heartbeats with a new key', { version });
  }

  /** The control plane asked for something on this connection. */
  noteRequest(socket: TLSSocket): void {
    if (this.#isProven) return;
    const shown = socket.getCertificate() as { fingerprint256?: string } | null;
    if (shown?.fingerprint256 !== this.#certificate.leaf.fingerprint256) return;
    this.#isProven = true;
    rmSync(formerFile, { force: true });
  }

  #read(file: string): ServerCertificate | undefined {
    if (!existsSync(file)) return undefined;
    try {
      return readServerCertificate(readFileSync(file, 'utf8'), this.#amphoraId);
    } catch (error) {
      log('a certificate on the disk is not used', { file, error: textOf(error) });
      return undefined;
    }
  }
}

function isTrusting(authorities: string[], certificate: X509Certificate): boolean {
  try {
    return isIssuedBy(certificate, authorities);
  } catch (cause) {
    throw new IdentityRefused('an authority cannot be read', { cause });
  }
}

function readJson<T>(file: string): T | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    log('a file on the disk is not used', { file, error: textOf(error) });
    return undefined;
  }
}
