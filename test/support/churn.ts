// A pool whose members never rest: added, removed, weighed, drained, disabled and enabled by single calls at once and by batches, by a
// fixed seed. It remembers what was asked for, so that it can be compared with what HAProxy does in the end.
import type { OctaviaClient, Resource } from './octavia-client.ts';

/** What a member is, beside its id. */
export interface Wanted {
  address: string;
  protocol_port: number;
  weight: number;
  admin_state_up: boolean;
}

const atOnce = 6;
const singlesPerRound = 18;
const membersPerBatch = 40;
const roundsPerBatch = 2;

export class MemberChurn {
  /** Members added, removed or changed so far, as the API accepted it. */
  changes = 0;
  calls = 0;
  /** By id. Those that stay are not among them. */
  readonly #members = new Map<string, Wanted>();
  readonly #api: OctaviaClient;
  readonly #pool: { id: string; loadBalancerId: string; staying: Wanted[]; memberPort: number };
  /** In [0, 1). */
  readonly #random: () => number;
  #rounds = 0;
  #addresses = 0;

  /** @param pool `memberPort` is answered on every loopback address */
  constructor(
    api: OctaviaClient,
    pool: { id: string; loadBalancerId: string; staying: Wanted[]; memberPort: number },
    random: () => number,
  ) {
    this.#api = api;
    this.#pool = pool;
    this.#random = random;
  }

  /** Single calls, several at once; every few rounds a batch; then it waits until all of it is in force. */
  async round(): Promise<void> {
    for (let started = 0; started < singlesPerRound; started += atOnce) {
      // Each has a member of its own, so that the order in which they arrive does not matter.
      const ids = this.#shuffled([...this.#members.keys()]);
      await Promise.all(Array.from({ length: atOnce }, (_, lane) => this.#single(ids[lane])));
    }
    if (++this.#rounds % roundsPerBatch === 0) await this.#batch();
    await this.#api.active(this.#pool.loadBalancerId);
  }

  /** Of every member there should be, by id. */
  async expected(): Promise<Map<string, Wanted>> {
    const listed = await this.#api.list(this.#collection);
    return new Map(listed.map((row) => [row.id, this.#members.get(row.id) ?? asWanted(row)]));
  }

  get #collection(): string {
    return `pools/${this.#pool.id}/members`;
  }

  async #single(id: string | undefined): Promise<void> {
    this.calls++;
    this.changes++;
    const wanted = id === undefined ? undefined : this.#members.get(id);
    const kind = wanted === undefined ? 'add' : kinds[this.#below(kinds.length)]!;
    if (kind === 'add' || id === undefined || wanted === undefined) return this.#add();
    if (kind === 'remove') return this.#remove(id);
    const change = this.#changeOf(kind, wanted);
    await this.#api.update(this.#collection, id, change);
    this.#members.set(id, { ...wanted, ...change });
  }

  async #add(): Promise<void> {
    const wanted = this.#another();
    const { id } = await this.#api.create(this.#collection, { ...wanted });
    this.#members.set(id, wanted);
  }

  async #remove(id: string): Promise<void> {
    await this.#api.delete(this.#collection, id);
    this.#members.delete(id);
  }

  /** Half of those that are there go, half of the rest are weighed anew, and as many come. */
  async #batch(): Promise<void> {
    const kept = [...this.#members.values()].filter((_, index) => index % 2 === 0).slice(0, membersPerBatch / 2);
    const weighed = kept.map((one, index) => (index % 2 === 0 ? one : { ...one, weight: one.weight + 1 }));
    const fresh = Array.from({ length: membersPerBatch - kept.length }, () => this.#another());
    const wanted = [...weighed, ...fresh];
    await this.#api.replaceMembers(
      this.#pool.id,
      [...this.#pool.staying, ...wanted].map((one) => ({ ...one })),
    );
    this.calls++;
    this.changes += this.#members.size - kept.length + Math.floor(kept.length / 2) + fresh.length;
    await this.#learn(wanted);
  }

  #changeOf(kind: 'weigh' | 'drain' | 'turn', { weight, admin_state_up }: Wanted): Partial<Wanted> {
    if (kind === 'turn') return { admin_state_up: !admin_state_up };
    return { weight: kind === 'drain' && weight !== 0 ? 0 : weight + 1 + this.#below(50) };
  }

  /** A batch answers without ids. */
  async #learn(wanted: Wanted[]): Promise<void> {
    const byAddress = new Map(wanted.map((one) => [one.address, one]));
    this.#members.clear();
    for (const { id, address, provisioning_status } of await this.#api.list(this.#collection)) {
      const one = byAddress.get(String(address));
      if (one !== undefined && provisioning_status !== 'PENDING_DELETE') this.#members.set(id, one);
    }
    if (this.#members.size !== wanted.length) throw new Error(`${this.#members.size} of ${wanted.length} are there`);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #shuffled(ids: string[]): string[] {
    const keyed = ids.map((id): [number, string] => [this.#random(), id]);
    return keyed.sort(([a], [b]) => a - b).map(([, id]) => id);
  }

  #another(): Wanted {
    const number = this.#addresses++;
    const address = `127.${20 + ((number >> 16) & 15)}.${(number >> 8) & 255}.${number & 255}`;
    return { address, protocol_port: this.#pool.memberPort, weight: 1 + this.#below(9), admin_state_up: true };
  }
}

const kinds = ['add', 'remove', 'weigh', 'drain', 'turn'] as const;

const asWanted = (row: Resource): Wanted => ({
  address: String(row['address']),
  protocol_port: Number(row['protocol_port']),
  weight: Number(row['weight']),
  admin_state_up: row['admin_state_up'] === true,
});
