// What load balancers may have with AWS: written before anything is made there, gone after all of it was taken away.
import { type Item, type Key, queryAll, type Table, TransactionCancelled } from '../table/table.ts';
import type { PluggedAmphora } from './vpc-side.ts';

const interfaceKey = (loadBalancerId: string, amphoraId: string): Key => ({
  pk: `NET#interfaces#${loadBalancerId}`,
  sk: amphoraId,
});
/** There until all was taken away, also when no amphora has any of it. */
const anyKey = (loadBalancerId: string): Key => ({ pk: `NET#traces#${loadBalancerId}`, sk: 'TRACES' });

export class VpcTraces {
  readonly #table: Table;
  readonly #newId: () => string;

  constructor(table: Table, newId: () => string) {
    this.#table = table;
    this.#newId = newId;
  }

  /** @returns what tells this plugging from one before it was unplugged, for what EC2 makes once for a token */
  async note(loadBalancerId: string, amphora: PluggedAmphora): Promise<string> {
    const key = interfaceKey(loadBalancerId, amphora.id);
    const known = await this.#table.get(key);
    if (known) return known['plug_id'] as string;
    const item: Item = { ...key, compute_id: amphora.compute_id, plug_id: this.#newId() };
    try {
      await this.#table.transact([
        { kind: 'put', item, when: { exists: false } },
        { kind: 'put', item: { ...anyKey(loadBalancerId) } },
      ]);
      return item['plug_id'] as string;
    } catch (error) {
      if (!(error instanceof TransactionCancelled)) throw error;
      // Somebody was faster.
      return this.note(loadBalancerId, amphora);
    }
  }

  async has(loadBalancerId: string): Promise<boolean> {
    return (await this.#table.get(anyKey(loadBalancerId))) !== undefined;
  }

  async amphora(loadBalancerId: string, id: string): Promise<PluggedAmphora | undefined> {
    const item = await this.#table.get(interfaceKey(loadBalancerId, id));
    return item && described(item);
  }

  async amphorae(loadBalancerId: string): Promise<PluggedAmphora[]> {
    return (await queryAll(this.#table, { pk: interfaceKey(loadBalancerId, '').pk })).map(described);
  }

  async forget(loadBalancerId: string, amphoraId: string): Promise<void> {
    await this.#table.transact([{ kind: 'delete', key: interfaceKey(loadBalancerId, amphoraId) }]);
  }

  async forgetAll(loadBalancerId: string): Promise<void> {
    await this.#table.transact([{ kind: 'delete', key: anyKey(loadBalancerId) }]);
  }
}

const described = ({ sk, compute_id }: Item): PluggedAmphora => ({ id: sk, compute_id: compute_id as string });
