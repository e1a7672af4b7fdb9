// A deployment to try things on: our stacks in an emulator of AWS, a client that is logged in, and the requests that functions make
// of AWS meanwhile.

import { setTimeout as sleep } from 'node:timers/promises';
import { DisableRuleCommand, EventBridgeClient, ListRulesCommand } from '@aws-sdk/client-eventbridge';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
  SFNClient,
} from '@aws-sdk/client-sfn';
import { ListQueuesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Message, QueueName } from '../../../lambdas/drivers/queue/queue-driver.ts';
import { readLoadBalancer } from '../../../lambdas/repositories/trees.ts';
import { awsServices } from '../../../lambdas/runtime/aws-services.ts';
import { defaultConfig } from '../../../lambdas/runtime/config.ts';
import type { Services } from '../../../lambdas/runtime/services.ts';
import { eventually } from '../eventually.ts';
import { OctaviaClient } from '../octavia-client.ts';
import { discard, synthesise } from '../synthesised.ts';
import { type Deployed, deploy, environmentOf, withoutUnknown } from './deployment.ts';
import { type Emulator, startEmulator } from './emulator.ts';
import { type Forwarded, type Forwarder, startForwarder } from './forwarder.ts';

const calmMs = 500;
const region = 'eu-central-1';

/** What something took of AWS. */
export interface Asked {
  /** Sends to queues are not among them: their URLs lead past whoever counts. */
  requests: Forwarded[];
  /** Taken from queues. */
  messages: number;
  /** States entered. */
  transitions: number;
}

export class EmulatedCloud {
  readonly deployed: Deployed;
  readonly client: OctaviaClient;
  /** On this machine, where the emulator knows the API by its name. */
  readonly endpoint: string;
  readonly password: string;
  readonly emulator: Emulator;
  /** Past whoever counts. */
  readonly services: Services;
  readonly #forwarders: Forwarder[];
  readonly #seen: Forwarded[];

  private constructor(parts: {
    deployed: Deployed;
    client: OctaviaClient;
    endpoint: string;
    password: string;
    emulator: Emulator;
    services: Services;
    forwarders: Forwarder[];
    seen: Forwarded[];
  }) {
    this.deployed = parts.deployed;
    this.client = parts.client;
    this.endpoint = parts.endpoint;
    this.password = parts.password;
    this.emulator = parts.emulator;
    this.services = parts.services;
    this.#forwarders = parts.forwarders;
    this.#seen = parts.seen;
  }

  /**
   * @param say told what is done, as it takes seconds
   * @param context of the deployment, given where functions reach AWS
   * @param ec2 where EC2 is; without, nobody asks it
   */
  static async start(
    say: (line: string) => void,
    context: (url: string) => Record<string, unknown> = withoutAmphorae,
    ec2?: string,
  ): Promise<EmulatedCloud> {
    const seen: Forwarded[] = [];
    const forwarders: Forwarder[] = [];
    const forward = async (...given: Parameters<typeof startForwarder>) => {
      const forwarder = await startForwarder(...given);
      forwarders.push(forwarder);
      return forwarder.url;
    };
    const tell = (one: Forwarded) => void seen.push(one);
    let reached = '';
    const emulator = await startEmulator(async (to) => {
      reached = await forward({ to, tell, ...(ec2 !== undefined && { ec2 }) });
      return reached;
    });
    try {
      Object.assign(process.env, environmentOf(emulator.url));
      const deployed = await deployStacks(emulator.url, say, context(reached));
      await stopSchedules();
      const services = await servicesOf(deployed);
      const { Endpoint } = deployed.outputs['octavia-control-plane']!;
      const endpoint = await forward({ to: emulator.url, host: new URL(Endpoint!).host });
      const password = await adminPassword(deployed);
      const client = await loggedIn(endpoint, password);
      return new EmulatedCloud({ deployed, client, endpoint, password, emulator, services, forwarders, seen });
    } catch (error) {
      await emulator.stop();
      throw new Error(`the emulator said:\n${emulator.output()}`, { cause: error });
    }
  }

  /** What functions asked of AWS while something was done. */
  async requestsOf(work: () => Promise<unknown>): Promise<Asked> {
    const before = { seen: this.#seen.length, taken: this.#messagesTaken(), entered: await this.#transitions() };
    await work();
    // What follows an answer, events and the end of a message, comes within this.
    await sleep(calmMs);
    const messages = this.#messagesTaken() - before.taken;
    const transitions = (await this.#transitions()) - before.entered;
    return { requests: this.#seen.slice(before.seen), messages, transitions };
  }

  /** Sends what an amphora would, and waits until it was taken in. */
  async deliver(...messages: { queue: QueueName; message: Message }[]): Promise<number> {
    const client = new SQSClient({ region });
    const { QueueUrls = [] } = await client.send(new ListQueuesCommand({}));
    for (const { queue, message } of messages) {
      const QueueUrl = QueueUrls.find((url) => url.includes(`-queue-${queue}`) && !url.includes('dead-letters'))!;
      const taken = this.#messagesTaken();
      await client.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(message.body) }));
      await eventually('the message is taken', () => this.#messagesTaken() > taken);
    }
    return 0;
  }

  /** Messages of all queues that functions have worked through, as the emulator says. */
  #messagesTaken(): number {
    const said = this.emulator.output().matchAll(/processed (\d+) SQS messages/g);
    return [...said].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Waits without asking the API, so that only what would happen anyway is counted. */
  async settled(loadBalancerId: string, withinMs?: number): Promise<void> {
    const isSettled = async () => {
      const row = await readLoadBalancer(this.services.table, loadBalancerId);
      return row === undefined || (!row.provisioning_status.startsWith('PENDING') && !row.lease);
    };
    await eventually('nothing waits any more', isSettled, withinMs);
  }

  /** States entered by all executions of all flows so far. */
  async #transitions(): Promise<number> {
    const client = new SFNClient({ region, endpoint: this.emulator.url });
    const { stateMachines = [] } = await client.send(new ListStateMachinesCommand({}));
    let counted = 0;
    for (const { stateMachineArn } of stateMachines) {
      const { executions = [] } = await client.send(new ListExecutionsCommand({ stateMachineArn }));
      for (const { executionArn } of executions) {
        const { events = [] } = await client.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1_000 }));
        counted += events.filter(({ type }) => type?.endsWith('StateEntered')).length;
      }
    }
    return counted;
  }

  async stop(): Promise<void> {
    await this.emulator.stop();
    for (const forwarder of this.#forwarders) await forwarder.close();
  }
}

/** No machine of the emulator would be an amphora. */
const withoutAmphorae = () => ({ 'octavia:compute_driver': 'noop' });

async function deployStacks(
  url: string,
  say: (line: string) => void,
  context: Record<string, unknown>,
): Promise<Deployed> {
  const stacks = synthesise(context);
  try {
    for (const [type, count] of Object.entries(withoutUnknown(stacks.outdir)))
      say(`left out, as the emulator does not know it: ${count} ${type}`);
    say('synthesised; deploying');
    return await deploy(url, stacks.outdir);
  } finally {
    discard(stacks);
  }
}

/** What runs by the clock would be counted among what is done meanwhile. */
async function stopSchedules(): Promise<void> {
  const client = new EventBridgeClient({ region });
  const { Rules = [] } = await client.send(new ListRulesCommand({}));
  for (const { Name, ScheduleExpression } of Rules)
    if (ScheduleExpression !== undefined) await client.send(new DisableRuleCommand({ Name }));
}

/** As a function of the deployment has them: the table and the key that seals what lies in it. */
async function servicesOf({ outputs }: Deployed): Promise<Services> {
  const named = Object.entries(outputs['octavia-stateful']!);
  const outputOf = (start: string) => named.find(([name]) => name.startsWith(start))![1];
  const secrets = new SecretsManagerClient({ region });
  const { SecretString } = await secrets.send(
    new GetSecretValueCommand({ SecretId: outputOf('ExportsOutputRefSealingKey') }),
  );
  const table_name = outputOf('ExportsOutputRefTable');
  return awsServices('test', { ...defaultConfig, table_name, region, sealing_key: SecretString! });
}

/** Where the deployment says that it lies. */
async function adminPassword({ outputs }: Deployed): Promise<string> {
  const SecretId = outputs['octavia-control-plane']!['AdminCredentials']!;
  const { SecretString } = await new SecretsManagerClient({ region }).send(new GetSecretValueCommand({ SecretId }));
  return JSON.parse(SecretString!).password;
}

async function loggedIn(endpoint: string, password: string): Promise<OctaviaClient> {
  const cloud = {
    endpoint,
    auth_url: `${endpoint}/identity/v3`,
    username: 'admin',
    password,
    project_name: 'admin',
    subnet_id: '',
  };
  const { subnets } = await new OctaviaClient(cloud).call('GET', '/network/v2.0/subnets');
  return new OctaviaClient({ ...cloud, subnet_id: subnets[0].id });
}
