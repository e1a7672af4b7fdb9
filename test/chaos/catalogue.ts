// The faults of a run: what can be done on this machine, and to which load balancers.
import { reasonWithoutIpVs } from '../support/keepalived.ts';
import { faults, keepalivedFaults, type Target } from './faults.ts';
import { partitionFaults } from './partition-faults.ts';
import type { Partitions } from './partitions.ts';

export interface ChaosFault {
  name: string;
  strikes: (kind: string) => boolean;
  strike: (target: Target) => void | Promise<void>;
}

const pairOnly = (kind: string): boolean => kind === 'pair';
const only: Record<string, (kind: string) => boolean> = {
  'cut the amphorae of the pair from each other': pairOnly,
  // Tried in the moment it heals, a request may well be sent to the other member: that is no session lost by a fault.
  'cut the load balancer from its members': (kind) => kind !== 'sessions',
  'kill keepalived': (kind) => kind === 'udp',
};

/** @param partitions where the run has a network of its own */
export function catalogueOf(partitions: Partitions | undefined): ChaosFault[] {
  const possible = { ...faults, ...(reasonWithoutIpVs === null ? keepalivedFaults : {}) };
  const all = Object.entries(possible).map(([name, strike]) => ({ name, strike }));
  if (partitions !== undefined)
    for (const [name, fault] of Object.entries(partitionFaults))
      all.push({ name, strike: (target) => fault({ ...target, partitions }) });
  return all.map((one) => ({ ...one, strikes: only[one.name] ?? (() => true) }));
}
