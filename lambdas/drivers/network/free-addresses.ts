// Picks the lowest free address of a subnet without reading the whole subnet: it remembers below which address nothing
// was free. The table's conditional write decides who gets an address; this only proposes.
import type { Table } from '../table/table.ts';
import type { AddressRange } from './subnets.ts';

export const addressKey = (subnetId: string, number: bigint) => ({
  pk: `NET#${subnetId}`,
  // Fixed width, so that the table's order is the order of the numbers.
  sk: `ADDR#${number.toString(16).padStart(32, '0')}`,
});

/** Addresses read at a time while looking for a gap. */
const pageLength = 500;

export class FreeAddresses {
  readonly #table: Table;
  readonly #subnetId: string;
  readonly #range: AddressRange;
  /** Nothing below is known to be free, but for what was given back. */
  #next: bigint;
  readonly #givenBack = new Set<bigint>();
  /** Proposed, and neither taken nor refused yet: two allocations at a time must not try for the same one. */
  readonly #proposed = new Set<bigint>();
  #search: Promise<void> | undefined;

  constructor(table: Table, subnetId: string, range: AddressRange) {
    this.#table = table;
    this.#subnetId = subnetId;
    this.#range = range;
    this.#next = range.first;
  }

  /**
   * Has `take` try for one address after the other until it says that it got it.
   * @returns false when the subnet is full
   */
  async pick(take: (number: bigint) => Promise<boolean>): Promise<boolean> {
    let isSecondLook = false;
    for (;;) {
      const number = this.#propose();
      if (number !== undefined) {
        if (await this.#try(number, take)) return true;
        await this.#skipTaken(this.#next);
      } else {
        if (isSecondLook) return false;
        isSecondLook = true;
        // What other processes gave back lies below.
        await this.#skipTaken(this.#range.first);
      }
    }
  }

  giveBack(number: bigint): void {
    if (number >= this.#range.first && number < this.#next) this.#givenBack.add(number);
  }

  async #try(number: bigint, take: (number: bigint) => Promise<boolean>): Promise<boolean> {
    try {
      return await take(number);
    } catch (error) {
      this.giveBack(number);
      throw error;
    } finally {
      this.#proposed.delete(number);
    }
  }

  #propose(): bigint | undefined {
    let [number] = [...this.#givenBack].sort((one, other) => (one < other ? -1 : 1));
    if (number === undefined) {
      number = this.#next;
      while (this.#proposed.has(number)) number += 1n;
      if (number > this.#range.last) return undefined;
      this.#next = number + 1n;
    }
    this.#givenBack.delete(number);
    this.#proposed.add(number);
    return number;
  }

  /** Another process got ahead, or this one is new: moves on to the next gap. One search serves all who wait. */
  #skipTaken(from: bigint): Promise<void> {
    this.#search ??= this.#firstGap(from).then((gap) => {
      this.#next = gap;
    });
    return this.#search.finally(() => {
      this.#search = undefined;
    });
  }

  async #firstGap(from: bigint): Promise<bigint> {
    const { pk, sk: low } = addressKey(this.#subnetId, from);
    const { sk: high } = addressKey(this.#subnetId, this.#range.last);
    let wanted = from;
    let after: string | undefined;
    while (low <= high) {
      const page = await this.#table.query({ pk, between: [low, high], limit: pageLength, after });
      for (const { sk } of page.items) {
        if (BigInt(`0x${sk.slice('ADDR#'.length)}`) !== wanted) return wanted;
        wanted += 1n;
      }
      if (page.next === undefined) break;
      after = page.next;
    }
    return wanted;
  }
}
