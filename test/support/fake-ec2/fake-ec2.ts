// EC2 as far as the drivers use it, over HTTP on loopback and strict where EC2 is: tokens, addresses that belong to one interface, what is
// in use, limits, and what is not seen yet. Faults may come before an action, or after it, with an error or with no answer at all.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EC2Client } from '@aws-sdk/client-ec2';
import { FakeAccount, type FakeSubnet } from './account.ts';
import { addressActions } from './addresses.ts';
import { elasticIpActions } from './elastic-ips.ts';
import { Ec2Fault } from './fault.ts';
import { instanceActions } from './instances.ts';
import { interfaceActions } from './interfaces.ts';
import { checkKnown } from './known.ts';
import { answerOf, faultOf, type Parameters, parseQuery } from './query.ts';
import { securityGroupActions } from './security-groups.ts';

type Action = (account: FakeAccount, parameters: Parameters) => object;
const actions: Record<string, Action> = {
  ...instanceActions,
  ...interfaceActions,
  ...addressActions,
  ...securityGroupActions,
  ...elasticIpActions,
};

export interface FakeFault {
  /** Of EC2, such as RunInstances. */
  action: string;
  /** After it, what was asked for is done all the same. */
  moment: 'before' | 'after';
  /** What is answered; none: nothing, the connection is cut. */
  code?: string;
  status?: number;
  times: number;
}

/** A request that has arrived and is not carried out yet. */
interface Hold {
  action: string;
  arrived(): void;
  released: Promise<void>;
}

export class FakeEc2 implements AsyncDisposable {
  readonly account: FakeAccount;
  readonly faults: FakeFault[] = [];
  /** Faults that came true. */
  struck = 0;
  /** Actions in the order they were asked for. */
  readonly asked: string[] = [];
  readonly #parameters = new Map<string, Parameters>();
  /** How long a request is on its way, in ms. */
  onTheWayMs: () => number = () => 0;
  readonly #holds: Hold[] = [];
  /** Called when an action was carried out, before it is answered. */
  onDone: (action: string) => void = () => {};
  readonly #server: Server;
  readonly #clients: EC2Client[] = [];

  private constructor(account: FakeAccount, server: Server) {
    this.account = account;
    this.#server = server;
  }

  static async start(subnets: FakeSubnet[]): Promise<FakeEc2> {
    const server = createServer((request, response) => void fake.#serve(request, response));
    const fake = new FakeEc2(new FakeAccount(subnets), server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return fake;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** As a function makes it, but for where it is and how often it tries. */
  client(maxAttempts = 1): EC2Client {
    const { endpoint } = this;
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const made = new EC2Client({ region: 'eu-central-1', endpoint, credentials, maxAttempts });
    this.#clients.push(made);
    return made;
  }

  on(action: string, moment: FakeFault['moment'], fault: Partial<FakeFault> = {}): void {
    this.faults.push({ action, moment, times: 1, ...fault });
  }

  /** Stops the next request for this action before it is carried out, as a slow network does. */
  hold(action: string): { arrival: Promise<void>; release(): void } {
    const [arrival, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    this.#holds.push({ action, arrived: arrival.resolve, released: release.promise });
    return { arrival: arrival.promise, release: release.resolve };
  }

  async #wait(action: string): Promise<void> {
    const at = this.#holds.findIndex((hold) => hold.action === action);
    const [hold] = at < 0 ? [] : this.#holds.splice(at, 1);
    hold?.arrived();
    await hold?.released;
    const ms = this.onTheWayMs();
    if (ms > 0) await sleep(ms);
  }

  count = (action: string): number => this.asked.filter((one) => one === action).length;

  /** What an action was last asked with. */
  last = (action: string): Parameters | undefined => this.#parameters.get(action);

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { Action: action, Version: _, ...parameters } = parseQuery(body) as Parameters & { Action: string };
    this.asked.push(action);
    this.#parameters.set(action, parameters);
    await this.#wait(action);
    this.account.pass();
    const requestId = `request-${this.asked.length}`;
    try {
      if (this.#strikes(action, 'before', response)) return;
      const answer = this.#answer(action, parameters);
      this.onDone(action);
      if (this.#strikes(action, 'after', response)) return;
      response.writeHead(200, { 'content-type': 'text/xml' }).end(answerOf(action, requestId, answer));
    } catch (error) {
      const { code, message, status } =
        error instanceof Ec2Fault ? error : new Ec2Fault('FakeIsBroken', String(error), 500);
      response.writeHead(status, { 'content-type': 'text/xml' }).end(faultOf(requestId, code, message));
    }
  }

  #answer(action: string, parameters: Parameters): object {
    const act = actions[action];
    if (act === undefined)
      throw new Ec2Fault('InvalidAction', `The action ${action} is not valid for this web service.`);
    checkKnown(action, parameters);
    return act(this.account, parameters);
  }

  #strikes(action: string, moment: FakeFault['moment'], response: ServerResponse): boolean {
    const fault = this.faults.find((one) => one.action === action && one.moment === moment && one.times > 0);
    if (fault === undefined) return false;
    fault.times -= 1;
    this.struck += 1;
    if (fault.code !== undefined) throw new Ec2Fault(fault.code, 'as tested', fault.status);
    response.destroy();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
