// Octavia's REST amphora driver: HTTPS with mutual TLS to the agent, whose certificate must name the very amphora that is
// talked to, since addresses are given again to others.
import { createHash, X509Certificate } from 'node:crypto';
import type { Agent, RequestOptions } from 'node:https';
import {
  type AgentInfo,
  type ArchiveRight,
  agentPort,
  type CertificatesMissing,
  type ConfigurationApplied,
  type ConfigurationRejected,
  configurationHeaders,
  type HeartbeatKey,
  type PlugVip,
  type TrustedAuthorities,
  type VipLeft,
} from '../../../amphora/agent-api.ts';
import { DriverError, Superseded } from '../../domain/errors.ts';
import type { CertificateAuthority, IssuedCertificate, Trust } from '../certificates/certificate-authority.ts';
import {
  type AmphoraAddress,
  type AmphoraDriver,
  type Configuration,
  ConfigurationRefused,
  StaleConfiguration,
} from './amphora-driver.ts';
import { AmphoraConnections } from './connections.ts';
import { type Answer, exchange } from './exchange.ts';

export interface HttpsAmphoraOptions {
  authority: CertificateAuthority;
  clock: { now(): number };
  port?: number;
  /** Until the TLS connection is there. */
  connectTimeoutMs?: number;
  /** Without a byte of the answer; validating and reloading a large configuration takes seconds. */
  readTimeoutMs?: number;
}

const pushTriesMax = 3;
/** A reload takes a fraction of it. */
const leaveTimeoutMs = 5_000;

export class HttpsAmphoraDriver implements AmphoraDriver {
  readonly #options: HttpsAmphoraOptions;
  readonly #connections: AmphoraConnections;

  constructor(options: HttpsAmphoraOptions) {
    this.#options = options;
    this.#connections = new AmphoraConnections(options.authority, options.clock);
  }

  async getInfo(amphora: AmphoraAddress): Promise<AgentInfo> {
    const answer = await this.#ask(amphora, 'GET', '/1.0/info');
    return success<AgentInfo>(amphora, answer);
  }

  /** One request, unless the amphora says that it lacks files. */
  async pushConfiguration(amphora: AmphoraAddress, configuration: Configuration): Promise<ConfigurationApplied> {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#push(amphora, configuration);
      // What was uploaded may be gone again: another push came between that does not name it.
      if (!isMissing(answer.body) || tries === pushTriesMax) return applied(amphora, answer);
      await this.#upload(amphora, configuration, answer.body.missing);
    }
  }

  /** @throws DriverError for a file that the configuration does not have */
  async #upload(amphora: AmphoraAddress, { load_balancer_id, files = [] }: Configuration, digests: string[]) {
    const contents = new Map(files.map((file) => [file.digest, file.contents]));
    for (const digest of digests) {
      const body = contents.get(digest);
      if (body === undefined) throw new DriverError(`amphora ${amphora.id} asks for ${digest}, which nobody has`);
      const path = `/1.0/loadbalancer/${load_balancer_id}/certificates/${digest}.pem`;
      success(amphora, await this.#ask(amphora, 'PUT', path, body, { 'content-type': 'application/x-pem-file' }));
    }
  }

  #push(amphora: AmphoraAddress, configuration: Configuration): Promise<Answer> {
    const path = `/1.0/loadbalancer/${amphora.id}/${configuration.load_balancer_id}/haproxy`;
    return this.#ask(amphora, 'PUT', path, configuration.text, {
      'content-type': 'text/plain',
      [configurationHeaders.generation]: String(configuration.generation),
      [configurationHeaders.digest]: sha256(configuration.text),
    });
  }

  async postVipPlug(amphora: AmphoraAddress, loadBalancerId: string, vipAddress: string, epoch: number): Promise<void> {
    await this.#postVip(amphora, `/1.0/plug/vip/${vipAddress}`, { load_balancer_id: loadBalancerId, epoch });
  }

  leaveVip(amphora: AmphoraAddress, loadBalancerId: string, vipAddress: string, epoch: number): Promise<VipLeft> {
    const body = { load_balancer_id: loadBalancerId, epoch };
    return this.#postVip(amphora, `/1.0/leave/vip/${vipAddress}`, body, leaveTimeoutMs);
  }

  async #postVip<T>(amphora: AmphoraAddress, path: string, body: PlugVip, readTimeoutMs?: number): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#ask(amphora, 'POST', path, JSON.stringify(body), headers, { readTimeoutMs });
    if (answer.status === 409) throw new Superseded(`amphora ${amphora.id} knows of a higher epoch than ${body.epoch}`);
    return success<T>(amphora, answer);
  }

  async deleteLoadBalancer(amphora: AmphoraAddress, loadBalancerId: string): Promise<void> {
    const answer = await this.#ask(amphora, 'DELETE', `/1.0/listeners/${loadBalancerId}`);
    if (answer.status !== 404) success(amphora, answer);
  }

  async grantArchive(amphora: AmphoraAddress, archive: string, right: ArchiveRight): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#ask(amphora, 'PUT', `/1.0/logs/${archive}`, JSON.stringify(right), headers);
    if (answer.status !== 404) success(amphora, answer);
  }

  async putCertificate(amphora: AmphoraAddress, { certificate, private_key }: IssuedCertificate): Promise<void> {
    await this.#put(amphora, '/1.0/certificate', 'application/x-pem-file', certificate + private_key);
    const { fingerprint256 } = new X509Certificate(certificate);
    const agent = await this.#connections.agentForCertificate(amphora, fingerprint256);
    success(amphora, await this.#ask(amphora, 'GET', '/1.0/info', undefined, {}, { agent }));
  }

  putAuthorities(amphora: AmphoraAddress, { version, authorities }: Trust): Promise<void> {
    const certificates = authorities.map(({ certificate }) => certificate).join('');
    const body: TrustedAuthorities = { version, certificates };
    return this.#put(amphora, '/1.0/certificate/authorities', 'application/json', JSON.stringify(body));
  }

  putHeartbeatKey(amphora: AmphoraAddress, key: HeartbeatKey): Promise<void> {
    return this.#put(amphora, '/1.0/heartbeat-key', 'application/json', JSON.stringify(key));
  }

  async close(): Promise<void> {
    this.#connections.close();
  }

  async #ask(
    amphora: AmphoraAddress,
    method: string,
    path: string,
    body?: string,
    headers: RequestOptions['headers'] = {},
    given: { agent?: Agent; readTimeoutMs?: number | undefined } = {},
  ) {
    const { port = agentPort, connectTimeoutMs = 2_000 } = this.#options;
    const readTimeoutMs = given.readTimeoutMs ?? this.#options.readTimeoutMs ?? 30_000;
    const agent = given.agent ?? (await this.#connections.agentFor(amphora));
    const place = { host: amphora.lb_network_ip, port, servername: amphora.id };
    return exchange({ ...place, agent, method, path, headers }, body, { connectTimeoutMs, readTimeoutMs });
  }

  async #put(amphora: AmphoraAddress, path: string, type: string, body: string): Promise<void> {
    const answer = await this.#ask(amphora, 'PUT', path, body, { 'content-type': type });
    if (answer.status === 409) throw new Superseded(`amphora ${amphora.id} has a newer one of ${path}`);
    success(amphora, answer);
  }
}

function success<T>(amphora: AmphoraAddress, { status, body }: Answer): T {
  if (status >= 200 && status < 300) return body as T;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  throw new DriverError(`amphora ${amphora.id} answered ${status}: ${text.slice(0, 500)}`, {
    userText: 'The amphora could not do what it was asked.',
    isTransient: status >= 500,
  });
}

function applied(amphora: AmphoraAddress, answer: Answer): ConfigurationApplied {
  const { status, body } = answer;
  if (status === 400 && isRejection(body)) throw new ConfigurationRefused(body);
  if (status === 409 && isStale(body)) throw new StaleConfiguration(`amphora ${amphora.id} has a newer configuration`);
  return success<ConfigurationApplied>(amphora, answer);
}

const isMissing = (body: unknown): body is CertificatesMissing =>
  (body as Partial<CertificatesMissing> | null)?.error === 'certificates_missing';

const isRejection = (body: unknown): body is ConfigurationRejected =>
  typeof body === 'object' && body !== null && 'message' in body && 'lines' in body;

const isStale = (body: unknown): boolean => (body as { error?: unknown } | null)?.error === 'stale';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
