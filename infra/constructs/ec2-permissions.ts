// What functions may do with EC2: make machines of this deployment's tag in its subnets and nothing else, and change only what has that
// tag. Tags are given with the request that makes a thing, so nothing is ever without.
import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

const tagKey = 'octavia-serverless';
const loadBalancerKey = 'octavia:load-balancer-id';
const imageKey = 'octavia:image-tag';

export interface Ec2Scope {
  scope: Construct;
  deployment: string;
  subnetIds: string[];
  vpcId: string;
}

export interface MachineParts {
  launchTemplateId: string;
  securityGroupId: string;
  roleArn: string;
  /** The setting `amphora_image`; flavors choose among ours by their tag beside it. */
  imageRule: string;
}

type Conditions = Record<string, Record<string, string | string[]>>;

export class Ec2Permissions {
  readonly #given: Ec2Scope;
  readonly #stack: Stack;

  constructor(given: Ec2Scope) {
    this.#given = given;
    this.#stack = Stack.of(given.scope);
  }

  /** To look, which knows no narrower resource. */
  looks(...actions: string[]): iam.PolicyStatement {
    return statement(actions, ['*'], {});
  }

  builds(machines: MachineParts): iam.PolicyStatement[] {
    const made = ['instance/*', 'volume/*', 'network-interface/*'];
    const { launchTemplateId, securityGroupId, roleArn } = machines;
    const spread = `placement-group/${this.#given.deployment}-spread-*`;
    const used = [...this.#subnets, `security-group/${securityGroupId}`, `launch-template/${launchTemplateId}`, spread];
    return [
      this.#on(['RunInstances'], made.slice(1), this.#asked),
      this.#on(['RunInstances'], ['instance/*'], { StringEquals: { ...this.#asked.StringEquals, ...secured } }),
      this.#on(['RunInstances'], used, {}),
      ...this.#images(machines.imageRule),
      this.#on(['CreateTags'], made, createdBy('RunInstances')),
      this.#on(['CreatePlacementGroup'], [spread], this.#asked),
      this.#on(['CreateTags'], [spread], createdBy('CreatePlacementGroup')),
      statement(['iam:PassRole'], [roleArn], { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } }),
    ];
  }

  ends(): iam.PolicyStatement {
    return this.#on(['TerminateInstances'], ['instance/*'], this.#ours);
  }

  /** @param named groups of users, which a VIP may be given */
  filtersVips(named: readonly string[]): iam.PolicyStatement[] {
    const isOfLoadBalancer = { ...this.#ours, Null: { [`aws:ResourceTag/${loadBalancerKey}`]: 'false' } };
    const groups = [...attached, 'security-group/*'];
    return [
      this.#on(['ModifyNetworkInterfaceAttribute'], groups, this.#ours),
      ...(named.length === 0 ? [] : [this.#on(['ModifyNetworkInterfaceAttribute'], groupsOf(named), {})]),
      this.#on(['CreateSecurityGroup'], ['security-group/*'], this.#asked),
      this.#on(['CreateSecurityGroup'], [`vpc/${this.#given.vpcId}`], {}),
      this.#on(ruleActions, ['security-group/*'], isOfLoadBalancer),
      this.#on(ruleActions, ['security-group-rule/*'], {}),
      this.#on(['CreateTags'], ['security-group/*'], createdBy('CreateSecurityGroup')),
    ];
  }

  /** Beside what filters them. @param named groups of users, which a VIP may be given */
  movesVips(named: readonly string[]): iam.PolicyStatement[] {
    const isOfLoadBalancer = { ...this.#ours, Null: { [`aws:ResourceTag/${loadBalancerKey}`]: 'false' } };
    return [
      this.#on([...addressActions, 'DeleteNetworkInterface'], interfaces, this.#ours),
      this.#on(['AttachNetworkInterface', 'DetachNetworkInterface'], attached, this.#ours),
      this.#on(['CreateNetworkInterface'], interfaces, this.#asked),
      this.#on(['CreateNetworkInterface'], ['security-group/*'], this.#ours),
      this.#on(['CreateNetworkInterface'], this.#subnets, {}),
      ...(named.length === 0 ? [] : [this.#on(['CreateNetworkInterface'], groupsOf(named), {})]),
      this.#on(['DeleteSecurityGroup'], ['security-group/*'], isOfLoadBalancer),
      this.#on(['CreateTags'], interfaces, createdBy('CreateNetworkInterface')),
    ];
  }

  /** Of public VIPs. */
  movesElasticIps(): iam.PolicyStatement[] {
    const addresses = ['elastic-ip/*'];
    return [
      this.#on(['AllocateAddress'], addresses, this.#asked),
      this.#on(['CreateTags'], addresses, createdBy('AllocateAddress')),
      this.#on(['ReleaseAddress'], addresses, this.#ours),
      this.#on(['AssociateAddress', 'DisassociateAddress'], [...addresses, 'network-interface/*'], this.#ours),
    ];
  }

  get #asked() {
    return { StringEquals: { [`aws:RequestTag/${tagKey}`]: this.#given.deployment } };
  }

  get #ours() {
    return { StringEquals: { [`aws:ResourceTag/${tagKey}`]: this.#given.deployment } };
  }

  get #subnets(): string[] {
    return this.#given.subnetIds.map((id) => `subnet/${id}`);
  }

  /** Images belong to no account in their ARN. */
  #images(rule: string): iam.PolicyStatement[] {
    const { partition, region, account } = this.#stack;
    const runs = (id: string, conditions: Conditions) =>
      statement(['ec2:RunInstances'], [`arn:${partition}:ec2:${region}::image/${id}`], conditions);
    const isTagged = { Null: { [`aws:ResourceTag/${imageKey}`]: 'false' } };
    const ours = runs('*', { StringEquals: { 'ec2:Owner': account }, ...isTagged });
    if (rule.startsWith('ami-')) return [ours, runs(rule, {})];
    const owner = /^name:(\w+)\//.exec(rule)?.[1];
    if (owner === undefined) return [ours];
    return [ours, runs('*', { StringEquals: { 'ec2:Owner': owner === 'self' ? account : owner } })];
  }

  #on(actions: readonly string[], resources: string[], conditions: Conditions): iam.PolicyStatement {
    const { partition, region, account } = this.#stack;
    const arns = resources.map((resource) => `arn:${partition}:ec2:${region}:${account}:${resource}`);
    return statement(
      actions.map((action) => `ec2:${action}`),
      arns,
      conditions,
    );
  }
}

const addressActions = [
  'AssignPrivateIpAddresses',
  'UnassignPrivateIpAddresses',
  'AssignIpv6Addresses',
  'UnassignIpv6Addresses',
];
const ruleActions = ['AuthorizeSecurityGroupIngress', 'RevokeSecurityGroupIngress'];
const interfaces = ['network-interface/*'];
const attached = [...interfaces, 'instance/*'];
const groupsOf = (ids: readonly string[]) => ids.map((id) => `security-group/${id}`);
/** Whatever a request or a later version of the template says. */
const secured = { 'ec2:MetadataHttpTokens': 'required' };
const createdBy = (...actions: string[]): Conditions => ({ StringEquals: { 'ec2:CreateAction': actions } });

const statement = (actions: readonly string[], resources: string[], conditions: Conditions) =>
  new iam.PolicyStatement({ actions: [...actions], resources, conditions });
