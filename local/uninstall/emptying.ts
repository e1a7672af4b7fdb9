// All load balancers and amphorae of a deployment, deleted through its API: only the control plane knows everything that belongs to
// them, so it has to go last.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Row, type SmokeClient, Unexpected } from '../smoke/client.ts';

export interface EmptyingOptions {
  client: SmokeClient;
  say: (line: string) => void;
  withinMs: number;
  /** The control plane looks after spares each minute. */
  sparesWithinMs: number;
}

interface Amphora extends Row {
  loadbalancer_id: string | null;
  status: string;
}

const loadBalancers = '/v2.0/lbaas/loadbalancers';
const amphorae = '/v2.0/octavia/amphorae';
const pollMs = 1_000;
const sparesStay = 'spare amphorae stay: deploy with spare_amphorae=0, and without spare_pools and spares of flavors';

export class Emptying {
  readonly #options: EmptyingOptions;
  #sparesSince: number | undefined;

  constructor(options: EmptyingOptions) {
    this.#options = options;
  }

  async list(): Promise<void> {
    const { client, say } = this.#options;
    for (const { id, name, project_id } of await client.call<Row[]>('GET', loadBalancers))
      say(`load balancer ${id} ${JSON.stringify(name)} of project ${project_id}`);
    const found = await client.call<Amphora[]>('GET', amphorae);
    say(
      `${found.length} amphorae, ${found.filter(({ loadbalancer_id }) => loadbalancer_id === null).length} of them spares`,
    );
  }

  /** @throws Error when something is left by then, with what it is */
  async run(): Promise<void> {
    const giveUpAt = Date.now() + this.#options.withinMs;
    await this.#until('load balancers', giveUpAt, () => this.#deleteLoadBalancers());
    await this.#until('amphorae', giveUpAt, () => this.#deleteAmphorae());
  }

  /** @returns those that are there still; one that is busy, or could not be deleted, is asked again */
  async #deleteLoadBalancers(): Promise<string[]> {
    const found = await this.#options.client.call<Row[]>('GET', loadBalancers);
    for (const { id, provisioning_status } of found)
      if (provisioning_status !== 'PENDING_DELETE') await this.#delete(`${loadBalancers}/${id}?cascade=true`);
    return found.map(({ id, provisioning_status }) => `${id} (${provisioning_status})`);
  }

  /** Spares are ended by the control plane when it is to keep none; what is in ERROR it leaves to administrators. */
  async #deleteAmphorae(): Promise<string[]> {
    const found = await this.#options.client.call<Amphora[]>('GET', amphorae);
    for (const { id, status } of found) if (status === 'ERROR') await this.#delete(`${amphorae}/${id}`);
    const spares = found.filter(({ status, loadbalancer_id }) => status === 'READY' && loadbalancer_id === null);
    this.#sparesSince = spares.length === 0 ? undefined : (this.#sparesSince ?? Date.now());
    if (Date.now() - (this.#sparesSince ?? Date.now()) > this.#options.sparesWithinMs) throw new Error(sparesStay);
    return found.map(({ id, status }) => `${id} (${status})`);
  }

  /** What is gone or busy is seen in the next round. */
  async #delete(path: string): Promise<void> {
    try {
      await this.#options.client.call('DELETE', path);
      this.#options.say(`deleted ${path.replace('?cascade=true', '')}`);
    } catch (error) {
      const isPassing = error instanceof Unexpected && (error.status === 404 || error.status === 409);
      if (!isPassing) throw error;
    }
  }

  async #until(what: string, giveUpAt: number, look: () => Promise<string[]>): Promise<void> {
    for (;;) {
      const left = await look();
      if (left.length === 0) return this.#options.say(`no ${what} are left`);
      if (Date.now() > giveUpAt) throw new Error(`still there: ${what} ${left.join(', ')}`);
      await sleep(pollMs);
    }
  }
}
