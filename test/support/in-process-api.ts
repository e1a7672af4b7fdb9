// The API's handler called as API Gateway calls it, with nothing behind it: what is accepted stays PENDING until a test says otherwise.
import { apiHandler } from '../../lambdas/api/handler.ts';
import type { ProvisioningStatus } from '../../lambdas/domain/statuses.ts';
import { childrenOf } from '../../lambdas/domain/tree.ts';
import type { Operation } from '../../lambdas/drivers/table/table.ts';
import { childKey, loadBalancerKey, partitionOf } from '../../lambdas/repositories/keys.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import { type Config, defaultConfig } from '../../lambdas/runtime/config.ts';
import type { Caller } from '../../lambdas/runtime/http/request.ts';
import type { HttpHandler } from '../../lambdas/runtime/http/stack.ts';
import { type Answer, send } from './http.ts';
import { type TestServices, testServices } from './services.ts';

export const projectId = 'a'.repeat(32);
export const otherProjectId = 'b'.repeat(32);

export const member: Partial<Caller> = { project_id: projectId, roles: ['member', 'reader'] };
export const admin: Partial<Caller> = { project_id: otherProjectId, roles: ['admin', 'member', 'reader'] };
export const stranger: Partial<Caller> = { project_id: otherProjectId, roles: ['member', 'reader'] };

interface Asked {
  caller?: Partial<Caller> | undefined;
  headers?: Record<string, string>;
}

type Shown = Record<string, any>;

export class InProcessApi {
  readonly services: TestServices;
  readonly #handler: HttpHandler;
  #subnet: string | undefined;

  constructor({ config, ...overrides }: Partial<Omit<TestServices, 'config'>> & { config?: Partial<Config> } = {}) {
    this.services = testServices({ ...overrides, config: { ...defaultConfig, ...config } });
    this.#handler = apiHandler(this.services);
  }

  ask(method: string, path: string, body?: unknown, { caller = member, headers = {} }: Asked = {}): Promise<Answer> {
    const whole = path.startsWith('/') ? path : `/v2.0/lbaas/${path}`;
    return send(this.#handler, { method, path: whole, headers, caller, ...(body === undefined ? {} : { body }) });
  }

  get = (path: string, caller?: Partial<Caller>) => this.ask('GET', path, undefined, { caller });

  /** The resource in the answer. @throws Error with the fault when it was refused */
  async made(method: string, path: string, body?: unknown, asked?: Asked): Promise<Shown> {
    const answer = await this.ask(method, path, body, asked);
    if (answer.status >= 300) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body === undefined ? {} : (Object.values(answer.body)[0] as Shown);
  }

  async subnetId(): Promise<string> {
    this.#subnet ??= (await this.services.network.listSubnets())[0]!.id;
    return this.#subnet;
  }

  async createLoadBalancer(attributes: Shown = {}, asked?: Asked): Promise<Shown> {
    const loadbalancer = { vip_subnet_id: await this.subnetId(), ...attributes };
    return this.made('POST', 'loadbalancers', { loadbalancer }, asked);
  }

  createListener = (loadBalancer: Shown, attributes: Shown = {}): Promise<Shown> =>
    this.made('POST', 'listeners', {
      listener: { loadbalancer_id: loadBalancer['id'], protocol: 'HTTP', protocol_port: 80, ...attributes },
    });

  createPool = (loadBalancer: Shown, attributes: Shown = {}): Promise<Shown> =>
    this.made('POST', 'pools', {
      pool: { loadbalancer_id: loadBalancer['id'], protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...attributes },
    });

  createMember = (pool: Shown, address: string, attributes: Shown = {}): Promise<Shown> =>
    this.made('POST', `pools/${pool['id']}/members`, { member: { address, protocol_port: 80, ...attributes } });

  createMonitor = (pool: Shown): Promise<Shown> =>
    this.made('POST', 'healthmonitors', {
      healthmonitor: { pool_id: pool['id'], type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 },
    });

  createPolicy = (listener: Shown, attributes: Shown = {}): Promise<Shown> =>
    this.made('POST', 'l7policies', { l7policy: { listener_id: listener['id'], action: 'REJECT', ...attributes } });

  createRule = (policy: Shown): Promise<Shown> =>
    this.made('POST', `l7policies/${policy['id']}/rules`, {
      rule: { type: 'PATH', compare_type: 'STARTS_WITH', value: '/' },
    });

  /** As when everything that was asked for is in force. */
  async settle(loadBalancer: Shown, status: ProvisioningStatus = 'ACTIVE'): Promise<void> {
    const id = loadBalancer['id'] as string;
    const tree = (await readTree(this.services.table, id))!;
    const set = { provisioning_status: 'ACTIVE' };
    await this.services.table.transact([
      { kind: 'update', key: loadBalancerKey(id), set: { provisioning_status: status, operation: null } },
      ...childrenOf(tree).map((child): Operation => ({ kind: 'update', key: childKey(child), set })),
    ]);
  }

  /** Only this child, whatever the load balancer is. */
  async setStatus(loadBalancer: Shown, kind: 'POOL' | 'L7POLICY', child: Shown, status: ProvisioningStatus) {
    const key = { pk: partitionOf(loadBalancer['id']), sk: `${kind}#${child['id']}` };
    await this.services.table.transact([{ kind: 'update', key, set: { provisioning_status: status } }]);
  }
}
