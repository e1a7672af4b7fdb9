// Amphorae of the flow tests' world as the health manager hears them: they count traffic, speak, and fall silent when told to.
import { createHmac } from 'node:crypto';
import type { SQSEvent } from 'aws-lambda';
import { messagesOf } from '../../amphora/agent/heartbeat-parts.ts';
import type { Heartbeat, SignedHeartbeat } from '../../amphora/agent-api.ts';
import type { AmphoraRow } from '../../lambdas/domain/amphora.ts';
import { heartbeatPurpose } from '../../lambdas/domain/heartbeat.ts';
import { heartbeatsHandler } from '../../lambdas/health-manager/heartbeats.ts';
import { readAllAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import type { FlowWorld } from './flow-world.ts';

interface Life {
  seq: number;
  /** Connections it has carried. */
  connections: number;
  /** Which half of the members it finds down. */
  half: number;
}

/** Of a message, so that heartbeats come in parts. */
const partBytes = 300;

export class FlowAmphorae {
  readonly silent = new Set<string>();
  /** false: heartbeats say nothing of listeners, which is all that silence is about. */
  readonly isCounting: boolean;
  readonly #world: FlowWorld;
  readonly #lives = new Map<string, Life>();

  constructor(world: FlowWorld, { isCounting = true } = {}) {
    this.#world = world;
    this.isCounting = isCounting;
  }

  /** What compute runs, whether anybody hears of it or not. */
  async all(): Promise<AmphoraRow[]> {
    const rows = await readAllAmphorae(this.#world.outside.table);
    return rows.filter(({ status }) => status === 'ALLOCATED' || status === 'READY');
  }

  /** Traffic goes through an amphora, which counts it until it is gone. */
  carry(amphoraId: string, connections: number): void {
    this.#lifeOf(amphoraId).connections += connections;
  }

  /** Its agent begins anew, without the account of what it has counted. */
  forget(amphoraId: string): void {
    this.#lives.delete(amphoraId);
  }

  /** From now on it finds those members down that it found up. */
  turn(amphoraId: string): void {
    this.#lifeOf(amphoraId).half ^= 1;
  }

  wordOf(amphoraId: string, memberId: string): 'UP' | 'DOWN' {
    return Number.parseInt(memberId.at(-1)!, 16) % 2 === this.#lifeOf(amphoraId).half ? 'DOWN' : 'UP';
  }

  #lifeOf(amphoraId: string): Life {
    const life = this.#lives.get(amphoraId) ?? { seq: 0, connections: 0, half: 0 };
    this.#lives.set(amphoraId, life);
    return life;
  }

  /** The next heartbeats of those that are not silent. */
  async beats(): Promise<SignedHeartbeat[]> {
    const speaking = (await this.all()).filter(({ id }) => !this.silent.has(id));
    return (await Promise.all(speaking.map((row) => this.#beat(row)))).flat();
  }

  async #beat(row: AmphoraRow): Promise<SignedHeartbeat[]> {
    const { clock, outside } = this.#world;
    const life = this.#lifeOf(row.id);
    const held = await outside.amphora.getInfo({ id: row.id, lb_network_ip: row.lb_network_ip ?? '' });
    const said: Heartbeat = {
      id: row.id,
      seq: life.seq++,
      ver: 3,
      sent_at: clock.now(),
      boot: row.id,
      load_balancer_id: row.load_balancer_id,
      generation: held.generation,
      digest: held.digest,
      ...(this.isCounting ? await this.#statuses(row, life) : { listeners: {}, pools: {} }),
    };
    const key = outside.sealer.open(row.heartbeat_key, heartbeatPurpose(row.id));
    return messagesOf(said, partBytes).map((message) => {
      const payload = JSON.stringify(message);
      return { amphora_id: row.id, payload, hmac: createHmac('sha256', key).update(payload).digest('hex') };
    });
  }

  async #statuses({ id, load_balancer_id }: AmphoraRow, { connections }: Life) {
    const tree = load_balancer_id === null ? undefined : await readTree(this.#world.outside.table, load_balancer_id);
    const stats = { tx: 2 * connections, rx: connections, totconns: connections, ereq: 0, conns: 0 };
    const listeners: Heartbeat['listeners'] = {};
    const pools: Heartbeat['pools'] = {};
    for (const listener of tree?.listeners ?? []) {
      listeners[listener.id] = { status: 'OPEN', stats };
      if (listener.default_pool_id === null) continue;
      const members = tree!.members.filter((member) => member.pool_id === listener.default_pool_id);
      const words = Object.fromEntries(members.map((member) => [member.id, this.wordOf(id, member.id)]));
      pools[`${listener.default_pool_id}:${listener.id}`] = { status: 'UP', members: words };
    }
    return { listeners, pools };
  }

  /** @returns those that go back to their queue */
  async deliver(signed: SignedHeartbeat[]): Promise<SignedHeartbeat[]> {
    if (signed.length === 0) return [];
    const Records = signed.map((one, index) => ({ messageId: String(index), body: JSON.stringify(one) }));
    const answer = await heartbeatsHandler(this.#world.services)({ Records } as unknown as SQSEvent);
    return answer.batchItemFailures.map(({ itemIdentifier }) => signed[Number(itemIdentifier)]!);
  }

  speak = async (): Promise<void> => void (await this.deliver(await this.beats()));
}
