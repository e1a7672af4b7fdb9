// A world of flows whose amphorae share machines, looked at by who is on which.
import { afterEach, beforeEach, expect } from 'vitest';
import type { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import { readAmphora } from '../../lambdas/repositories/amphorae.ts';
import { readHosts } from '../../lambdas/repositories/hosts.ts';
import type { Config } from '../../lambdas/runtime/config.ts';
import { unsoundness } from './flow-soundness.ts';
import { FlowWorld } from './flow-world.ts';

export class FlowHosts {
  #world: FlowWorld | undefined;

  get world(): FlowWorld {
    return this.#world!;
  }

  /** Another world, instead of the one there was. */
  async restart(...[config, outside]: ConstructorParameters<typeof FlowWorld>): Promise<void> {
    await this.close();
    this.#world = new FlowWorld(config, outside);
  }

  async close(): Promise<void> {
    await this.#world?.close();
    this.#world = undefined;
  }

  get compute(): NoopComputeDriver {
    return this.world.outside.compute as NoopComputeDriver;
  }

  get table() {
    return this.world.outside.table;
  }

  /** Of each host how many places are taken, most first. */
  async taken(): Promise<number[]> {
    return (await readHosts(this.table)).map((host) => host.taken).toSorted((a, b) => b - a);
  }

  readonly hostOf = async (amphoraId: string) => (await readAmphora(this.table, amphoraId))?.host_id;
  readonly amphoraOf = async (id: string) => (await this.world.loadBalancer(id)).amphora_ids[0]!;
  readonly hostsOf = async (id: string) =>
    Promise.all((await this.world.loadBalancer(id)).amphora_ids.map(this.hostOf));

  /** Load balancers, one after the other. */
  async created(count: number, besides: object): Promise<string[]> {
    const ids: string[] = [];
    for (let made = 0; made < count; made++) ids.push(await this.world.createActive(besides));
    return ids;
  }

  /** At the same moment. */
  async createdAtOnce(count: number, besides: object): Promise<string[]> {
    const ids = await Promise.all(Array.from({ length: count }, () => this.world.create(besides)));
    await this.world.settle();
    return ids;
  }
}

/** A world for each test, which is sound when the test is over. */
export function useFlowHosts(config: Partial<Config> = {}): FlowHosts {
  const hosts = new FlowHosts();
  beforeEach(() => hosts.restart(config));
  afterEach(async () => {
    expect(await unsoundness(hosts.world)).toEqual([]);
    await hosts.close();
  });
  return hosts;
}
