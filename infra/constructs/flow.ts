// One state machine made from a file of state-machines/, with the functions and flows it names put in for its placeholders.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { acknowledgeAnyResource, acknowledgeExecutions } from './acknowledge.ts';
import { root } from './bundle.ts';
import { letInvoke, type TaskFunction } from './task-function.ts';

/** Step Functions learns by this rule of its own that a flow it started and waits for has ended. */
const syncRule = 'StepFunctionsGetEventsForStepFunctionsExecutionRule';

export const definitionOf = (flow: string): string =>
  readFileSync(join(root, 'state-machines', `${flow}.asl.json`), 'utf8');

export const placeholdersOf = (definition: string): string[] => [
  ...new Set([...definition.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name!)),
];

export interface FlowProps {
  flow: string;
  stateMachineName: string;
  /** By placeholder. */
  functions: Record<string, TaskFunction>;
  children: Record<string, Flow>;
}

export class Flow extends Construct {
  readonly stateMachine: StateMachine;
  readonly stateMachineName: string;

  constructor(scope: Construct, { flow, stateMachineName, functions, children }: FlowProps) {
    super(scope, flow);
    this.stateMachineName = stateMachineName;
    const arns = [
      ...Object.entries(functions).map(([name, { versionArn }]) => [name, versionArn]),
      ...Object.entries(children).map(([name, child]) => [name, child.stateMachine.stateMachineArn]),
    ];
    this.stateMachine = new StateMachine(this, 'StateMachine', {
      stateMachineName,
      definitionBody: DefinitionBody.fromString(definitionOf(flow)),
      definitionSubstitutions: Object.fromEntries(arns),
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Log', {
          retention: RetentionDays.ONE_MONTH,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: LogLevel.ALL,
      },
    });
    acknowledgeAnyResource(this.stateMachine, 'Log delivery and traces know no narrower resource');
    for (const one of Object.values(functions)) letInvoke(this.stateMachine, one);
    for (const child of Object.values(children)) this.#allowToRun(child);
  }

  #allow(actions: string[], ...resources: string[]): void {
    this.stateMachine.addToRolePolicy(new iam.PolicyStatement({ actions, resources }));
  }

  /** To start a flow, to wait for its end, and to stop it when this one is stopped. */
  #allowToRun({ stateMachine, stateMachineName }: Flow): void {
    const stack = Stack.of(this);
    const arnFormat = ArnFormat.COLON_RESOURCE_NAME;
    const executions = { service: 'states', resource: 'execution', resourceName: `${stateMachineName}:*`, arnFormat };
    this.#allow(['states:StartExecution'], stateMachine.stateMachineArn);
    this.#allow(['states:DescribeExecution', 'states:StopExecution'], stack.formatArn(executions));
    acknowledgeExecutions(this.stateMachine, `${stateMachineName}:*`);
    const rule = stack.formatArn({ service: 'events', resource: 'rule', resourceName: syncRule });
    this.#allow(['events:PutTargets', 'events:PutRule', 'events:DescribeRule'], rule);
  }
}
