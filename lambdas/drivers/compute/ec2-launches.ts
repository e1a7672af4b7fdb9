// What was asked of EC2 for an amphora, written down before it is asked: whoever goes on after a crash or a request without an answer asks
// for exactly the same, by the same client token, so that there is never a second machine. A token of its own for each candidate, as
// EC2 holds a token for used even when the request failed for want of capacity, and counts tokens per zone.
import { type Item, type Key, type Table, TransactionCancelled } from '../table/table.ts';

export interface Launch {
  amphora_id: string;
  /** Counts candidates, round after round. */
  attempt: number;
}

const launchKey = (amphoraId: string): Key => ({ pk: 'EC2#launches', sk: amphoraId });
const machineKey = (computeId: string): Key => ({ pk: 'EC2#machines', sk: computeId });

export const tokenOf = ({ amphora_id, attempt }: Launch): string => `${amphora_id}-${attempt}`;

export class Launches {
  readonly #table: Table;
  readonly #clock: { now(): number };

  constructor(table: Table, clock: { now(): number }) {
    this.#table = table;
    this.#clock = clock;
  }

  async begin(amphoraId: string): Promise<Launch> {
    const known = await this.#read(amphoraId);
    return known ?? this.#write({ amphora_id: amphoraId, attempt: 0 }, { exists: false });
  }

  /** The candidate of this attempt is certainly not to be had. */
  async next({ amphora_id, attempt }: Launch): Promise<Launch> {
    return this.#write({ amphora_id, attempt: attempt + 1 }, { equals: { attempt } });
  }

  /** EC2 may not know a machine yet that it has just started. */
  async done(amphoraId: string, computeId: string): Promise<void> {
    const item: Item = { ...machineKey(computeId), amphora_id: amphoraId, launched_at: this.#clock.now() };
    try {
      await this.#table.transact([{ kind: 'put', item, when: { exists: false } }]);
    } catch (error) {
      if (!(error instanceof TransactionCancelled) || error.isConflict) throw error;
    }
  }

  /** The amphora a machine was started for, and when; undefined when that was not written down. */
  async of(computeId: string): Promise<{ amphora_id: string; launched_at: number } | undefined> {
    return (await this.#table.get(machineKey(computeId))) as
      | (Item & { amphora_id: string; launched_at: number })
      | undefined;
  }

  async forget(amphoraId: string, computeId: string): Promise<void> {
    const keys = [launchKey(amphoraId), machineKey(computeId)];
    await this.#table.transact(keys.map((key) => ({ kind: 'delete', key })));
  }

  async #read(amphoraId: string): Promise<Launch | undefined> {
    const known = await this.#table.get(launchKey(amphoraId));
    return known && { amphora_id: amphoraId, attempt: known['attempt'] as number };
  }

  /** Whoever else builds the same amphora goes by what was written first. */
  async #write(launch: Launch, when: { exists: false } | { equals: { attempt: number } }): Promise<Launch> {
    try {
      await this.#table.transact([{ kind: 'put', item: { ...launchKey(launch.amphora_id), ...launch }, when }]);
      return launch;
    } catch (error) {
      const written = error instanceof TransactionCancelled ? await this.#read(launch.amphora_id) : undefined;
      if (written === undefined) throw error;
      return written;
    }
  }
}
