// Where members stand on the ring of SOURCE_IP. HAProxy puts them there by their number, which it otherwise counts up as they come,
// so that a reload or another amphora would send clients elsewhere though no member has changed.
import type { MemberRow } from '../domain/member.ts';
import type { PoolRow } from '../domain/pool.ts';

/** HAProxy's numbers are positive and have 31 bits. */
const largest = 0x7fff_ffff;

const numberOf = ({ id }: MemberRow): number => Number.parseInt(id.slice(-8), 16) & largest || 1;

/** By member id; empty for pools of other algorithms. @param members oldest first: who comes later steps aside */
export function numbersOf({ lb_algorithm }: PoolRow, members: MemberRow[]): Map<string, number> {
  const numbers = new Map<string, number>();
  if (lb_algorithm !== 'SOURCE_IP') return numbers;
  const taken = new Set<number>();
  for (const member of members) {
    let number = numberOf(member);
    while (taken.has(number)) number = (number % largest) + 1;
    taken.add(number);
    numbers.set(member.id, number);
  }
  return numbers;
}
