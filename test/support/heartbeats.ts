// Heartbeats as the agent in an amphora signs and sends them.
import { createHmac, randomUUID } from 'node:crypto';
import type { Heartbeat, SignedHeartbeat } from '../../amphora/agent-api.ts';
import type { AmphoraRow } from '../../lambdas/domain/amphora.ts';
import { heartbeatPurpose } from '../../lambdas/domain/heartbeat.ts';
import { readAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { readLoadBalancer } from '../../lambdas/repositories/trees.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import type { ControlPlane } from './control-plane.ts';

/** What heartbeats are made of and go to. */
export interface Beaten {
  services: Pick<Services, 'table' | 'clock' | 'sealer'>;
  queue: Pick<ControlPlane['queue'], 'deliver'>;
}

/** The amphora of a load balancer with topology SINGLE. */
export async function amphoraOf({ services: { table } }: Beaten, loadBalancerId: string): Promise<AmphoraRow> {
  const row = await readLoadBalancer(table, loadBalancerId);
  const [amphora] = await readAmphorae(table, row!.amphora_ids);
  return amphora!;
}

export const noTraffic = { tx: 0, rx: 0, totconns: 0, ereq: 0, conns: 0 };

let sent = 0;

export class BeatingAmphora {
  readonly #plane: Beaten;
  readonly #row: AmphoraRow;
  readonly #boot = randomUUID();
  #seq = 0;

  constructor(plane: Beaten, row: AmphoraRow) {
    this.#plane = plane;
    this.#row = row;
  }

  static of = async (plane: Beaten, loadBalancerId: string): Promise<BeatingAmphora> =>
    new BeatingAmphora(plane, await amphoraOf(plane, loadBalancerId));

  get id(): string {
    return this.#row.id;
  }

  /** The next one, unless `given` says otherwise. */
  beat(given: Partial<Heartbeat> = {}): Heartbeat {
    return {
      id: this.#row.id,
      seq: this.#seq++,
      ver: 3,
      sent_at: this.#plane.services.clock.now(),
      boot: this.#boot,
      load_balancer_id: this.#row.load_balancer_id,
      generation: 1_000_000,
      digest: 'any',
      listeners: {},
      pools: {},
      ...given,
    };
  }

  signed(heartbeat: Heartbeat, key = this.#key()): SignedHeartbeat {
    const payload = JSON.stringify(heartbeat);
    return { amphora_id: this.#row.id, payload, hmac: createHmac('sha256', key).update(payload).digest('hex') };
  }

  #key(): string {
    return this.#plane.services.sealer.open(this.#row.heartbeat_key, heartbeatPurpose(this.#row.id));
  }

  /** Delivers them as one batch. */
  async deliver(...heartbeats: SignedHeartbeat[]): Promise<void> {
    const messages = heartbeats.map((body) => ({
      queue: 'heartbeats' as const,
      message: { group: this.#row.id, deduplication: `heartbeat-${++sent}`, body: { ...body } },
    }));
    const failed = await this.#plane.queue.deliver(...messages);
    if (failed > 0) throw new Error(`${failed} heartbeats were not taken in`);
  }

  send = (given: Partial<Heartbeat> = {}): Promise<void> => this.deliver(this.signed(this.beat(given)));
}
