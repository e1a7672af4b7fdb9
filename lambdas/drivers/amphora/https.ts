// Octavia's REST amphora driver: HTTPS with mutual TLS to the agent, whose certificate must name the very amphora that is
// talked to, since addresses are given again to others.
import { createHash } from 'node:crypto';
import { Agent, type RequestOptions } from 'node:https';
import { createSecureContext } from 'node:tls';
import {
  type AgentInfo,
  type ArchiveRight,
  agentPort,
  type ConfigurationApplied,
  type ConfigurationRejected,
  configurationHeaders,
  type PlugVip,
} from '../../../amphora/agent-api.ts';
import { DriverError, Superseded } from '../../domain/errors.ts';
import type { CertificateAuthority } from '../certificates/certificate-authority.ts';
import {
  type AmphoraAddress,
  type AmphoraDriver,
  type Configuration,
  ConfigurationRefused,
  StaleConfiguration,
} from './amphora-driver.ts';
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

/** Connections of one client certificate; Node keeps them apart by address and server name, so each amphora has its own. */
interface Connections {
  certificate: string;
  agent: Agent;
}

const idleTimeoutMs = 30_000;

export class HttpsAmphoraDriver implements AmphoraDriver {
  readonly #options: HttpsAmphoraOptions;
  #connections: Connections | undefined;

  constructor(options: HttpsAmphoraOptions) {
    this.#options = options;
  }

  async getInfo(amphora: AmphoraAddress): Promise<AgentInfo> {
    const answer = await this.#ask(amphora, 'GET', '/1.0/info');
    return success<AgentInfo>(amphora, answer);
  }

  async pushConfiguration(amphora: AmphoraAddress, configuration: Configuration): Promise<ConfigurationApplied> {
    const path = `/1.0/loadbalancer/${amphora.id}/${configuration.load_balancer_id}/haproxy`;
    const answer = await this.#ask(amphora, 'PUT', path, configuration.text, {
      'content-type': 'text/plain',
      [configurationHeaders.generation]: String(configuration.generation),
      [configurationHeaders.digest]: sha256(configuration.text),
    });
    if (answer.status === 400 && isRejection(answer.body)) throw new ConfigurationRefused(answer.body);
    if (answer.status === 409 && isStale(answer.body))
      throw new StaleConfiguration(`amphora ${amphora.id} has a newer configuration`);
    return success<ConfigurationApplied>(amphora, answer);
  }

  async postVipPlug(amphora: AmphoraAddress, loadBalancerId: string, vipAddress: string, epoch: number): Promise<void> {
    const plug: PlugVip = { load_balancer_id: loadBalancerId, epoch };
    const path = `/1.0/plug/vip/${vipAddress}`;
    const answer = await this.#ask(amphora, 'POST', path, JSON.stringify(plug), { 'content-type': 'application/json' });
    if (answer.status === 409) throw new Superseded(`amphora ${amphora.id} knows of a higher epoch than ${epoch}`);
    success(amphora, answer);
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

  async close(): Promise<void> {
    this.#connections?.agent.destroy();
    this.#connections = undefined;
  }

  async #ask(
    amphora: AmphoraAddress,
    method: string,
    path: string,
    body?: string,
    headers: RequestOptions['headers'] = {},
  ) {
    const { port = agentPort, connectTimeoutMs = 2_000, readTimeoutMs = 30_000 } = this.#options;
    const agent = await this.#connect();
    const place = { host: amphora.lb_network_ip, port, servername: amphora.id };
    return exchange({ ...place, agent, method, path, headers }, body, { connectTimeoutMs, readTimeoutMs });
  }

  /** A new client certificate ends the idle connections made with the old one. */
  async #connect(): Promise<Agent> {
    const { authority, clock } = this.#options;
    const [client, ca] = await Promise.all([authority.client(clock.now()), authority.caCertificate()]);
    if (this.#connections?.certificate === client.certificate) return this.#connections.agent;
    this.#connections?.agent.destroy();
    const secureContext = createSecureContext({
      ca,
      cert: client.certificate,
      key: client.private_key,
      minVersion: 'TLSv1.2',
    });
    const agent = new Agent({ keepAlive: true, timeout: idleTimeoutMs, secureContext });
    this.#connections = { certificate: client.certificate, agent };
    return agent;
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

const isRejection = (body: unknown): body is ConfigurationRejected =>
  typeof body === 'object' && body !== null && 'message' in body && 'lines' in body;

const isStale = (body: unknown): boolean => (body as { error?: unknown } | null)?.error === 'stale';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
