// The security group of each load balancer, whose rules are its listeners: what Octavia does to the VIP's port.
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  type EC2Client,
  type Filter,
  type IpPermission,
  paginateDescribeSecurityGroupRules,
  paginateDescribeSecurityGroups,
  RevokeSecurityGroupIngressCommand,
  type SecurityGroup,
  type SecurityGroupRule,
} from '@aws-sdk/client-ec2';
import { isAlreadyThere, isNotFound } from '../aws-errors.ts';
import { asking } from '../ec2-errors.ts';
import type { VipRule } from './network-driver.ts';
import { loadBalancersOf, madeFor, madeForAny, taggedFor } from './vpc-tags.ts';

/** AWS takes 60 rules in a group unless asked for more; a port with many networks takes them all. */
const rulesAtMost = 60;

export class VpcSecurityGroups {
  readonly #client: () => EC2Client;
  readonly #deployment: string;

  constructor(client: () => EC2Client, deployment: string) {
    this.#client = client;
    this.#deployment = deployment;
  }

  nameFor = (loadBalancerId: string): string => `${this.#deployment}-${loadBalancerId}`;

  /** A name is in a VPC once: who asks a second time is told so. */
  async ensure(loadBalancerId: string, VpcId: string): Promise<string> {
    const known = await this.find(loadBalancerId);
    if (known) return known;
    const GroupName = this.nameFor(loadBalancerId);
    const command = new CreateSecurityGroupCommand({
      GroupName,
      VpcId,
      Description: `Listeners of load balancer ${loadBalancerId}`,
      TagSpecifications: taggedFor('security-group', this.#deployment, loadBalancerId),
    });
    try {
      const { GroupId } = await asking(`security group ${GroupName}`, () => this.#client().send(command));
      return GroupId!;
    } catch (error) {
      if (!isAlreadyThere((error as Error).cause)) throw error;
      const made = await this.find(loadBalancerId);
      // Not seen yet.
      if (made === undefined) throw error;
      return made;
    }
  }

  async find(loadBalancerId: string): Promise<string | undefined> {
    return (await this.#find(madeFor(this.#deployment, loadBalancerId)))[0]?.GroupId;
  }

  /** Load balancers that have one. */
  async tagged(): Promise<string[]> {
    return loadBalancersOf((await this.#find(madeForAny(this.#deployment))).map(({ Tags }) => Tags));
  }

  async #find(Filters: Filter[]): Promise<SecurityGroup[]> {
    return asking('security groups of load balancers', async () => {
      const question = { Filters, MaxResults: 1_000 };
      const pages = await Array.fromAsync(paginateDescribeSecurityGroups({ client: this.#client() }, question));
      return pages.flatMap(({ SecurityGroups = [] }) => SecurityGroups);
    });
  }

  /** What is missing first, so that nothing that stays allowed is shut in between. */
  async setRules(GroupId: string, rules: VipRule[]): Promise<void> {
    const wanted = new Map(withinLimit(rules).map((rule) => [keyOf(rule), rule]));
    const there = (await this.#rulesOf(GroupId)).filter(({ IsEgress }) => !IsEgress);
    const known = new Set(there.map(keyOfThere));
    const missing = [...wanted].filter(([key]) => !known.has(key)).map(([, rule]) => permission(rule));
    const gone = there.filter((rule) => !wanted.has(keyOfThere(rule))).map((rule) => rule.SecurityGroupRuleId!);
    // A full group has no room for what comes until what goes is gone.
    const isTight = there.length + missing.length > rulesAtMost;
    if (isTight) await this.#revoke(GroupId, gone);
    await this.#authorize(GroupId, missing);
    if (!isTight) await this.#revoke(GroupId, gone);
  }

  async remove(loadBalancerId: string): Promise<void> {
    const GroupId = await this.find(loadBalancerId);
    if (GroupId === undefined) return;
    try {
      await asking(`end of security group ${GroupId}`, () =>
        this.#client().send(new DeleteSecurityGroupCommand({ GroupId })),
      );
    } catch (error) {
      if (!isNotFound((error as Error).cause)) throw error;
    }
  }

  async #rulesOf(id: string): Promise<SecurityGroupRule[]> {
    const Filters = [{ Name: 'group-id', Values: [id] }];
    return asking(`rules of ${id}`, async () => {
      const question = { Filters, MaxResults: 1_000 };
      const pages = await Array.fromAsync(paginateDescribeSecurityGroupRules({ client: this.#client() }, question));
      return pages.flatMap(({ SecurityGroupRules = [] }) => SecurityGroupRules);
    });
  }

  async #authorize(GroupId: string, IpPermissions: IpPermission[]): Promise<void> {
    if (IpPermissions.length === 0) return;
    try {
      await asking(`rules for ${GroupId}`, () =>
        this.#client().send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions })),
      );
    } catch (error) {
      if (!isAlreadyThere((error as Error).cause)) throw error;
      // One of them is there and was not seen: refused as a whole, so each for itself.
      if (IpPermissions.length === 1) return;
      for (const one of IpPermissions) await this.#authorize(GroupId, [one]);
    }
  }

  async #revoke(GroupId: string, SecurityGroupRuleIds: string[]): Promise<void> {
    if (SecurityGroupRuleIds.length === 0) return;
    try {
      await asking(`rules from ${GroupId}`, () =>
        this.#client().send(new RevokeSecurityGroupIngressCommand({ GroupId, SecurityGroupRuleIds })),
      );
    } catch (error) {
      if (!isNotFound((error as Error).cause)) throw error;
    }
  }
}

/** HAProxy judges addresses itself: a port with more networks than the group has room for is open to all here. */
function withinLimit(rules: VipRule[]): VipRule[] {
  if (rules.length <= rulesAtMost) return rules;
  const anywhere = (cidr: string) => (cidr.includes(':') ? '::/0' : '0.0.0.0/0');
  const wide = rules.map((rule) => ({ ...rule, cidr: anywhere(rule.cidr) }));
  return [...new Map(wide.map((rule) => [keyOf(rule), rule])).values()];
}

/** EC2 knows SCTP by its number alone, and a rule of such a protocol opens all ports, whichever it names. */
const sctp = '132';
const keyOf = ({ protocol, port, cidr }: VipRule): string =>
  protocol === 'sctp' ? `${sctp} ${cidr}` : `${protocol} ${port} ${cidr}`;

function keyOfThere({ IpProtocol, FromPort, ToPort, CidrIpv4, CidrIpv6 }: SecurityGroupRule): string {
  const ports = FromPort === ToPort ? FromPort : `${FromPort}-${ToPort}`;
  return IpProtocol === sctp ? `${sctp} ${CidrIpv4 ?? CidrIpv6}` : `${IpProtocol} ${ports} ${CidrIpv4 ?? CidrIpv6}`;
}

const permission = ({ protocol, port, cidr }: VipRule): IpPermission => ({
  ...(protocol === 'sctp'
    ? { IpProtocol: sctp, FromPort: -1, ToPort: -1 }
    : { IpProtocol: protocol, FromPort: port, ToPort: port }),
  ...(cidr.includes(':') ? { Ipv6Ranges: [{ CidrIpv6: cidr }] } : { IpRanges: [{ CidrIp: cidr }] }),
});
