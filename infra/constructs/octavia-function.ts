// One Lambda function of the control plane with its log, its environment and its role.
import { join } from 'node:path';
import { Duration, RemovalPolicy, Stage } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { SettingName } from '../../lambdas/runtime/config.ts';
import type { FunctionSpec } from '../functions.ts';
import { keySchema, logPrefixes, type Stateful } from '../stacks/stateful.ts';
import { acknowledgeAnyResource, acknowledgeObjects } from './acknowledge.ts';
import { bundle, bundleHandler } from './bundle.ts';
import { keptVersions } from './task-function.ts';
import { tracingOf } from './tracing.ts';

const readActions = ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query'];
/** A transaction needs the permission of each of its parts, and no other. */
const writeActions = ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:ConditionCheckItem'];

/** What DynamoDB asks for of whoever writes to a table that is encrypted with a key of ours. */
const tableKeyActions = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

export interface OctaviaFunctionProps {
  name: string;
  description: string;
  spec: FunctionSpec;
  settings: Partial<Record<SettingName, string>>;
  stateful: Stateful;
  network: { vpc: IVpc; functionSubnets: SubnetSelection; securityGroup: ISecurityGroup };
}

const environmentOf = (settings: OctaviaFunctionProps['settings']): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([name, text]) => [`OCTAVIA_${name.toUpperCase()}`, text]));

export class OctaviaFunction extends Construct {
  readonly lambda: LambdaFunction;
  readonly #logs: LogGroup;

  constructor(scope: Construct, { name, description, spec, settings, stateful, network }: OctaviaFunctionProps) {
    super(scope, name);
    this.#logs = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const outdir = join(Stage.of(this)!.outdir, 'bundles', name);
    bundle(spec, outdir);
    this.lambda = new LambdaFunction(this, 'Function', {
      description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(outdir),
      handler: bundleHandler,
      memorySize: spec.memoryMb,
      timeout: Duration.seconds(spec.timeoutSeconds),
      role: this.#role(spec),
      environment: environmentOf(settings),
      ...(spec.seals ? { environmentEncryption: stateful.key } : {}),
      logGroup: this.#logs,
      currentVersionOptions: keptVersions,
      tracing: tracingOf(name),
      ...(spec.inVpc
        ? { vpc: network.vpc, vpcSubnets: network.functionSubnets, securityGroups: [network.securityGroup] }
        : {}),
    });
    acknowledgeAnyResource(this.lambda.role!, 'Traces know no narrower resource');
    this.#grantTable(spec, stateful);
    if (spec.seals) this.#giveSealingKey(stateful);
    if (spec.readsAdminSecret) this.#letReadAdminSecret(stateful);
    if (spec.putsObjects) this.#letPutLogs(stateful);
  }

  /** Not the managed policies: those let a function write to any log and, in a VPC, more than it needs. */
  #role({ inVpc }: FunctionSpec): iam.Role {
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    this.#logs.grantWrite(role);
    if (inVpc) {
      role.addToPolicy(networkInterfaces());
      acknowledgeAnyResource(
        role,
        'Lambda asks for these on any network interface before it takes a function into a VPC',
      );
    }
    return role;
  }

  #grantTable({ table: access }: FunctionSpec, { table, key }: Stateful): void {
    if (access === 'none') return;
    const actions = access === 'read' ? readActions : [...readActions, ...writeActions];
    const indexArns = keySchema.indexes.map(({ name }) => `${table.tableArn}/index/${name}`);
    const resources = [table.tableArn, ...indexArns];
    this.lambda.addToRolePolicy(new iam.PolicyStatement({ actions, resources }));
    key.grant(this.lambda, ...(access === 'read' ? ['kms:Decrypt', 'kms:DescribeKey'] : tableKeyActions));
  }

  #letReadAdminSecret({ adminSecret, key }: Stateful): void {
    const resources = [adminSecret.secretArn];
    this.lambda.addToRolePolicy(new iam.PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources }));
    key.grantDecrypt(this.lambda);
  }

  /** Whoever makes a presigned URL lets its holder do no more than it may do itself: to put, never to read or to delete. */
  #letPutLogs({ logs }: Stateful): void {
    const resources = logPrefixes.map((prefix) => logs.arnForObjects(`${prefix}/*`));
    this.lambda.addToRolePolicy(new iam.PolicyStatement({ actions: ['s3:PutObject'], resources }));
    acknowledgeObjects(this.lambda.role!, logs, logPrefixes);
  }

  /**
   * The key comes with the environment, which Lambda keeps encrypted with the key of the deployment: functions inside the VPC do
   * not reach Secrets Manager, and those outside are spared a call in each cold start.
   */
  #giveSealingKey({ sealingKey, key }: Stateful): void {
    this.lambda.addEnvironment('OCTAVIA_SEALING_KEY', sealingKey.secretValue.unsafeUnwrap());
    key.grantDecrypt(this.lambda);
  }
}

const networkInterfaces = () =>
  new iam.PolicyStatement({
    actions: [
      'ec2:CreateNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:DeleteNetworkInterface',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ],
    resources: ['*'],
  });
