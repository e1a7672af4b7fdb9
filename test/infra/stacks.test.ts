import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functionNames, specOf } from '../../infra/functions.ts';
import { Network } from '../../infra/stacks/network.ts';
import { keySchema } from '../../infra/stacks/stateful.ts';
import { outboxPrefix } from '../../lambdas/drivers/queue/outbox.ts';
import { tableDefinition } from '../../lambdas/drivers/table/definition.ts';
import { partitionOf } from '../../lambdas/repositories/keys.ts';
import { rulesHearing } from '../support/heard-events.ts';
import { discard, resolved, resourcesOf, type Synthesised, synthesise, targetOf } from '../support/synthesised.ts';

let stacks: Synthesised;
beforeAll(() => {
  stacks = synthesise();
}, 120_000);
afterAll(() => discard(stacks));

/** Functions of the control plane by the name they are described with. */
const functionsByName = () =>
  new Map(
    Object.entries(resourcesOf(stacks.controlPlane, 'AWS::Lambda::Function')).map(([id, one]) => [
      String(one.Properties['Description']).replace('octavia: ', ''),
      { id, ...one },
    ]),
  );

describe('functions', () => {
  it('makes a function of every entry module', () => {
    const entries = globSync('**/lambda*.ts', { cwd: 'lambdas' }).sort();
    expect(entries.length).toBeGreaterThanOrEqual(14);
    expect(functionNames.map((name) => specOf(name).entry).sort()).toEqual(entries);
    expect([...functionsByName().keys()].sort()).toEqual([...functionNames].sort());
  });

  it('runs them on Node 24 and arm64, each with a role and a log of its own', () => {
    const found = [...functionsByName().values()];
    for (const { Properties } of found) {
      expect(Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'index.handler' });
    }
    expect(new Set(found.map(({ Properties }) => targetOf(Properties['Role']))).size).toBe(found.length);
    expect(new Set(found.map(({ Properties }) => targetOf(Properties['LoggingConfig'].LogGroup))).size).toBe(
      found.length,
    );
  });

  it('puts into the VPC only what talks to amphorae, and has it leave messages in the outbox', () => {
    const inVpc = [...functionsByName()].filter(([, { Properties }]) => Properties['VpcConfig'] !== undefined);
    expect(inVpc.map(([name]) => name).sort()).toEqual(['tasks-amphora', 'worker-apply', 'worker-archives']);
    for (const [, { Properties }] of inVpc) expect(Properties['Environment'].Variables.OCTAVIA_EGRESS).toBe('outbox');
  });

  it('gives the sealing key by reference, encrypted, and only to whom it belongs', () => {
    for (const [name, { Properties }] of functionsByName()) {
      const key = Properties['Environment'].Variables.OCTAVIA_SEALING_KEY;
      expect(key !== undefined, name).toBe(specOf(name as (typeof functionNames)[number]).seals === true);
      if (key === undefined) continue;
      expect(resolved(key)).toMatch(/^\{\{resolve:secretsmanager:.*\}\}$/);
      expect(Properties['KmsKeyArn']).toBeDefined();
    }
  });

  it('lets the scan know how seldom it runs', () => {
    const { Properties } = functionsByName().get('health-scan')!;
    expect(Properties['Environment'].Variables.OCTAVIA_HEALTH_SCAN_INTERVAL_MS).toBe('60000');
  });

  it('lets the API and housekeeping alone read secrets of users, and only those with a tag of a project', () => {
    const byRole = new Map<string, string>();
    for (const [name, { Properties }] of functionsByName()) byRole.set(targetOf(Properties['Role']), name);
    const readers = Object.values(resourcesOf(stacks.controlPlane, 'AWS::IAM::Policy')).flatMap(({ Properties }) =>
      Properties['PolicyDocument'].Statement.filter(({ Action }: { Action: string | string[] }) =>
        [Action].flat().some((action) => action.startsWith('secretsmanager:')),
      ).map((statement: { Condition: unknown; Effect: string }) => ({
        name: byRole.get(targetOf(Properties['Roles'][0])),
        statement,
      })),
    );
    const isTagged = { Null: { 'secretsmanager:ResourceTag/octavia:project': 'false' } };
    const [ofUsers, others] = [
      readers.filter(({ statement }) => statement.Condition),
      readers.filter(({ statement }) => !statement.Condition),
    ];
    expect(ofUsers.map(({ name }) => name).sort()).toEqual(['api', 'housekeeping']);
    for (const { statement } of ofUsers) expect(statement).toMatchObject({ Effect: 'Allow', Condition: isTagged });
    // The password of the first administrator, and no other secret.
    expect(others.map(({ name }) => name)).toEqual(['first-credentials']);
    expect(JSON.stringify(others[0]!.statement)).toMatch(/AdminCredentials/);
  });

  it('shows the first password nowhere but in its secret, which outlives the stack', () => {
    const secrets = Object.entries(resourcesOf(stacks.stateful, 'AWS::SecretsManager::Secret'));
    const [, secret] = secrets.find(([id]) => id.startsWith('AdminCredentials'))!;
    expect(secret.DeletionPolicy).toBe('Retain');
    expect(secret.Properties['SecretString']).toBeUndefined();
    const called = Object.values(resourcesOf(stacks.controlPlane, 'Custom::FirstCredentials'));
    expect(called).toHaveLength(1);
    expect(JSON.stringify([called, functionsByName().get('first-credentials')])).not.toMatch(/resolve:secretsmanager/);
  });

  it('allows no function everything', () => {
    const policies = Object.values(resourcesOf(stacks.controlPlane, 'AWS::IAM::Policy'));
    const actions = policies.flatMap(({ Properties }) =>
      Properties['PolicyDocument'].Statement.flatMap((statement: { Action: string | string[] }) => statement.Action),
    ) as string[];
    expect(actions.length).toBeGreaterThan(100);
    expect(actions.filter((action) => /^\*|^\w+:\*$/.test(action))).toEqual([]);
  });
});

describe('queues', () => {
  const queues = () => resourcesOf(stacks.controlPlane, 'AWS::SQS::Queue');
  const deadLettersOf = (id: string) => queues()[id]?.Properties['RedrivePolicy']?.deadLetterTargetArn;

  it('has a queue of dead letters of the same kind beside each', () => {
    const taken = Object.keys(queues()).filter((id) => deadLettersOf(id) !== undefined);
    expect(taken).toHaveLength(5);
    const ends = taken.map((id) => targetOf(deadLettersOf(id)));
    const others = Object.keys(queues()).filter((id) => !id.startsWith('Undelivered'));
    expect([...taken, ...ends].sort()).toEqual(others.sort());
    for (const id of taken) {
      const end = queues()[targetOf(deadLettersOf(id))]!;
      expect(end.Properties['FifoQueue']).toBe(queues()[id]!.Properties['FifoQueue']);
    }
  });

  it('feeds each to a function that hands back what failed, and hides a message for longer than that may take', () => {
    const sources = Object.values(resourcesOf(stacks.controlPlane, 'AWS::Lambda::EventSourceMapping'));
    const functions = resourcesOf(stacks.controlPlane, 'AWS::Lambda::Function');
    const fed = sources.filter(({ Properties }) => targetOf(Properties['EventSourceArn']).startsWith('queue'));
    expect(fed).toHaveLength(5);
    for (const { Properties } of fed) {
      expect(Properties['FunctionResponseTypes']).toEqual(['ReportBatchItemFailures']);
      const { Timeout } = functions[targetOf(Properties['FunctionName'])]!.Properties as { Timeout: number };
      const hiddenSeconds = queues()[targetOf(Properties['EventSourceArn'])]!.Properties['VisibilityTimeout'];
      expect(hiddenSeconds).toBeGreaterThan(Timeout);
    }
  });

  it('hands on from the stream of the table what lies in the outbox, and what has a status, until it is taken', () => {
    stacks.controlPlane.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      StartingPosition: 'TRIM_HORIZON',
      MaximumRetryAttempts: -1,
      FilterCriteria: {
        Filters: [
          { Pattern: Match.stringLikeRegexp(`"prefix":"${outboxPrefix}"`) },
          { Pattern: Match.stringLikeRegexp(`"prefix":"${partitionOf('')}".*NewImage.*provisioning_status`) },
          { Pattern: Match.stringLikeRegexp(`REMOVE.*"prefix":"${partitionOf('')}".*OldImage.*provisioning_status`) },
        ],
      },
    });
  });
});

describe('schedules and rules', () => {
  it('each has a target that may be invoked by it', () => {
    const rules = Object.entries(resourcesOf(stacks.controlPlane, 'AWS::Events::Rule'));
    expect(rules).toHaveLength(7);
    const permissions = Object.values(resourcesOf(stacks.controlPlane, 'AWS::Lambda::Permission'));
    for (const [id, { Properties }] of rules) {
      expect(Properties['Targets']).toHaveLength(1);
      const target = targetOf(Properties['Targets'][0].Arn);
      const allowed = permissions.filter(({ Properties: { SourceArn } }) => SourceArn && targetOf(SourceArn) === id);
      expect(allowed.map(({ Properties: { FunctionName } }) => targetOf(FunctionName))).toEqual([target]);
    }
  });

  it('hears of machines that EC2 and AWS Health will take away, and of those Auto Scaling launches and ends', () => {
    const rules = Object.values(resourcesOf(stacks.controlPlane, 'AWS::Events::Rule'));
    for (const name of ['heard/health-event', 'heard/spot-interruption', 'heard/lifecycle-terminate', 'scaling-event'])
      expect(rulesHearing(rules, `events/${name}.json`), name).toHaveLength(1);
  });

  it('hears of flows that ended other than well', () => {
    stacks.controlPlane.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: Match.objectLike({
        source: ['aws.states'],
        detail: Match.objectLike({ status: ['FAILED', 'TIMED_OUT', 'ABORTED'] }),
      }),
    });
  });
});

describe('HTTP API', () => {
  it('sends every route through an authorizer that is asked each time, token or not', () => {
    const [authorizer] = Object.values(resourcesOf(stacks.controlPlane, 'AWS::ApiGatewayV2::Authorizer'));
    expect(authorizer!.Properties).toMatchObject({
      AuthorizerType: 'REQUEST',
      AuthorizerPayloadFormatVersion: '2.0',
      EnableSimpleResponses: true,
      AuthorizerResultTtlInSeconds: 0,
    });
    expect(authorizer!.Properties['IdentitySource'] ?? []).toEqual([]);
    const routes = Object.values(resourcesOf(stacks.controlPlane, 'AWS::ApiGatewayV2::Route'));
    expect(routes.map(({ Properties }) => Properties['RouteKey']).sort()).toEqual([
      '$default',
      'ANY /identity',
      'ANY /identity/{proxy+}',
      'ANY /key-manager',
      'ANY /key-manager/{proxy+}',
      'ANY /network',
      'ANY /network/{proxy+}',
    ]);
    for (const { Properties } of routes) expect(Properties['AuthorizationType']).toBe('CUSTOM');
  });

  it('writes no header to the access log', () => {
    const [stage] = Object.values(resourcesOf(stacks.controlPlane, 'AWS::ApiGatewayV2::Stage'));
    expect(stage!.Properties['StageName']).toBe('$default');
    expect(stage!.Properties['AccessLogSettings'].Format).not.toMatch(/header|authorizer/i);
  });
});

describe('what lasts', () => {
  it('has the keys of the table as the driver knows them', () => {
    expect(keySchema).toEqual(tableDefinition);
    const [table] = Object.values(resourcesOf(stacks.stateful, 'AWS::DynamoDB::Table'));
    const { GlobalSecondaryIndexes: indexes } = table!.Properties;
    expect(indexes.map((one: { IndexName: string }) => one.IndexName).sort()).toEqual(
      tableDefinition.indexes.map(({ name }) => name).sort(),
    );
  });

  it('survives mistakes: recovery to a point in time, protection from deletion, a key that is kept', () => {
    stacks.stateful.hasResource('AWS::DynamoDB::Table', {
      DeletionPolicy: 'Retain',
      Properties: Match.objectLike({
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        SSESpecification: Match.objectLike({ SSEType: 'KMS' }),
      }),
    });
    for (const type of ['AWS::KMS::Key', 'AWS::SecretsManager::Secret'])
      stacks.stateful.hasResource(type, { DeletionPolicy: 'Retain' });
  });
});

describe('logs of amphorae', () => {
  it('lie encrypted, are reached by TLS alone, by nobody from outside, and expire', () => {
    stacks.stateful.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'Retain',
      Properties: Match.objectLike({
        BucketEncryption: Match.anyValue(),
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        LifecycleConfiguration: { Rules: [Match.objectLike({ ExpirationInDays: 90, Status: 'Enabled' })] },
      }),
    });
    const statement = { Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } };
    stacks.stateful.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: Match.objectLike({ Statement: Match.arrayWith([Match.objectLike(statement)]) }),
    });
  });

  it('are put by one function, below their two prefixes, and nobody may do anything else in their bucket', () => {
    const policies = Object.values(resourcesOf(stacks.controlPlane, 'AWS::IAM::Policy'));
    type Statement = { Action: string | string[]; Resource: unknown };
    const allowed = policies.flatMap(({ Properties }) =>
      (Properties['PolicyDocument'].Statement as Statement[])
        .filter(({ Action }) => [Action].flat().some((action) => action.startsWith('s3:')))
        // What amphorae are born with lies in a bucket of its own.
        .filter(({ Resource }) => !/\["AmphoraeBundles\w+","Arn"\]\},"\/(boot|kit)\/\*"/.test(JSON.stringify(Resource)))
        .map(({ Action, Resource }) => ({ role: targetOf(Properties['Roles'][0]), Action, Resource })),
    );
    const role = targetOf(functionsByName().get('worker-archives')!.Properties['Role']);
    expect(allowed).toMatchObject([{ role, Action: 's3:PutObject' }]);
    expect(JSON.stringify(allowed[0]!.Resource)).toMatch(/"\/admin\/\*".*"\/tenant\/\*"/);
    const told = [...functionsByName()].filter(
      ([, { Properties }]) => Properties['Environment'].Variables.OCTAVIA_LOG_BUCKET_NAME !== undefined,
    );
    expect(told.map(([name]) => name)).toEqual(['worker-archives']);
  });
});

describe('network', () => {
  it('takes a VPC that is given instead of making one', () => {
    const vpc = {
      id: 'vpc-0a1b2c3d',
      cidr: '10.0.0.0/16',
      availability_zones: ['eu-central-1a'],
      subnet_ids: ['subnet-0a1b2c3d'],
    };
    const given = new Network(new App(), 'network', { given: vpc, amphorae: undefined });
    Template.fromStack(given).resourceCountIs('AWS::EC2::VPC', 0);
    expect(given.vpc.selectSubnets().subnetIds).toEqual(['subnet-0a1b2c3d']);
  });

  it('has the free gateways of DynamoDB and S3 and nothing that costs', () => {
    const endpoints = Object.values(resourcesOf(stacks.network, 'AWS::EC2::VPCEndpoint'));
    expect(endpoints.map(({ Properties }) => Properties['VpcEndpointType'])).toEqual(['Gateway', 'Gateway']);
    stacks.network.resourceCountIs('AWS::EC2::NatGateway', 0);
  });
});

describe('cdk-nag', () => {
  it('finds nothing that is not acknowledged with a reason', () => {
    const { pluginReports } = JSON.parse(readFileSync(join(stacks.outdir, 'validation-report.json'), 'utf8'));
    expect(pluginReports).toMatchObject([{ pluginName: 'AwsSolutions', conclusion: 'success', violations: [] }]);
    for (const { reason } of pluginReports[0].suppressedViolations) expect(reason.length).toBeGreaterThan(20);
  });
});
