// What cdk-nag's rules find and we stand by, each finding with its reason where it arises.
import { type CfnElement, Stack, Validations } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';

const acknowledge = (scope: IConstruct, rule: string, reason: string) =>
  Validations.of(scope).acknowledge({ id: `AwsSolutions::AwsSolutions-${rule}`, reason });

export const acknowledgeRule = (scope: IConstruct, rule: 'S1' | 'SMG4' | 'SQS3' | 'VPC7', reason: string): void =>
  acknowledge(scope, rule, reason);

export const acknowledgeAnyResource = (scope: IConstruct, reason: string): void =>
  acknowledge(scope, 'IAM5[Resource::*]', reason);

export const acknowledgeUsersSecrets = (scope: IConstruct): void =>
  acknowledge(
    scope,
    'IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:*]',
    'Secrets of users are not known before they are referred to; the tag each must have is a condition of the permission',
  );

/** Executions are named when they are started. @param pattern of their names, the state machine's first */
export const acknowledgeExecutions = (scope: IConstruct, pattern: string): void =>
  acknowledge(
    scope,
    `IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:${pattern}]`,
    'Names of executions are not known before they are started',
  );

/** The rule names the function by its logical id. */
export function acknowledgeVersions(scope: IConstruct, functionArn: string): void {
  const resolved = Stack.of(scope).resolve(functionArn);
  const named = typeof resolved === 'string' ? resolved : `<${resolved['Fn::GetAtt'].join('.')}>`;
  acknowledge(scope, `IAM5[Resource::${named}:*]`, 'Executions that began before an upgrade invoke the version before');
}

/** The rule names a bucket of another stack by its export. */
export function acknowledgeObjects(scope: IConstruct, bucket: IBucket, prefixes: readonly string[]): void {
  const owner = Stack.of(bucket);
  const { 'Fn::ImportValue': exported } = owner.resolve(owner.exportValue(bucket.bucketArn));
  for (const prefix of prefixes)
    acknowledge(scope, `IAM5[Resource::${exported}/${prefix}/*]`, 'Each archive of logs has a name of its own');
}

/** @param pattern of names and versions of components */
export const acknowledgeImageParts = (scope: IConstruct, pattern: string): void =>
  acknowledge(
    scope,
    `IAM5[Resource::arn:<AWS::Partition>:imagebuilder:<AWS::Region>:<AWS::AccountId>:component/${pattern}]`,
    'Each version of the component has an ARN of its own, and the one before is in use until the pipeline has the next',
  );

/** Ids of what EC2 makes are not known before. */
export function acknowledgeMachines(scope: IConstruct, statements: PolicyStatement[]): void {
  const reason = 'Tags of this deployment are a condition of whatever changes one; to look knows no narrower resource';
  for (const arn of new Set(statements.flatMap(({ resources }) => resources).filter((one) => one.endsWith('*')))) {
    const [, , , , account, ...rest] = arn.split(':');
    const pattern = `arn:<AWS::Partition>:ec2:<AWS::Region>:${account ? '<AWS::AccountId>' : ''}:${rest.join(':')}`;
    acknowledge(scope, `IAM5[Resource::${arn === '*' ? arn : pattern}]`, reason);
  }
}

/** Of a bucket of the same stack. */
export const acknowledgeOwnObjects = (scope: IConstruct, bucket: IBucket, prefix: string): void =>
  acknowledge(
    scope,
    `IAM5[Resource::<${Stack.of(scope).getLogicalId(bucket.node.defaultChild as CfnElement)}.Arn>/${prefix}/*]`,
    'An object for each amphora, which is named by its id',
  );
