// The control plane: functions, queues, flows, schedules, events and the HTTP API.
import { ArnFormat, CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { EventBus } from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { SettingName } from '../../lambdas/runtime/config.ts';
import { acknowledgeAnyResource, acknowledgeExecutions, acknowledgeUsersSecrets } from '../constructs/acknowledge.ts';
import { AmphoraMachines } from '../constructs/amphora-machines.ts';
import { QueueWithDeadLetters } from '../constructs/dead-letter-queue.ts';
import { addFirstCredentials } from '../constructs/first-credentials.ts';
import { makeFlows } from '../constructs/flows.ts';
import { OctaviaHttpApi } from '../constructs/http-api.ts';
import { OctaviaFunction } from '../constructs/octavia-function.ts';
import { addScheduleAndRules, scanIntervalMs } from '../constructs/schedules.ts';
import { addEventSources } from '../constructs/sources.ts';
import { taskFunctionOf } from '../constructs/task-function.ts';
import { makeUndelivered } from '../constructs/undelivered.ts';
import { type FunctionName, functionNames, type QueueName, specOf } from '../functions.ts';
import type { Deployment } from '../settings.ts';
import type { Network } from './network.ts';
import type { Stateful } from './stateful.ts';

export interface ControlPlaneProps extends StackProps {
  deployment: Deployment;
  stateful: Stateful;
  network: Network;
}

export class ControlPlane extends Stack {
  readonly #props: ControlPlaneProps;
  readonly queues: Record<QueueName, QueueWithDeadLetters>;
  readonly undelivered: Queue;
  readonly healthScan: IFunction;
  readonly flowEnded: IFunction;
  readonly httpApiId: string;
  readonly #bus: EventBus;
  readonly #machines: AmphoraMachines | undefined;

  constructor(scope: Construct, id: string, props: ControlPlaneProps) {
    super(scope, id, props);
    this.#props = props;
    const { deployment, stateful } = props;
    this.#bus = new EventBus(this, 'Bus', { eventBusName: deployment.name });
    this.queues = this.#makeQueues();
    this.#machines = this.#makeMachines();
    const functions = Object.fromEntries(functionNames.map((name) => [name, this.#makeFunction(name)])) as Record<
      FunctionName,
      OctaviaFunction
    >;
    const lambdaOf = (name: FunctionName) => functions[name].lambda;
    this.undelivered = makeUndelivered(this);
    addEventSources(this.queues, stateful.table, lambdaOf, this.undelivered);
    const flows = makeFlows(this, deployment.name, (name) => taskFunctionOf(functions[name].lambda));
    addScheduleAndRules(this, flows, lambdaOf, this.undelivered);
    const http = new OctaviaHttpApi(this, {
      apiName: deployment.name,
      api: lambdaOf('api'),
      identity: lambdaOf('identity'),
      network: lambdaOf('network'),
      keyManager: lambdaOf('key-manager'),
      authorizer: lambdaOf('authorizer'),
    });
    addFirstCredentials(this, functions['first-credentials'].lambda, stateful.adminSecret);
    this.healthScan = lambdaOf('health-scan');
    this.flowEnded = lambdaOf('flow-ended');
    this.httpApiId = http.id;
    new CfnOutput(this, 'Endpoint', { value: http.endpoint, description: 'The load balancer API' });
    new CfnOutput(this, 'AuthUrl', { value: `${http.endpoint}/identity/v3`, description: 'OS_AUTH_URL of clients' });
  }

  /** A little longer than its function may take: until then nobody else works on the message, and a failed one waits no longer. */
  #makeQueues(): Record<QueueName, QueueWithDeadLetters> {
    const make = (name: QueueName, consumer: FunctionName, isFifo: boolean, maxReceiveCount: number) =>
      new QueueWithDeadLetters(this, {
        name: `queue-${name}`,
        isFifo,
        visibilityTimeout: Duration.seconds(specOf(consumer).timeoutSeconds + 10),
        maxReceiveCount,
      });
    return {
      work: make('work', 'worker-apply', true, 5),
      operations: make('operations', 'worker-start', true, 5),
      // An old heartbeat is worth nothing: the next one has come by then.
      heartbeats: make('heartbeats', 'heartbeats', false, 2),
      // The amphora announces its archives again.
      archives: make('archives', 'worker-archives', false, 2),
      // A look that failed is made up for by the next.
      scans: make('scans', 'health-scan', false, 2),
    };
  }

  #makeMachines(): AmphoraMachines | undefined {
    const { deployment, stateful, network } = this.#props;
    const { name, amphorae: choices, settings } = deployment;
    if (!choices || !network.amphorae) return undefined;
    return new AmphoraMachines(this, {
      deployment: name,
      choices,
      imageRule: settings.amphora_image!,
      network: network.amphorae,
      vpcId: network.vpc.vpcId,
      stateful,
      heartbeats: this.queues.heartbeats.queue,
    });
  }

  #makeFunction(name: FunctionName): OctaviaFunction {
    const { deployment, stateful, network } = this.#props;
    const spec = specOf(name);
    const made = new OctaviaFunction(this, {
      name,
      description: `${deployment.name}: ${name}`,
      spec,
      settings: this.#settingsOf(name),
      stateful,
      network,
    });
    for (const queue of spec.sends ?? []) this.queues[queue].queue.grantSendMessages(made.lambda);
    if (spec.publishes) this.#bus.grantPutEventsTo(made.lambda);
    if (spec.readsSecrets) this.#letReadUsersSecrets(made);
    if (spec.describesInstances) this.#letDescribeInstances(made);
    for (const flow of spec.starts ?? []) {
      made.lambda.addToRolePolicy(this.#mayOnFlows('states:StartExecution', 'stateMachine', flow));
      this.#letDescribe(made, `${flow}:*`);
    }
    if (spec.describesFlows) this.#letDescribe(made, '*');
    this.#machines?.grantTo(made.lambda, spec);
    return made;
  }

  /** Of all secrets only those whose owner has tagged them for a project; whether it is the right one the function sees itself. */
  #letReadUsersSecrets({ lambda }: OctaviaFunction): void {
    const secret = { service: 'secretsmanager', resource: 'secret', resourceName: '*' };
    lambda.addToRolePolicy(
      new iam.PolicyStatement({
        actions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
        resources: [this.formatArn({ ...secret, arnFormat: ArnFormat.COLON_RESOURCE_NAME })],
        conditions: { Null: { 'secretsmanager:ResourceTag/octavia:project': 'false' } },
      }),
    );
    acknowledgeUsersSecrets(lambda.role!);
  }

  #letDescribeInstances({ lambda }: OctaviaFunction): void {
    lambda.addToRolePolicy(new iam.PolicyStatement({ actions: ['ec2:DescribeInstances'], resources: ['*'] }));
    acknowledgeAnyResource(lambda.role!, 'EC2 describes machines of the whole account or none');
  }

  #letDescribe({ lambda }: OctaviaFunction, executions: string): void {
    lambda.addToRolePolicy(this.#mayOnFlows('states:DescribeExecution', 'execution', executions));
    acknowledgeExecutions(lambda.role!, `${this.#props.deployment.name}-${executions}`);
  }

  /** By name, as the flows are made of the functions and not the other way round. */
  #flowArn(resource: 'stateMachine' | 'execution', flow: string): string {
    const resourceName = `${this.#props.deployment.name}-${flow}`;
    return this.formatArn({ service: 'states', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  }

  #mayOnFlows(action: string, resource: 'stateMachine' | 'execution', flow: string): iam.PolicyStatement {
    return new iam.PolicyStatement({ actions: [action], resources: [this.#flowArn(resource, flow)] });
  }

  #settingsOf(name: FunctionName): Partial<Record<SettingName, string>> {
    const { sends = [], publishes, starts, describesFlows, inVpc, table, putsObjects, readsAdminSecret } = specOf(name);
    const { deployment, stateful } = this.#props;
    const urls = Object.fromEntries(sends.map((queue) => [`${queue}_queue_url`, this.queues[queue].queue.queueUrl]));
    return {
      health_scan_interval_ms: String(scanIntervalMs),
      ...deployment.settings,
      ...urls,
      region: this.region,
      ...(table !== 'none' && { table_name: stateful.table.tableName }),
      ...(publishes && { event_bus_name: this.#bus.eventBusName }),
      ...((starts || describesFlows) && { state_machine_prefix: this.#flowArn('stateMachine', '') }),
      ...(inVpc && { egress: 'outbox' }),
      ...(readsAdminSecret && { admin_secret_id: stateful.adminSecret.secretArn }),
      objects_driver: 's3',
      ...(putsObjects && { log_bucket_name: stateful.logs.bucketName }),
      ...this.#machines?.settingsFor(specOf(name)),
    };
  }
}
