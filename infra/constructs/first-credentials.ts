// Calls the function that makes the first user, once it may do its work, and says where the password lies.
import { CfnOutput, CustomResource, Duration } from 'aws-cdk-lib';
import type { CfnFunction, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';

export function addFirstCredentials(scope: Construct, lambda: LambdaFunction, secret: ISecret): void {
  const { code } = lambda.node.defaultChild as CfnFunction;
  const called = new CustomResource(scope, 'FirstCredentials', {
    serviceToken: lambda.functionArn,
    resourceType: 'Custom::FirstCredentials',
    serviceTimeout: Duration.minutes(5),
    // Roles that a newer version knows of are made when its code is there.
    properties: { secret: secret.secretArn, code: (code as CfnFunction.CodeProperty).s3Key },
  });
  called.node.addDependency(lambda);
  new CfnOutput(scope, 'AdminCredentials', {
    value: secret.secretArn,
    description: 'aws secretsmanager get-secret-value --query SecretString --output text --secret-id <this>',
  });
}
