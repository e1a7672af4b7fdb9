// The chain of looks at the health of amphorae: each link is a delayed message that sends the next, and one chain lives at a time.
import type { Condition } from '../drivers/table/table.ts';
import { passes } from './passes.ts';
import type { Store } from './store.ts';

export interface Link {
  chain: string;
  number: number;
}

const key = { pk: 'HEALTH#watch', sk: 'CHAIN' };

/** From here on the links of any other chain lead nowhere. @returns false while a chain lives: one that moved since */
export function beginChain(store: Store, chain: string, since: number): Promise<boolean> {
  const set = { chain, next: 1, moved_at: store.clock.now() };
  const begin = (when: Condition) => passes(store, [{ kind: 'update', key, set, when }]);
  return begin({ exists: false }).then((isFirst) => isFirst || begin({ below: { moved_at: since } }));
}

/** @returns false for a link that was taken before, or is of a chain that was given up */
export function takeLink(store: Store, { chain, number }: Link): Promise<boolean> {
  const set = { next: number + 1, moved_at: store.clock.now() };
  return passes(store, [{ kind: 'update', key, set, when: { equals: { chain, next: number } } }]);
}
