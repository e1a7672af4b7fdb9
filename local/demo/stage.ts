// What the demonstration works with, made and removed again whatever happens in between.
import { amphoraeOf, processesOf, workersOf } from './amphora-processes.ts';
import { type Created, OctaviaClient } from './client.ts';
import { type Member, startMember } from './members.ts';
import { Skipped } from './report.ts';
import type { Service } from './service.ts';
import { Traffic } from './traffic.ts';

export const vipPort = 8080;

export interface Tree extends Created {
  listeners: Created[];
  pools: Created[];
}

export class Stage {
  readonly service: Service;
  readonly members: Member[] = [];
  #client: OctaviaClient | undefined;
  #traffic: Traffic | undefined;
  #creating: Promise<Tree> | undefined;
  #tree: Tree | undefined;

  constructor(service: Service) {
    this.service = service;
  }

  async login(): Promise<void> {
    this.#client = await OctaviaClient.login(this.service.cloud);
  }

  get client(): OctaviaClient {
    if (this.#client === undefined) throw new Error('there is no token');
    return this.#client;
  }

  get loadBalancer(): Tree {
    if (this.#tree === undefined) throw new Error('there is no load balancer');
    return this.#tree;
  }

  async create(loadbalancer: Record<string, unknown>): Promise<void> {
    this.#creating = this.client.call<Tree>('POST', '/loadbalancers', { loadbalancer });
    this.#tree = await this.#creating;
  }

  async remove(): Promise<void> {
    const { id } = this.loadBalancer;
    await this.client.call('DELETE', `/loadbalancers/${id}?cascade=true`);
    await this.client.untilGone(id);
    this.#creating = undefined;
  }

  get url(): string {
    return `http://${this.loadBalancer.vip_address}:${vipPort}/`;
  }

  /** Load through the VIP from the first call on. */
  get traffic(): Traffic {
    this.#traffic ??= new Traffic(this.url);
    return this.#traffic;
  }

  /** Where the processes of amphorae can be seen. @throws Skipped */
  get state(): string {
    const { state } = this.service;
    if (state === undefined) throw new Skipped('only with the state directory of a service on this machine');
    return state;
  }

  async addMember(name: string): Promise<Member> {
    const member = await startMember(name);
    this.members.push(member);
    return member;
  }

  amphorae = () => amphoraeOf(this.state, this.loadBalancer.id);
  processes = () => this.amphorae().flatMap(processesOf);
  workers = (): string => workersOf(this.amphorae()).join(' ');

  async stopTraffic(): Promise<void> {
    await this.#traffic?.stop();
    this.#traffic = undefined;
  }

  /** Nothing is left of it, even when it was interrupted half-way. */
  async clear(): Promise<void> {
    await this.stopTraffic();
    // Interrupted while it was asked for, the answer says what is to be deleted.
    const id = (await this.#creating?.catch(() => undefined))?.id;
    if (id !== undefined) await this.#client?.ask('DELETE', `/loadbalancers/${id}?cascade=true`).catch(() => {});
    this.#client?.close();
    for (const member of this.members) member.close();
    await this.service.stop();
  }
}
