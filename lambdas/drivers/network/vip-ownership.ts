// Who holds a VIP: one item per load balancer with the highest epoch seen. Whoever had the VIP stays listed as unfenced
// until it certainly serves nothing any more, so that a take that was cut short is completed by the next one.
import { Superseded } from '../../domain/errors.ts';
import { type Item, type Table, TransactionCancelled } from '../table/table.ts';
import { vipKey } from './address-book.ts';

/** Returns when the amphora serves nothing any more and will not again; no error when it is gone. */
export type Fence = (amphoraId: string) => Promise<void>;

interface Ownership {
  amphora_id: string | null;
  epoch: number;
  unfenced: string[];
}

const ownerKey = (loadBalancerId: string) => ({ pk: `NET#owner#${loadBalancerId}`, sk: 'OWNER' });

export class VipOwnership {
  readonly #table: Table;
  readonly #fence: Fence;

  constructor(table: Table, fence: Fence) {
    this.#table = table;
    this.#fence = fence;
  }

  async ownerOf(loadBalancerId: string): Promise<string | null> {
    return (await this.#read(loadBalancerId))?.amphora_id ?? null;
  }

  /** Whether anybody ever had it. */
  async isKnown(loadBalancerId: string): Promise<boolean> {
    return (await this.#read(loadBalancerId)) !== undefined;
  }

  /**
   * @param leaving stays unfenced, and listed as such: it is told to leave next
   * @throws Superseded
   */
  async take(loadBalancerId: string, amphoraId: string, epoch: number, leaving: string | null = null): Promise<void> {
    const before = await this.#read(loadBalancerId);
    checkEpoch(before, amphoraId, epoch);
    const others = new Set([...(before?.unfenced ?? []), ...(before?.amphora_id ? [before.amphora_id] : [])]);
    others.delete(amphoraId);
    const taken = { amphora_id: amphoraId, epoch, unfenced: [...others] };
    // Written first: from here on a lower epoch can not take the VIP back while the others are being fenced.
    if (!(await this.#write(loadBalancerId, taken, before)))
      return this.take(loadBalancerId, amphoraId, epoch, leaving);
    await this.#fenceAll(loadBalancerId, taken, leaving);
  }

  /** After something was done for it that took its time. @throws Superseded when somebody else has the VIP by now, or it is gone */
  async confirm(loadBalancerId: string, amphoraId: string, epoch: number): Promise<void> {
    const now = await this.#read(loadBalancerId);
    if (now === undefined) throw new Superseded(`load balancer ${loadBalancerId} has no VIP`);
    checkEpoch(now, amphoraId, epoch);
  }

  /** Nobody holds the VIP then; no effect when the amphora was not the owner. Whoever gets the VIP next fences it. */
  async drop(loadBalancerId: string, amphoraId: string): Promise<void> {
    const before = await this.#read(loadBalancerId);
    if (before?.amphora_id !== amphoraId) return;
    const dropped = { ...before, amphora_id: null, unfenced: [...before.unfenced, amphoraId] };
    const isWritten = await this.#write(loadBalancerId, dropped, before, 'without VIP too');
    if (!isWritten) await this.drop(loadBalancerId, amphoraId);
  }

  /** For when the VIP is to go to another load balancer: nobody who ever held it serves it then. */
  async fenceEveryone(loadBalancerId: string): Promise<void> {
    const before = await this.#read(loadBalancerId);
    const holders = [...(before?.unfenced ?? []), ...(before?.amphora_id ? [before.amphora_id] : [])];
    await Promise.all(holders.map((amphoraId) => this.#fence(amphoraId)));
  }

  async forget(loadBalancerId: string): Promise<void> {
    await this.#table.transact([{ kind: 'delete', key: ownerKey(loadBalancerId) }]);
  }

  async #fenceAll(loadBalancerId: string, taken: Ownership, leaving: string | null): Promise<void> {
    const fenced = taken.unfenced.filter((amphoraId) => amphoraId !== leaving);
    if (fenced.length === 0) return;
    // The VIP may have moved on, back to one of those who were to be fenced.
    checkEpoch(await this.#read(loadBalancerId), taken.amphora_id, taken.epoch);
    await Promise.all(fenced.map((amphoraId) => this.#fence(amphoraId)));
    const unfenced = taken.unfenced.filter((amphoraId) => amphoraId === leaving);
    const isStill = await this.#write(loadBalancerId, { ...taken, unfenced }, taken);
    if (!isStill) checkEpoch(await this.#read(loadBalancerId), taken.amphora_id, taken.epoch);
  }

  async #read(loadBalancerId: string): Promise<Ownership | undefined> {
    return (await this.#table.get(ownerKey(loadBalancerId))) as (Item & Ownership) | undefined;
  }

  /** False when it is no longer as it was before. */
  async #write(
    loadBalancerId: string,
    next: Ownership,
    before?: Ownership,
    scope?: 'without VIP too',
  ): Promise<boolean> {
    const { amphora_id, epoch, unfenced } = next;
    const item: Item = { ...ownerKey(loadBalancerId), amphora_id, epoch, unfenced };
    const when = before ? { equals: { epoch: before.epoch, amphora_id: before.amphora_id } } : { exists: false };
    const hasVip = { kind: 'check', key: vipKey(loadBalancerId), when: { exists: true } } as const;
    try {
      await this.#table.transact([{ kind: 'put', item, when }, ...(scope ? [] : [hasVip])]);
      return true;
    } catch (error) {
      if (!(error instanceof TransactionCancelled)) throw error;
      const isVipGone = error.reasons[1]?.code === 'ConditionalCheckFailed';
      if (isVipGone) throw new Superseded(`load balancer ${loadBalancerId} has no VIP`, { cause: error });
      return false;
    }
  }
}

/** An epoch is raised for one amphora only: seen for another one, it belongs to somebody else. */
function checkEpoch(seen: Ownership | undefined, amphoraId: string | null, epoch: number): void {
  if (!seen || seen.epoch < epoch) return;
  if (seen.epoch === epoch && (seen.amphora_id === amphoraId || seen.amphora_id === null)) return;
  throw new Superseded(`the VIP was taken at epoch ${seen.epoch}, this is epoch ${epoch}`);
}
