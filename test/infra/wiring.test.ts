// Whatever is made is wired: what runs is set going by something, what fails ends where somebody is told, and what CloudFormation
// makes of the flows is what the interpreter runs.
import { readFileSync } from 'node:fs';
// @ts-expect-error it comes without types
import aslValidator from 'asl-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFlows } from '../../local/flows/load-flows.ts';
import {
  discard,
  type Resource,
  resolved,
  resourcesOf,
  type Synthesised,
  synthesise,
  targetOf,
} from '../support/synthesised.ts';

let stacks: Synthesised;
beforeAll(() => {
  stacks = synthesise();
}, 240_000);
afterAll(() => discard(stacks));

const all = (type: string) => Object.entries(resourcesOf(stacks.controlPlane, type));
/** Every resource that something refers to, at any depth. */
function refersTo(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  const isReference = 'Ref' in value || 'Fn::GetAtt' in value;
  return isReference ? [targetOf(value)] : Object.values(value).flatMap(refersTo);
}
const nameOf = ({ Properties }: Resource) => String(Properties['Description'] ?? '').replace('octavia: ', '');
const functions = () => all('AWS::Lambda::Function');

/** Queues whose length an alarm looks at. */
function watchedQueues(): Set<string> {
  const alarms = JSON.stringify(resourcesOf(stacks.observability, 'AWS::CloudWatch::Alarm'));
  const lengths = all('AWS::SQS::Queue').filter(([id]) => alarms.includes(`ExportsOutputFnGetAtt${id}QueueName`));
  return new Set(lengths.map(([id]) => id));
}

const deadLettersOf = (queueId: string): string | undefined => {
  const policy = resourcesOf(stacks.controlPlane, 'AWS::SQS::Queue')[queueId]?.Properties['RedrivePolicy'];
  return policy && targetOf(policy.deadLetterTargetArn);
};

/** Where a message or call ends that a function failed at, by function: each with what brings it. */
function endsOf(): Map<string, { by: string; end: string | undefined }[]> {
  const ends = new Map<string, { by: string; end: string | undefined }[]>();
  const add = (functionId: string, by: string, end: string | undefined) =>
    ends.set(functionId, [...(ends.get(functionId) ?? []), { by, end }]);
  for (const [id, { Properties }] of all('AWS::Lambda::EventSourceMapping')) {
    const onFailure = Properties['DestinationConfig']?.OnFailure?.Destination;
    const end = onFailure ? targetOf(onFailure) : deadLettersOf(targetOf(Properties['EventSourceArn']));
    add(targetOf(Properties['FunctionName']), id, end);
  }
  for (const [id, { Properties }] of all('AWS::Lambda::EventInvokeConfig'))
    add(targetOf(Properties['FunctionName']), id, targetOf(Properties['DestinationConfig'].OnFailure.Destination));
  return ends;
}

/** Of functions that somebody waits for: who it is, and how operators hear that they fail. */
function waitedFor(): Map<string, string> {
  const callers = new Map<string, string>();
  const add = (type: string, field: string, told: string) => {
    for (const [, { Properties }] of all(type)) for (const id of refersTo(Properties[field])) callers.set(id, told);
  };
  add('AWS::ApiGatewayV2::Integration', 'IntegrationUri', 'api-errors');
  add('AWS::ApiGatewayV2::Authorizer', 'AuthorizerUri', 'api-errors');
  add('Custom::FirstCredentials', 'ServiceToken', 'the deployment fails');
  const versions = resourcesOf(stacks.controlPlane, 'AWS::Lambda::Version');
  for (const [, { Properties }] of all('AWS::StepFunctions::StateMachine'))
    for (const id of refersTo(Properties['DefinitionSubstitutions']))
      if (versions[id]) callers.set(targetOf(versions[id].Properties['FunctionName']), 'flows-fail');
  return callers;
}

describe('every function', () => {
  it('has a log that is kept for a month and goes with it', () => {
    const logs = resourcesOf(stacks.controlPlane, 'AWS::Logs::LogGroup');
    expect(functions().length).toBeGreaterThan(18);
    for (const [, one] of functions()) {
      const log = logs[targetOf(one.Properties['LoggingConfig'].LogGroup)]!;
      expect(log.Properties['RetentionInDays'], nameOf(one)).toBe(30);
      expect(log.DeletionPolicy).toBe('Delete');
    }
  });

  it('is followed by X-Ray if a request goes through it, and not if it works by the clock', () => {
    const followed = functions().filter(([, one]) => one.Properties['TracingConfig']?.Mode === 'Active');
    const passing = functions().filter(([, one]) => one.Properties['TracingConfig']?.Mode === 'PassThrough');
    expect(followed.length + passing.length).toBe(functions().length);
    const names = passing.map(([, one]) => nameOf(one)).sort();
    expect(names).toEqual(['first-credentials', 'health-scan', 'heartbeats', 'housekeeping', 'worker-archives']);
  });

  it('is set going by something, and when it fails an alarm says so', () => {
    const [ends, callers, watched] = [endsOf(), waitedFor(), watchedQueues()];
    const alarms = Object.values(resourcesOf(stacks.observability, 'AWS::CloudWatch::Alarm'));
    const alarmNames = alarms.map(({ Properties }) => Properties['AlarmName']);
    for (const [id, one] of functions()) {
      const told = callers.get(id);
      if (told?.includes('-')) expect(alarmNames, nameOf(one)).toContain(`octavia-${told}`);
      const brought = ends.get(id) ?? [];
      expect(told !== undefined || brought.length > 0, `${nameOf(one)} is called by nobody`).toBe(true);
      for (const { by, end } of brought) expect(watched.has(end ?? ''), `${nameOf(one)} by ${by}`).toBe(true);
    }
  });
});

describe('no secret', () => {
  /** Values of the environment as CloudFormation is given them: texts, and references to resources. */
  const environments = () =>
    functions().flatMap(([, one]) =>
      Object.entries(one.Properties['Environment'].Variables as Record<string, unknown>).map(
        ([name, value]) => [nameOf(one), name, JSON.stringify(value)] as const,
      ),
    );

  it('is in the environment of a function, but the key that what lies in the table is sealed with, by reference', () => {
    expect(environments().length).toBeGreaterThan(100);
    for (const [of, name, value] of environments()) {
      const which = `${name} of ${of}`;
      expect(value, which).not.toMatch(/PRIVATE KEY|BEGIN [A-Z]+/);
      expect(value.includes('{{resolve:'), which).toBe(name === 'OCTAVIA_SEALING_KEY');
      // A secret that is named, and read by who may.
      if (/PASSWORD|TOKEN|SECRET/.test(name))
        expect([name, value]).toEqual(['OCTAVIA_ADMIN_SECRET_ID', expect.stringContaining('ImportValue')]);
    }
  });

  it('is an output of a stack, or in a definition of a flow', () => {
    const definitions = all('AWS::StepFunctions::StateMachine').map(([, { Properties }]) => Properties);
    const outputs = [stacks.stateful, stacks.network, stacks.controlPlane].map((one) => one.toJSON()['Outputs']);
    expect(JSON.stringify([definitions, outputs]).match(/resolve:(secretsmanager|ssm-secure)/)).toBeNull();
  });
});

describe('every queue', () => {
  const queues = () => all('AWS::SQS::Queue');

  it('is read by a function and has dead letters, or is one of those', () => {
    const read = all('AWS::Lambda::EventSourceMapping').map(([, { Properties }]) =>
      targetOf(Properties['EventSourceArn']),
    );
    const ends = new Set([...endsOf().values()].flat().map(({ end }) => end));
    for (const [id] of queues())
      expect(read.includes(id) ? deadLettersOf(id) !== undefined : ends.has(id), id).toBe(true);
  });

  it('of dead letters keeps them for 14 days, and takes them back to the queue they are of and no other', () => {
    for (const [id, { Properties }] of queues()) {
      const end = deadLettersOf(id);
      if (end === undefined) {
        expect(Properties['MessageRetentionPeriod'], id).toBe(14 * 86_400);
        continue;
      }
      const { redrivePermission, sourceQueueArns } = resourcesOf(stacks.controlPlane, 'AWS::SQS::Queue')[end]!
        .Properties['RedriveAllowPolicy'];
      expect(redrivePermission).toBe('byQueue');
      expect(sourceQueueArns.map(resolved)).toEqual([
        `arn:aws:sqs:eu-central-1:123456789012:${Properties['QueueName']}`,
      ]);
    }
  });

  it('has a name that SQS takes, however long the name of the deployment is', () => {
    const longest = 'x'.repeat(31);
    const names = queues().flatMap(([, { Properties }]) => Properties['QueueName'] ?? []);
    expect(names).toHaveLength(10);
    for (const name of names) expect(name.replace('octavia', longest).length).toBeLessThanOrEqual(80);
  });
});

describe('every schedule and rule', () => {
  it('has targets, each with a queue for what could not be handed over that EventBridge may send to', () => {
    const policies = JSON.stringify(all('AWS::SQS::QueuePolicy').map(([, { Properties }]) => Properties));
    const rules = all('AWS::Events::Rule');
    expect(rules.length).toBeGreaterThanOrEqual(4);
    for (const [id, { Properties }] of rules) {
      expect(Properties['State'], id).toBe('ENABLED');
      expect(Properties['Targets'].length, id).toBeGreaterThan(0);
      for (const { DeadLetterConfig } of Properties['Targets']) {
        expect(watchedQueues().has(targetOf(DeadLetterConfig.Arn)), id).toBe(true);
        expect(policies).toContain(`{"aws:SourceArn":{"Fn::GetAtt":["${id}","Arn"]}}`);
      }
    }
  });
});

describe('every state machine', () => {
  const machines = () => all('AWS::StepFunctions::StateMachine');

  it('is logged, traced, started by a function or a flow, and missed when it ends badly', () => {
    const started = JSON.stringify(all('AWS::IAM::Policy'));
    const missed = JSON.stringify(all('AWS::Events::Rule'));
    for (const [id, { Properties }] of machines()) {
      const { Level, Destinations } = Properties['LoggingConfiguration'];
      expect([Level, Destinations.length, Properties['TracingConfiguration']], id).toEqual([
        'ALL',
        1,
        { Enabled: true },
      ]);
      const name = Properties['StateMachineName'];
      expect(started.includes(`:stateMachine:${name}"`) || started.includes(`"Ref":"${id}"`), id).toBe(true);
      expect(missed).toContain(`{"Ref":"${id}"}`);
    }
  });

  it('is what its file says, valid, and run by the interpreter, once CloudFormation has put in what it names', () => {
    const { definitions, tasks } = renderedFlows(machines());
    expect(Object.keys(definitions).length).toBeGreaterThan(5);
    for (const [flow, definition] of Object.entries(definitions)) {
      expect(JSON.stringify(definition), flow).not.toContain('${');
      const { isValid, errorsText } = aslValidator(structuredClone(definition));
      expect(isValid, errorsText('\n')).toBe(true);
      const text = readFileSync(`state-machines/${flow.replace('octavia-', '')}.asl.json`, 'utf8');
      expect(Object.keys((definition as { States: object }).States)).toEqual(Object.keys(JSON.parse(text).States));
    }
    const substitutions = Object.fromEntries(tasks.map((arn) => [arn, arn]));
    const { machines: loaded } = loadFlows({ definitions, substitutions, tasks: doNothing(tasks) });
    expect([...loaded.keys()].sort()).toEqual(Object.keys(definitions).sort());
  });
});

/** What is put in where a resource is named: as AWS would, but for the account and numbers. */
function arnOf(id: string): string {
  const { Type, Properties } = stacks.controlPlane.toJSON()['Resources'][id] as Resource;
  if (Type === 'AWS::Lambda::Version') return `${arnOf(targetOf(Properties['FunctionName']))}:7`;
  const start = { 'AWS::Lambda::Function': 'lambda', 'AWS::StepFunctions::StateMachine': 'states' }[Type]!;
  const rest = start === 'lambda' ? `function:${id}` : `stateMachine:${Properties['StateMachineName']}`;
  return `arn:aws:${start}:eu-central-1:123456789012:${rest}`;
}

function renderedFlows(machines: [string, Resource][]): { definitions: Record<string, unknown>; tasks: string[] } {
  const definitions: Record<string, unknown> = {};
  const tasks = new Set<string>();
  for (const [, { Properties }] of machines) {
    const put = Object.entries(Properties['DefinitionSubstitutions'] as Record<string, unknown>);
    let text = resolved(Properties['DefinitionString']);
    for (const [placeholder, value] of put) {
      const arn = arnOf(targetOf(value));
      if (arn.includes(':lambda:')) tasks.add(arn);
      text = text.replaceAll(`\${${placeholder}}`, arn);
    }
    definitions[Properties['StateMachineName']] = JSON.parse(text);
  }
  return { definitions, tasks: [...tasks] };
}

const doNothing = (arns: string[]) => Object.fromEntries(arns.map((arn) => [arn, async () => null]));
