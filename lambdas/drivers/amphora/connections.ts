// TLS connections to amphorae that are kept: with the client certificate an amphora trusts, to agents that anybody we trust has signed.
import { Agent } from 'node:https';
import { checkServerIdentity, createSecureContext, type PeerCertificate } from 'node:tls';
import type { CertificateAuthority } from '../certificates/certificate-authority.ts';
import type { AmphoraAddress } from './amphora-driver.ts';

/** Of one client certificate and what is trusted; Node keeps them apart by address and server name, so each amphora has its own. */
interface Kept {
  authority: string;
  certificate: string;
  trusted: string;
  agent: Agent;
}

const idleTimeoutMs = 30_000;

export class AmphoraConnections {
  readonly #authority: CertificateAuthority;
  readonly #clock: { now(): number };
  #kept: Kept[] = [];

  constructor(authority: CertificateAuthority, clock: { now(): number }) {
    this.#authority = authority;
    this.#clock = clock;
  }

  async agentFor({ authorities }: AmphoraAddress): Promise<Agent> {
    const credentials = await this.#credentials(authorities);
    const { authority, certificate, trusted } = credentials;
    const kept = this.#kept.find((one) => one.certificate === certificate && one.trusted === trusted);
    if (kept) return kept.agent;
    this.#forget((one) => one.authority === authority || one.trusted !== trusted);
    const agent = new Agent({ keepAlive: true, timeout: idleTimeoutMs, secureContext: contextOf(credentials) });
    this.#kept.push({ authority, certificate, trusted, agent });
    return agent;
  }

  /** Of a connection of its own, to an amphora that shows this very certificate. @param fingerprint as Node spells SHA-256 */
  async agentForCertificate({ authorities }: AmphoraAddress, fingerprint: string): Promise<Agent> {
    const secureContext = contextOf(await this.#credentials(authorities));
    const showsIt = (name: string, shown: PeerCertificate) =>
      checkServerIdentity(name, shown) ??
      (shown.fingerprint256 === fingerprint ? undefined : new Error('shows another certificate than it was given'));
    return new Agent({ keepAlive: false, maxCachedSessions: 0, secureContext, checkServerIdentity: showsIt });
  }

  close(): void {
    for (const { agent } of this.#kept) agent.destroy();
    this.#kept = [];
  }

  /** Of the newest authority the amphora trusts: one that was away for long trusts the older alone. */
  async #credentials(trustedByAmphora: string[] | undefined) {
    const { authorities } = await this.#authority.trust();
    const believed = trustedByAmphora ?? [authorities[0]!.id];
    const newest = authorities.findLast(({ id }) => believed.includes(id))?.id;
    const client = await this.#authority.client(this.#clock.now(), newest);
    return { ...client, trusted: authorities.map(({ certificate }) => certificate).join('') };
  }

  /** Requests under way are let end, and their connections idle out; those that are idle already end now. */
  #forget(isOutdated: (one: Kept) => boolean): void {
    for (const { agent } of this.#kept.filter(isOutdated))
      for (const socket of Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? [])) socket.destroy();
    this.#kept = this.#kept.filter((one) => !isOutdated(one));
  }
}

const contextOf = ({ trusted: ca, certificate: cert, private_key: key }: Record<string, string>) =>
  createSecureContext({ ca: ca!, cert: cert!, key: key!, minVersion: 'TLSv1.2' });
