// A world with load balancers on an old image, and an administrator who rolls out another.
import type { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import { readAllAmphorae, readAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { loadBalancerKey } from '../../lambdas/repositories/keys.ts';
import type { Config } from '../../lambdas/runtime/config.ts';
import { FlowWorld } from './flow-world.ts';

type Shown = Record<string, any>;

export class RolloutWorld extends FlowWorld {
  ids: string[] = [];
  /** What was seen of load balancers with too few amphorae that serve. */
  readonly shortages: string[] = [];

  /** Load balancers of one image, while machines are made of another by now. */
  static async begin(count: number, config: Partial<Config> = {}): Promise<RolloutWorld> {
    const world = new RolloutWorld({ rollout_observation_ms: 60_000, ...config });
    world.image = 'one';
    for (let made = 0; made < count; made++) world.ids.push(await world.create());
    await world.settle();
    world.image = 'two';
    world.effects = 0;
    world.journal.length = 0;
    return world;
  }

  set image(name: string) {
    (this.outside.compute as NoopComputeDriver).image = name;
  }

  async ask(method: string, path = '', rollout?: object): Promise<Shown> {
    const body = rollout && { rollout };
    const answer = await this.api({ method, path: `/v2/octavia/rollouts${path}`, ...(body ? { body } : {}) });
    return { status: answer.status, ...answer.body };
  }

  async startRollout(): Promise<string> {
    const { rollout } = await this.ask('POST', '', {});
    return rollout.id;
  }

  async rollout(id: string): Promise<Shown> {
    return (await this.ask('GET', `/${id}`))['rollout'];
  }

  async round(): Promise<void> {
    await this.housekeeping();
    await this.settle();
    this.clock.turn(30_000);
  }

  /** Until the roll-out has come to a halt or an end. */
  async rounds(id: string, most = 80): Promise<Shown> {
    for (let count = 0; count < most; count++) {
      const seen = await this.rollout(id);
      if (seen['status'] !== 'RUNNING') return seen;
      await this.round();
    }
    return this.rollout(id);
  }

  async imagesOf(id: string): Promise<(string | null)[]> {
    const { amphora_ids } = await this.loadBalancer(id);
    return (await readAmphorae(this.outside.table, amphora_ids)).map(({ image_id }) => image_id);
  }

  async images(): Promise<(string | null)[]> {
    return (await Promise.all((await this.loadBalancers()).map(({ id }) => this.imagesOf(id)))).flat();
  }

  async spareImages(): Promise<(string | null)[]> {
    const rows = await readAllAmphorae(this.outside.table);
    return rows.filter(({ load_balancer_id }) => load_balancer_id === null).map(({ image_id }) => image_id);
  }

  /** As the health manager would write it. */
  async operatingStatus(id: string, operating_status: string): Promise<void> {
    const update = { kind: 'update' as const, key: loadBalancerKey(id), set: { operating_status } };
    await this.outside.table.transact([update]);
  }

  /** Looks, whenever a machine was ended, whether every load balancer has as many that run its configuration as it should. */
  watchServing(amphorae: number): void {
    const look = async () => {
      const running = new Set((await this.outside.compute.list()).map(({ amphora_id }) => amphora_id));
      for (const row of await this.loadBalancers()) {
        const infos = row.amphora_ids
          .filter((id) => running.has(id))
          .map((id) => this.outside.amphora.getInfo({ id, lb_network_ip: '' }));
        const serving = (await Promise.all(infos)).filter(({ generation }) => generation === row.generation).length;
        const owner = await this.outside.network.vipOwner(row.id, row);
        if (serving < amphorae) this.shortages.push(`${row.id}: ${serving} amphorae`);
        if (owner === null || !running.has(owner)) this.shortages.push(`${row.id}: VIP with ${owner}`);
      }
    };
    this.on('compute.delete', 'after', look, Number.POSITIVE_INFINITY);
  }
}
