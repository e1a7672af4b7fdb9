// What clients know after their writes: which resources there are, and what their attributes may be. A write whose answer was cut off
// may have happened or not; everything else is certain.

export type Kind = 'loadbalancer' | 'listener' | 'pool' | 'healthmonitor' | 'l7policy' | 'l7rule';

/** Weights by address. */
export type Members = Map<string, number>;

export interface Known {
  kind: Kind;
  /** No two resources have the same, and it stays; of a rule its key, of others the name. */
  tag: string;
  /** Unknown as long as the answer to its creation is. */
  id: string | undefined;
  parent: Known | undefined;
  existence: 'there' | 'gone' | 'either';
  /** What the attribute that updates change may be. */
  values: Set<string>;
  /** The write group that changed the value last. */
  group: number;
  /** Of a pool: each set its members may be. */
  members: Members[];
}

export type Outcome = 'accepted' | 'refused' | 'unknown';

export class HistoryModel {
  readonly all: Known[] = [];
  group = 0;
  #numbers = 0;

  number = (): number => ++this.#numbers;

  there(kind: Kind): Known[] {
    return this.all.filter((one) => one.kind === kind && one.existence === 'there' && one.id !== undefined);
  }

  pick(kind: Kind, n: number): Known | undefined {
    const some = this.there(kind);
    return some[n % some.length];
  }

  loadBalancerOf(one: Known): Known {
    return one.parent === undefined ? one : this.loadBalancerOf(one.parent);
  }

  add(given: Pick<Known, 'kind' | 'tag' | 'parent'> & Partial<Known>): Known {
    const one: Known = {
      ...{ id: undefined, existence: 'either', group: this.group, values: new Set(['']), members: [new Map()] },
      ...given,
    };
    this.all.push(one);
    return one;
  }

  isBelow = (one: Known, ancestor: Known): boolean =>
    one === ancestor || (one.parent !== undefined && this.isBelow(one.parent, ancestor));

  updated(one: Known, value: string, outcome: Outcome): void {
    if (outcome === 'refused') return;
    // Of two that were sent at once, either may have been last.
    if (outcome === 'accepted' && one.group !== this.group) one.values.clear();
    if (outcome === 'accepted') one.group = this.group;
    one.values.add(value);
  }

  deleted(one: Known, outcome: Outcome): void {
    if (outcome === 'refused') return;
    for (const each of this.all.filter((other) => this.isBelow(other, one)))
      if (each.existence !== 'gone') each.existence = outcome === 'accepted' ? 'gone' : 'either';
  }

  membersChanged(pool: Known, next: Members, outcome: Outcome): void {
    if (outcome === 'accepted') pool.members = [next];
    if (outcome === 'unknown') pool.members.push(next);
  }
}
