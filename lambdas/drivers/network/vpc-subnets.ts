// Subnets of a VPC as the control plane is told of them: what of each is for amphorae, what for VIPs, and by which ids clients know them.
import { handedOut, type SubnetSettings, stableId } from './subnets.ts';

export interface VpcSubnet {
  /** AWS's id; clients see a UUID made of it. */
  id: string;
  vpc: string;
  name?: string;
  zone: string;
  cidr: string;
  /** Where VIPs get their addresses: reserved in the subnet, so that AWS gives them to nobody of its own accord. None: there are no VIPs. */
  vips?: string;
  /** Of a subnet with IPv6, likewise: clients see a second subnet. */
  cidr_v6?: string;
  vips_v6?: string;
  /** Amphorae are put here. */
  amphorae?: boolean;
  /** Each VIP of it gets an Elastic IP. */
  public?: boolean;
}

/** @throws Error that says what is wrong with the setting */
export function parseSubnets(text: string): VpcSubnet[] {
  if (text === '') return [];
  const subnets = JSON.parse(text) as VpcSubnet[];
  if (!Array.isArray(subnets)) throw new Error('setting subnets: expected a JSON array');
  for (const { id, vpc, zone, cidr } of subnets)
    if (!id || !vpc || !zone || !cidr) throw new Error('setting subnets: each needs id, vpc, zone and cidr');
  for (const { id, cidr, vips, cidr_v6, vips_v6 } of subnets) {
    if (vips !== undefined) checkRange(`${id}: vips`, cidr, vips);
    if (vips_v6 !== undefined) checkRange(`${id}: vips_v6`, cidr_v6, vips_v6);
  }
  return subnets;
}

/** AWS keeps the first four addresses and the last of a subnet. */
function checkRange(name: string, cidr: string | undefined, range: string): void {
  const wrong = `setting subnets: ${name}: ${range} is not within ${cidr}, without its first four addresses and its last`;
  try {
    const [whole, part] = [cidr ?? '', range].map((one) => handedOut({ cidr: one, range: one }));
    const isWithin = part!.first >= whole!.first + 4n && part!.last < whole!.last;
    if (!isWithin || part!.ip_version !== whole!.ip_version) throw new RangeError(range);
  } catch (cause) {
    throw new Error(wrong, { cause });
  }
}

/** An AWS subnet of both families is two subnets of Neutron's. */
export const subnetSettings = ({ id, vpc, name, zone, cidr, vips, cidr_v6, vips_v6 }: VpcSubnet): SubnetSettings[] => {
  const network = { network_name: vpc, availability_zone: zone };
  const of = (key: string, ofCidr: string, range: string | undefined): SubnetSettings => ({
    ...network,
    name: key === id ? (name ?? id) : `${name ?? id}-v6`,
    key,
    cidr: ofCidr,
    range: range ?? null,
  });
  return [of(id, cidr, vips), ...(cidr_v6 === undefined ? [] : [of(version6(id), cidr_v6, vips_v6)])];
};

const version6 = (id: string) => `${id}#v6`;

/** The AWS subnets by the ids that clients know, of either family. */
export const byStableId = (subnets: VpcSubnet[]): Map<string, VpcSubnet> =>
  new Map(
    subnets.flatMap((subnet) => [subnet.id, version6(subnet.id)].map((key) => [stableId(`subnet:${key}`), subnet])),
  );
