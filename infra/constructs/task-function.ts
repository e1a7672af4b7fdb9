// A function of tasks as flows name it: one published version of it, never whatever is newest. An execution keeps the definition it
// began with, and so it ends on the code it began with while the next version is deployed.
import { RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction, VersionOptions } from 'aws-cdk-lib/aws-lambda';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { acknowledgeVersions } from './acknowledge.ts';

export interface TaskFunction {
  functionArn: string;
  versionArn: string;
}

/** A version that no template names any more may still be named by an execution. */
export const keptVersions: VersionOptions = { removalPolicy: RemovalPolicy.RETAIN };

/** The version is another one whenever the code or the configuration is. */
export const taskFunctionOf = (lambda: LambdaFunction): TaskFunction => ({
  functionArn: lambda.functionArn,
  versionArn: lambda.currentVersion.functionArn,
});

/** Any version of it: the role is one for executions old and new. */
export function letInvoke(stateMachine: StateMachine, { functionArn }: TaskFunction): void {
  const actions = ['lambda:InvokeFunction'];
  const resources = [`${functionArn}:*`];
  stateMachine.addToRolePolicy(new iam.PolicyStatement({ actions, resources }));
  acknowledgeVersions(stateMachine, functionArn);
}
