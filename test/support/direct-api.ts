// The API without a network: requests as API Gateway hands them to the handler. Nothing works off what was accepted, so resources
// stay as they were accepted.
import { apiHandler } from '../../lambdas/api/handler.ts';
import { NoopNetworkDriver } from '../../lambdas/drivers/network/noop.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { type Config, defaultConfig } from '../../lambdas/runtime/config.ts';
import type { HttpHandler } from '../../lambdas/runtime/http/stack.ts';
import { newId } from '../../lambdas/runtime/ids.ts';
import { type Answer, send } from './http.ts';
import { type TestServices, TurnableClock, testServices } from './services.ts';

export type Attributes = Record<string, unknown>;
export type Shown = Record<string, any>;

export const project = 'b0b0b0b0b0b04b0b8b0b0b0b0b0b0b0b';
export const securityGroup = '5ec09100-0000-4000-8000-000000000001';
export const qosPolicy = '90500000-0000-4000-8000-000000000001';
/** No resource has this id. */
export const nowhere = '11111111-2222-4333-8444-555555555555';

/** Three subnets of one network, and one of another. */
const subnets = [
  { name: 'four', network_name: 'vip-net', cidr: '198.18.0.0/24' },
  { name: 'six', network_name: 'vip-net', cidr: '2001:db8::/64' },
  { name: 'more', network_name: 'vip-net', cidr: '198.18.1.0/24' },
  { name: 'stranger', network_name: 'other-net', cidr: '198.18.2.0/24' },
] as const;
export type SubnetName = (typeof subnets)[number]['name'];

export class DirectApi {
  readonly services: TestServices;
  readonly network: NoopNetworkDriver;
  readonly #handler: HttpHandler;
  readonly #subnets = new Map<string, string>();

  private constructor(services: TestServices, network: NoopNetworkDriver) {
    this.services = services;
    this.network = network;
    this.#handler = apiHandler(services);
  }

  static async start(config: Partial<Config> = {}): Promise<DirectApi> {
    const table = new SqliteTable({ path: ':memory:' });
    const clock = new TurnableClock();
    const named = { security_groups: [securityGroup], qos_policies: [qosPolicy], subnets: [...subnets] };
    const network = new NoopNetworkDriver({ table, clock, newId, ...named });
    const services = testServices({ table, clock, network, config: { ...defaultConfig, ...config } });
    const api = new DirectApi(services, network);
    for (const subnet of await network.listSubnets()) api.#subnets.set(subnet.name, subnet.id);
    return api;
  }

  subnet(name: SubnetName): string {
    return this.#subnets.get(name)!;
  }

  ask(method: string, path: string, body?: unknown, roles = ['member', 'reader']): Promise<Answer> {
    const caller = { project_id: project, roles };
    return send(this.#handler, { method, path: `/v2.0/lbaas/${path}`, body, caller });
  }

  get = (path: string) => this.ask('GET', path);
  post = (path: string, body: unknown) => this.ask('POST', path, body);
  put = (path: string, body: unknown) => this.ask('PUT', path, body);

  /** The resource in an answer. @throws Error with the fault when it is a refusal */
  async done(answer: Promise<Answer>): Promise<Shown> {
    const { status, body } = await answer;
    if (status >= 300) throw new Error(`${status}: ${JSON.stringify(body)}`);
    return body === undefined ? {} : (Object.values(body)[0] as Shown);
  }

  loadBalancer = (attributes: Attributes = {}) =>
    this.done(this.post('loadbalancers', { loadbalancer: { vip_subnet_id: this.subnet('four'), ...attributes } }));
  /** A flavor whose profile says that. @returns its id */
  async flavor(data: Attributes): Promise<string> {
    const make = (path: string, root: string, body: Attributes) =>
      this.done(this.ask('POST', path, { [root]: { name: newId(), ...body } }, ['admin']));
    const flavor_data = JSON.stringify(data);
    const profile = await make('flavorprofiles', 'flavorprofile', { provider_name: 'amphora', flavor_data });
    return (await make('flavors', 'flavor', { flavor_profile_id: profile['id'] }))['id'];
  }

  listener = (attributes: Attributes) => this.done(this.post('listeners', { listener: attributes }));
  pool = (attributes: Attributes) =>
    this.done(this.post('pools', { pool: { lb_algorithm: 'ROUND_ROBIN', protocol: 'HTTP', ...attributes } }));
}

/** What a client reads of a refusal. */
export const fault = (status: number, faultstring: string) => ({
  status,
  body: { faultcode: status >= 500 ? 'Server' : 'Client', faultstring, debuginfo: null },
});
export const failure = (reason: string) => fault(400, `Validation failure: ${reason}`);
