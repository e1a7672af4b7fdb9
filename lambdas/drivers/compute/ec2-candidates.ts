// Where and as what a machine may be started, the best first: EC2 has no room in a zone or for a type at times, and then another may do.
import { createHash } from 'node:crypto';
import { DriverError } from '../../domain/errors.ts';
import type { VpcSubnet } from '../network/vpc-subnets.ts';
import type { AmphoraBoot } from './compute-driver.ts';

export interface Candidate {
  instanceType: string;
  subnet: VpcSubnet;
  /** Spread placement group; undefined: on whatever host. */
  group: string | undefined;
}

export interface CandidateOptions {
  /** Types of amphorae whose flavor asks for none, the best first. */
  instanceTypes: readonly string[];
  subnets: readonly VpcSubnet[];
  deployment: string;
  /** Spread placement groups there may be; a group holds seven machines in a zone, and all load balancers share them. */
  spreadGroups: number;
}

const numberOf = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE(0);
const inTurn = <T>(all: readonly T[], begin: number): T[] => all.map((_, index) => all[(begin + index) % all.length]!);

/** The machines of one server group find the same group, without asking anybody. When it is full, on any host is better than nowhere. */
function groupsFor(
  { server_group }: AmphoraBoot,
  { deployment, spreadGroups }: CandidateOptions,
): (string | undefined)[] {
  if (!server_group || spreadGroups === 0) return [undefined];
  return [`${deployment}-spread-${numberOf(server_group) % spreadGroups}`, undefined];
}

/** @throws DriverError when no subnet is for amphorae there */
export function candidatesFor(boot: AmphoraBoot, options: CandidateOptions): Candidate[] {
  const zone = boot.availability_zone;
  const there = options.subnets.filter((subnet) => subnet.amphorae && (zone === null || subnet.zone === zone));
  if (there.length === 0)
    throw new DriverError(`no subnet of setting subnets is for amphorae in zone ${zone ?? '(any)'}`);
  // Load balancers begin at different zones.
  const subnets = inTurn(there, numberOf(boot.amphora_id));
  const types = boot.compute_flavor?.split(',').map((type) => type.trim()) ?? options.instanceTypes;
  return types.flatMap((instanceType) =>
    subnets.flatMap((subnet) => groupsFor(boot, options).map((group) => ({ instanceType, subnet, group }))),
  );
}
