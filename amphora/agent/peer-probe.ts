// The agents of a pair ask each other several times a second: who falls silent is reported long before its heartbeats are missed. It is
// a suspicion, as the fault may lie between the two; the control plane decides. In Octavia VRRP's advertisements tell.
import { Agent, request } from 'node:https';
import { type AgentSettings, type Heartbeat, pairLine, peerPath } from '../agent-api.ts';
import type { Identity } from './identity.ts';

const intervalMs = 300;
/** Two answers in a row that did not come. */
const silentAfterMs = 3 * intervalMs;

interface Peer {
  amphora_id: string;
  address: string;
  /** The agent's clock, for the report, and one that nobody sets. */
  heardAt: { wall: number; steady: number } | null;
}

/** A peer that never answered may not be there yet: nothing is said of it. */
export class PeerProbe {
  readonly #settings: AgentSettings;
  readonly #text: () => string;
  readonly #identity: Identity;
  #onChange: () => void = () => {};
  #agent: Agent | null = null;
  #seenText = '';
  #peer: Peer | null = null;
  #isAsking = false;
  #isSilent = false;
  #lastLook = performance.now();
  #lastReport = 0;

  /** @param text the configuration in force, which names the other amphora */
  constructor(settings: AgentSettings, identity: Identity, text: () => string) {
    this.#settings = settings;
    this.#text = text;
    this.#identity = identity;
  }

  /** Made anew after a failure: the certificate may have been rotated. */
  #connections(): Agent {
    this.#agent ??= new Agent({ keepAlive: true, maxSockets: 1, ...this.#identity.tls });
    return this.#agent;
  }

  /** @param onChange called when there is something to report */
  start(onChange: () => void): void {
    this.#onChange = onChange;
    setInterval(() => this.#look(), intervalMs);
  }

  /** For the heartbeat. */
  report(): Pick<Heartbeat, 'peer'> {
    if (!this.#isSilent || this.#peer?.heardAt == null) return {};
    this.#lastReport = performance.now();
    return { peer: { amphora_id: this.#peer.amphora_id, silent_since: this.#peer.heardAt.wall } };
  }

  #look(): void {
    const now = performance.now();
    // This process stood still itself: what it did not hear meanwhile says nothing.
    const wasAsleep = now - this.#lastLook > 2 * intervalMs;
    this.#lastLook = now;
    this.#follow();
    if (this.#peer === null) return;
    if (wasAsleep && this.#peer.heardAt !== null && !this.#isSilent) this.#heard(this.#peer);
    this.#judge(this.#peer, now);
    if (!this.#isAsking) this.#ask(this.#peer);
  }

  #follow(): void {
    const text = this.#text();
    if (text === this.#seenText) return;
    this.#seenText = text;
    const line = text.split('\n').find((one) => pairLine.test(one)) ?? '';
    const [, amphora_id, address] = pairLine.exec(line) ?? [];
    if (amphora_id === this.#peer?.amphora_id && address === this.#peer?.address) return;
    this.#peer = amphora_id === undefined ? null : { amphora_id, address: address!, heardAt: null };
    this.#isSilent = false;
  }

  /** While it lasts it is said again and again: the control plane judges it by the age of the other one's heartbeats. */
  #judge({ heardAt }: Peer, now: number): void {
    const wasSilent = this.#isSilent;
    this.#isSilent = heardAt !== null && now - heardAt.steady > silentAfterMs;
    const isDue = now - this.#lastReport > this.#settings.heartbeat_interval_ms / 4;
    if (this.#isSilent !== wasSilent || (this.#isSilent && isDue)) this.#onChange();
  }

  #heard(peer: Peer): void {
    peer.heardAt = { wall: Date.now(), steady: performance.now() };
  }

  #ask(peer: Peer): void {
    this.#isAsking = true;
    const { source_address: localAddress } = this.#settings;
    const asking = request({
      host: peer.address,
      ...(localAddress === undefined ? {} : { localAddress }),
      port: this.#settings.bind_port,
      path: peerPath,
      servername: peer.amphora_id,
      agent: this.#connections(),
      signal: AbortSignal.timeout(2 * intervalMs),
    });
    asking.on('response', (answer) => {
      this.#heard(peer);
      answer.resume();
    });
    // That nothing comes is judged by the time.
    asking.on('error', () => {
      this.#agent?.destroy();
      this.#agent = null;
    });
    asking.on('close', () => {
      this.#isAsking = false;
    });
    asking.end();
  }
}
