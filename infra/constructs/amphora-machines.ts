// What machines of amphorae have alike: their role, the template they are started by, and the bucket they fetch their keys from; and who
// of the functions may make, end and plug them.
import { CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { SettingName } from '../../lambdas/runtime/config.ts';
import type { AmphoraChoices } from '../amphora-choices.ts';
import type { FunctionSpec } from '../functions.ts';
import type { Stateful } from '../stacks/stateful.ts';
import { acknowledgeMachines, acknowledgeOwnObjects, acknowledgeRule } from './acknowledge.ts';
import type { AmphoraNetwork } from './amphora-network.ts';
import { Ec2Permissions } from './ec2-permissions.ts';

export interface AmphoraMachinesProps {
  deployment: string;
  choices: AmphoraChoices;
  imageRule: string;
  network: AmphoraNetwork;
  vpcId: string;
  stateful: Stateful;
  heartbeats: Queue;
}

const rootGigabytes = 8;
/** Of Debian's images, and of ours, which are made of them. */
const rootDevice = '/dev/xvda';
const bootPrefix = 'boot';
const kitPrefix = 'kit';
/** Longer than any URL is given out for (setting `boot_right_ms`). */
const oldestSignatureMs = 3_600_000;

export class AmphoraMachines extends Construct {
  readonly #props: AmphoraMachinesProps;
  readonly #role: iam.Role;
  readonly #template: ec2.CfnLaunchTemplate;
  readonly #bundles: Bucket;

  constructor(scope: Construct, props: AmphoraMachinesProps) {
    super(scope, 'Amphorae');
    this.#props = props;
    this.#role = this.#makeRole();
    this.#template = this.#makeTemplate();
    this.#bundles = this.#makeBundles();
  }

  /** Of what a function of this kind has to know. */
  settingsFor({ machines, vips }: FunctionSpec): Partial<Record<SettingName, string>> {
    const { deployment, network } = this.#props;
    if (!machines && !vips) return {};
    return {
      deployment_name: deployment,
      subnets: JSON.stringify(network.subnets),
      ...(machines && { boot_bucket_name: this.#bundles.bucketName }),
      ...(machines === 'builds' && {
        launch_template_id: this.#template.ref,
        amphora_security_groups: network.securityGroup.securityGroupId,
        heartbeats_queue_url: this.#queueUrl(),
      }),
    };
  }

  grantTo(lambda: LambdaFunction, { machines, vips }: FunctionSpec): void {
    const statements = [...this.#onMachines(machines), ...this.#onVips(vips)];
    if (statements.length === 0) return;
    for (const statement of statements) lambda.addToRolePolicy(statement);
    acknowledgeMachines(lambda.role!, statements);
    if (!machines) return;
    const objectActions = machines === 'builds' ? ['PutObject', 'GetObject', 'DeleteObject'] : ['DeleteObject'];
    lambda.addToRolePolicy(
      new iam.PolicyStatement({
        actions: objectActions.map((action) => `s3:${action}`),
        resources: [this.#bundles.arnForObjects(`${bootPrefix}/*`)],
      }),
    );
    acknowledgeOwnObjects(lambda.role!, this.#bundles, bootPrefix);
    if (machines !== 'builds') return;
    // URLs it signs for its amphorae allow what it may itself.
    lambda.addToRolePolicy(
      new iam.PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [this.#bundles.arnForObjects(`${kitPrefix}/*`)],
      }),
    );
    acknowledgeOwnObjects(lambda.role!, this.#bundles, kitPrefix);
  }

  get #permissions(): Ec2Permissions {
    const { deployment, network, vpcId } = this.#props;
    return new Ec2Permissions({ scope: this, deployment, vpcId, subnetIds: network.subnets.map(({ id }) => id) });
  }

  #onMachines(machines: FunctionSpec['machines']): iam.PolicyStatement[] {
    if (machines === undefined) return [];
    const permissions = this.#permissions;
    const looking = permissions.looks('ec2:DescribeInstances', 'ec2:DescribeImages');
    const always = [looking, permissions.ends()];
    if (machines === 'ends') return always;
    const { network, imageRule } = this.#props;
    return [
      ...always,
      ...permissions.builds({
        launchTemplateId: this.#template.ref,
        securityGroupId: network.securityGroup.securityGroupId,
        roleArn: this.#role.roleArn,
        imageRule,
      }),
    ];
  }

  #onVips(vips: FunctionSpec['vips']): iam.PolicyStatement[] {
    if (vips !== 'filters' && vips !== 'moves') return [];
    const { network, choices } = this.#props;
    const permissions = this.#permissions;
    const isPublic = network.subnets.some((subnet) => subnet.public);
    const looked = ['NetworkInterfaces', 'SecurityGroups', 'SecurityGroupRules', 'Addresses'];
    const looks = permissions.looks(...looked.map((what) => `ec2:Describe${what}`));
    const filters = [looks, ...permissions.filtersVips(choices.vipSecurityGroups)];
    if (vips === 'filters') return filters;
    return [
      ...filters,
      ...permissions.movesVips(choices.vipSecurityGroups),
      ...(isPublic ? permissions.movesElasticIps() : []),
    ];
  }

  /** Heartbeats, and no more: what amphorae fetch and put they are given URLs for. */
  #makeRole(): iam.Role {
    const { heartbeats, vpcId } = this.#props;
    const role = new iam.Role(this, 'Role', {
      description: 'Amphorae',
      assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['sqs:SendMessage'],
        resources: [heartbeats.queueArn],
        conditions: { StringEquals: { 'aws:Ec2InstanceSourceVpc': vpcId } },
      }),
    );
    return role;
  }

  #makeTemplate(): ec2.CfnLaunchTemplate {
    const profile = new iam.CfnInstanceProfile(this, 'Profile', { roles: [this.#role.roleName] });
    return new ec2.CfnLaunchTemplate(this, 'Template', {
      launchTemplateData: {
        iamInstanceProfile: { arn: profile.attrArn },
        metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
        instanceInitiatedShutdownBehavior: 'terminate',
        blockDeviceMappings: [
          {
            deviceName: rootDevice,
            ebs: { volumeType: 'gp3', volumeSize: rootGigabytes, encrypted: true, deleteOnTermination: true },
          },
        ],
      },
    });
  }

  /** Keys of amphorae lie here from their build to their end, or for a day: nobody reads them after the first boot. */
  #makeBundles(): Bucket {
    const bucket = new Bucket(this, 'Bundles', {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.#props.stateful.key,
      bucketKeyEnabled: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.DESTROY,
      // The kit stays.
      lifecycleRules: [{ prefix: `${bootPrefix}/`, expiration: Duration.days(1) }],
    });
    bucket.addToResourcePolicy(
      new iam.PolicyStatement({
        effect: iam.Effect.DENY,
        principals: [new iam.AnyPrincipal()],
        actions: ['s3:GetObject'],
        resources: [bucket.arnForObjects('*')],
        conditions: { NumericGreaterThan: { 's3:signatureAge': String(oldestSignatureMs) } },
      }),
    );
    new CfnOutput(this, 'BootBucket', {
      value: bucket.bucketName,
      description: 'Of boot bundles, and of a kit for stock images',
    });
    acknowledgeRule(
      bucket,
      'S1',
      'Its objects are there for a day at most, and one function makes the URLs they are read by',
    );
    return bucket;
  }

  #queueUrl(): string {
    const { choices, heartbeats } = this.#props;
    if (choices.egress !== 'ipv6') return heartbeats.queueUrl;
    const { region, account } = Stack.of(this);
    return `https://sqs.${region}.api.aws/${account}/${heartbeats.queueName}`;
  }
}
