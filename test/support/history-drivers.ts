// What a random history has for drivers: a network and amphorae that note who has which VIP, so that two at once, or one that had it
// before, are complaints; amphorae that keep what they were told; and a table that refuses what it has written.
import type { AmphoraAddress, Configuration } from '../../lambdas/drivers/amphora/amphora-driver.ts';
import { NoopAmphoraDriver } from '../../lambdas/drivers/amphora/noop.ts';
import { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import type { AddressBookOptions } from '../../lambdas/drivers/network/address-book.ts';
import type { Vip } from '../../lambdas/drivers/network/network-driver.ts';
import { TableNetworkDriver } from '../../lambdas/drivers/network/table-network.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { type Operation, TransactionCancelled } from '../../lambdas/drivers/table/table.ts';

/** Who has which VIP, as packets would find it. */
export class VipWatch {
  readonly complaints: string[] = [];
  /** By load balancer. */
  readonly #highest = new Map<string, number>();
  /** By amphora. */
  readonly #serving = new Map<string, { loadBalancerId: string; epoch: number }>();
  readonly #fencedAt = new Map<string, number>();

  /** @param before who had it */
  took(loadBalancerId: string, amphoraId: string, epoch: number, before: string | null): void {
    const highest = this.#highest.get(loadBalancerId) ?? 0;
    if (epoch < highest && before !== amphoraId)
      this.complaints.push(`the VIP of ${loadBalancerId} went to another amphora at epoch ${epoch}, after ${highest}`);
    this.#highest.set(loadBalancerId, Math.max(highest, epoch));
  }

  /** It serves nothing any more, and nothing that it was told before makes it. @param epoch of the amphora it made room for */
  fenced(amphoraId: string, epoch = Number.POSITIVE_INFINITY): void {
    this.#serving.delete(amphoraId);
    this.#fencedAt.set(amphoraId, epoch);
  }

  serves(loadBalancerId: string, amphoraId: string, epoch: number): void {
    if (epoch <= (this.#fencedAt.get(amphoraId) ?? 0)) return;
    if (epoch < (this.#serving.get(amphoraId)?.epoch ?? 0)) return;
    this.#serving.set(amphoraId, { loadBalancerId, epoch });
    const all = [...this.#serving].filter(([, one]) => one.loadBalancerId === loadBalancerId).map(([id]) => id);
    if (all.length > 1) this.complaints.push(`${all.join(' and ')} have the VIP of ${loadBalancerId} at once`);
  }
}

const subnets = [{ name: 'vip-subnet', network_name: 'vip-net', cidr: '198.18.0.0/15' }];

export class WatchedNetwork extends TableNetworkDriver {
  readonly #vips: VipWatch;
  /** Of the take that fences. */
  readonly #epochs: Map<string, number>;

  constructor(options: Omit<AddressBookOptions, 'subnets'>, vips: VipWatch) {
    const epochs = new Map<string, number>();
    super({ ...options, subnets }, async (amphoraId) => vips.fenced(amphoraId, epochs.get(amphoraId)));
    this.#vips = vips;
    this.#epochs = epochs;
  }

  override async takeVip(
    id: string,
    vip: Vip,
    amphora: { id: string },
    epoch: number,
    leaving: string | null = null,
  ): Promise<void> {
    const before = await this.vipOwner(id);
    if (before !== null) this.#epochs.set(before, epoch);
    await super.takeVip(id, vip, amphora, epoch, leaving);
    // It owns nothing from here on, and goes on beside the other one until it is told to leave.
    if (leaving !== null) this.#vips.fenced(leaving, epoch);
    this.#vips.took(id, amphora.id, epoch, before);
  }
}

export class RememberingAmphorae extends NoopAmphoraDriver {
  readonly texts = new Map<string, string>();
  readonly #vips: VipWatch;

  constructor(vips: VipWatch) {
    super();
    this.#vips = vips;
  }

  override async pushConfiguration(amphora: AmphoraAddress, configuration: Configuration) {
    const applied = await super.pushConfiguration(amphora, configuration);
    this.texts.set(amphora.id, configuration.text);
    return applied;
  }

  override async postVipPlug(amphora: AmphoraAddress, loadBalancerId: string, _ip: string, epoch: number) {
    this.#vips.serves(loadBalancerId, amphora.id, epoch);
  }
}

/** Machines that end serve nothing any more. */
export class WatchedCompute extends NoopComputeDriver {
  readonly #vips: VipWatch;

  constructor(vips: VipWatch) {
    super();
    this.#vips = vips;
  }

  override async delete(computeId: string): Promise<void> {
    await super.delete(computeId);
    this.#vips.fenced(computeId);
  }
}

const namesIntent = (operation: Operation): boolean => {
  if (operation.kind !== 'update') return false;
  return ((operation.set?.['intents'] ?? []) as unknown[]).length > 0;
};

/** A repetition of a write whose answer was lost is refused, as its condition fails then: what the table does for its clients has limits. */
export class RepeatedTable extends SqliteTable {
  /** Of what is known of amphorae, write by write. */
  readonly complaints: string[] = [];
  readonly #sequences = new Map<string, string>();
  #isNextRepeated = false;

  constructor() {
    super({ path: ':memory:' });
  }

  /** Of those that accept an intent. */
  repeatNext(): void {
    this.#isNextRepeated = true;
  }

  calm(): void {
    this.#isNextRepeated = false;
  }

  override async transact(operations: Operation[]): Promise<void> {
    await super.transact(operations);
    for (const operation of operations) this.#look(operation);
    if (!this.#isNextRepeated || !operations.some(namesIntent)) return;
    this.#isNextRepeated = false;
    throw new TransactionCancelled(
      operations.map((_, index) => ({ code: index === 0 ? 'ConditionalCheckFailed' : 'None' })),
    );
  }

  /** What is known of an amphora never gets older: what it runs, whom it serves, whether its members are up. */
  #look(operation: Operation): void {
    if (operation.kind === 'put' || !operation.key.pk.startsWith('HEALTH#')) return;
    const { sk } = operation.key;
    if (operation.kind === 'delete') this.#sequences.delete(sk);
    const sequence = operation.kind === 'update' ? operation.set?.['sequence'] : undefined;
    if (typeof sequence !== 'string') return;
    const before = this.#sequences.get(sk) ?? '';
    if (sequence < before) this.complaints.push(`the newest sign of ${sk} went from ${before} to ${sequence}`);
    this.#sequences.set(sk, sequence);
  }
}
