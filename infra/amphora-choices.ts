// What whoever deploys may choose of amphorae: context `octavia:subnets`, `octavia:amphora_egress`, `octavia:public_vips`,
// `octavia:member_cidrs`, and the settings of the drivers for EC2 and VPC.
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { parseSubnets, type VpcSubnet } from '../lambdas/drivers/network/vpc-subnets.ts';
import type { SettingName } from '../lambdas/runtime/config.ts';
import type { GivenVpc, ImageChoice } from './settings.ts';

/** A subnet that is there already, as the setting `subnets` has it; its VPC is the given one. */
export type GivenSubnet = Omit<VpcSubnet, 'vpc'>;

/** How heartbeats get to SQS; all else amphorae need of AWS comes through the free gateway of S3. */
export const egresses = ['ipv6', 'endpoint', 'given'] as const;
export type Egress = (typeof egresses)[number];

export interface AmphoraChoices {
  egress: Egress;
  /** In a given VPC; undefined: those that are made. */
  subnets: GivenSubnet[] | undefined;
  /** Of the VPC that is made: VIPs get Elastic IPs. */
  areVipsPublic: boolean;
  /** Where members are. */
  memberCidrs: string[];
  /** Groups that users may name for a VIP. */
  vipSecurityGroups: string[];
}

type Context = Record<string, unknown>;
export const amphoraKeys = ['subnets', 'amphora_egress', 'public_vips', 'member_cidrs'] as const;

export const invalid = (key: string, problem: string) => new Error(`context octavia:${key}: ${problem}`);

function read<T>(context: Context, key: (typeof amphoraKeys)[number]): T | undefined {
  const given = context[key];
  if (typeof given !== 'string' || !/^[[{]/.test(given)) return given as T | undefined;
  try {
    return JSON.parse(given) as T;
  } catch (cause) {
    throw new Error(`context octavia:${key}: is not JSON`, { cause });
  }
}

/** Where the AMIs are that the pipelines of this deployment make. */
export function amphoraDefaults(name: string, image: ImageChoice | undefined): Partial<Record<SettingName, string>> {
  const architecture = image?.architectures[0] ?? 'arm64';
  const family = architecture === 'arm64' ? 't4g' : 't3';
  return { amphora_image: `tag:${name}-${architecture}`, instance_types: `${family}.small,${family}.medium` };
}

/** @throws Error that names the context key and what is wrong with it */
export function amphoraChoicesOf(
  context: Context,
  vpc: GivenVpc | undefined,
  settings: Partial<Record<SettingName, string>>,
): AmphoraChoices | undefined {
  const drivers = [settings.compute_driver, settings.network_driver];
  if (drivers.join() === 'noop,noop') return noAmphorae(context);
  if (drivers.join() !== 'ec2,vpc')
    throw invalid(
      'compute_driver',
      `"${drivers[0]}" does not go with network_driver "${drivers[1]}": ec2 and vpc, or noop both`,
    );
  if (settings.amphora_driver === 'noop') throw invalid('amphora_driver', 'noop goes with compute_driver noop alone');
  checkImage(settings.amphora_image!);
  const subnets = subnetsOf(read(context, 'subnets'), vpc);
  const egress = egressOf(context['amphora_egress'], vpc, subnets);
  const areVipsPublic = String(context['public_vips'] ?? false) === 'true';
  if (areVipsPublic && vpc) throw invalid('public_vips', 'is of a VPC that is made; say "public" of a given subnet');
  return {
    egress,
    subnets,
    areVipsPublic,
    memberCidrs: cidrsOf(read(context, 'member_cidrs'), vpc),
    vipSecurityGroups: settings.vip_security_groups?.split(',').flatMap((one) => one.trim() || []) ?? [],
  };
}

function noAmphorae(context: Context): undefined {
  const [meaningless] = amphoraKeys.filter((key) => context[key] !== undefined);
  if (meaningless) throw invalid(meaningless, 'means nothing with compute_driver noop');
}

function subnetsOf(given: GivenSubnet[] | undefined, vpc: GivenVpc | undefined): GivenSubnet[] | undefined {
  if (vpc === undefined && given === undefined) return undefined;
  if (vpc === undefined) throw invalid('subnets', 'are of a given VPC; octavia:vpc names none');
  if (!Array.isArray(given) || given.length === 0)
    throw invalid('subnets', 'a given VPC needs them: [{"id","zone","cidr","vips","amphorae":true}, ...]');
  for (const subnet of given) checkSubnet(subnet, vpc);
  checkAsDriver(given, vpc);
  if (!given.some(({ amphorae }) => amphorae)) throw invalid('subnets', 'none is for amphorae: "amphorae": true');
  if (!given.some(({ vips, vips_v6 }) => vips ?? vips_v6))
    throw invalid('subnets', 'none has addresses for VIPs: "vips"');
  const homes = new Set(given.filter(({ amphorae }) => amphorae).map(({ zone }) => zone));
  const homeless = given.find(({ zone }) => !homes.has(zone));
  if (homeless)
    throw invalid('subnets', `VIPs of ${homeless.id} would have no amphora: none is in zone ${homeless.zone}`);
  return given;
}

function checkSubnet({ id, zone, cidr, vips, cidr_v6, vips_v6 }: GivenSubnet, vpc: GivenVpc): void {
  if (!/^subnet-[0-9a-f]+$/.test(id ?? '') || !zone) throw invalid('subnets', `"${id}" needs id and zone`);
  if (!vpc.availability_zones.includes(zone)) throw invalid('subnets', `${id}: octavia:vpc has no zone ${zone}`);
  if (!isCidr(cidr, 4)) throw invalid('subnets', `${id}: cidr "${cidr}" is none`);
  for (const [version, range, whole] of [
    [4, vips, cidr],
    [6, vips_v6, cidr_v6],
  ] as const) {
    if (range === undefined) continue;
    if (!isCidr(range, version) || whole === undefined || !isWithin(range, whole))
      throw invalid('subnets', `${id}: "${range}" is no part of ${whole}`);
  }
}

/** As functions will judge them: what they would not start with is no deployment. */
function checkAsDriver(given: GivenSubnet[], { id: vpc }: GivenVpc): void {
  try {
    parseSubnets(JSON.stringify(given.map((subnet) => ({ ...subnet, vpc }))));
  } catch (error) {
    throw invalid('subnets', (error as Error).message.replace(/^setting subnets: /, ''));
  }
}

function egressOf(given: unknown, vpc: GivenVpc | undefined, subnets: GivenSubnet[] | undefined): Egress {
  const egress = (given ?? (vpc ? 'given' : 'ipv6')) as Egress;
  if (!egresses.includes(egress)) throw invalid('amphora_egress', `"${egress}" is none of ${egresses.join(', ')}`);
  if (egress === 'given' && vpc === undefined)
    throw invalid('amphora_egress', 'a VPC that is made has no way out; ipv6 or endpoint makes one');
  const without = egress === 'ipv6' && subnets?.find(({ amphorae, cidr_v6 }) => amphorae && cidr_v6 === undefined);
  if (without) throw invalid('amphora_egress', `ipv6 needs cidr_v6 of ${without.id}`);
  return egress;
}

function cidrsOf(given: unknown, vpc: GivenVpc | undefined): string[] {
  const cidrs = (given ?? [vpc?.cidr ?? newVpcCidr]) as string[];
  const wrong = [cidrs].flat().find((cidr) => !isCidr(cidr, 4) && !isCidr(cidr, 6));
  if (!Array.isArray(cidrs) || wrong !== undefined)
    throw invalid('member_cidrs', `"${wrong ?? cidrs}" is not a list of CIDRs`);
  return cidrs;
}

function checkImage(rule: string): void {
  if (/^ami-[0-9a-f]+$|^tag:.+$|^name:\w+\/.+$/.test(rule)) return;
  throw invalid('amphora_image', `"${rule}" is none of ami-ID, tag:VALUE, name:OWNER/PATTERN`);
}

/** Of the VPC that is made. */
export const newVpcCidr = '10.0.0.0/16';

function isCidr(text: unknown, version: 4 | 6): text is string {
  const [address = '', length = '', ...rest] = String(text).split('/');
  const isAddress = version === 4 ? isIPv4(address) : isIPv6(address);
  return isAddress && rest.length === 0 && /^\d+$/.test(length) && Number(length) <= (version === 4 ? 32 : 128);
}

function isWithin(inner: string, outer: string): boolean {
  const [innerAddress, innerLength] = inner.split('/') as [string, string];
  const [outerAddress, outerLength] = outer.split('/') as [string, string];
  if (Number(innerLength) < Number(outerLength)) return false;
  const list = new BlockList();
  const family = inner.includes(':') ? 'ipv6' : 'ipv4';
  list.addSubnet(outerAddress, Number(outerLength), family);
  return list.check(innerAddress, family);
}
