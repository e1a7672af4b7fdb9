// What a client asks of the control plane of the flow tests, and what it finds there.
import { readLoadBalancer } from '../../lambdas/repositories/trees.ts';
import type { Answer, HttpWish } from './http.ts';
import type { TestServices } from './services.ts';

export abstract class FlowClient {
  abstract readonly outside: TestServices;
  abstract api(wish: HttpWish): Promise<Answer>;
  abstract settle(): Promise<void>;

  async loadBalancers() {
    const { items } = await this.outside.table.queryIndex({ index: 'by_type', pk: 'loadbalancer' });
    const rows = await Promise.all(items.map((item) => readLoadBalancer(this.outside.table, String(item['id']))));
    return rows.filter((row) => row !== undefined);
  }

  async loadBalancer(id: string) {
    const row = await readLoadBalancer(this.outside.table, id);
    if (row === undefined) throw new Error(`no load balancer ${id}`);
    return row;
  }

  /** A load balancer with a listener, a pool, a member and a monitor, as a client asks for it. */
  async create(besides: object = {}): Promise<string> {
    const [subnet] = await this.outside.network.listSubnets();
    const loadbalancer = { name: 'lb', vip_subnet_id: subnet!.id, listeners: [aListener()], ...besides };
    const { status, body } = await this.api({
      method: 'POST',
      path: '/v2/lbaas/loadbalancers',
      body: { loadbalancer },
    });
    if (status !== 201) throw new Error(`create: ${status} ${JSON.stringify(body)}`);
    return body.loadbalancer.id;
  }

  async createActive(besides: object = {}): Promise<string> {
    const id = await this.create(besides);
    await this.settle();
    return id;
  }

  /** @returns its id */
  async flavor(data: object): Promise<string> {
    const name = this.outside.newId();
    const profile = { name, provider_name: 'amphora', flavor_data: JSON.stringify(data) };
    const flavor_profile_id = await this.#made('flavorprofiles', { flavorprofile: profile });
    return this.#made('flavors', { flavor: { name, flavor_profile_id } });
  }

  async #made(path: string, body: Record<string, object>): Promise<string> {
    const answer = await this.api({ method: 'POST', path: `/v2/lbaas/${path}`, body });
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body[Object.keys(body)[0]!].id;
  }

  async remove(id: string): Promise<number> {
    return (await this.api({ method: 'DELETE', path: `/v2/lbaas/loadbalancers/${id}?cascade=true` })).status;
  }

  async failover(id: string): Promise<number> {
    return (await this.api({ method: 'PUT', path: `/v2/lbaas/loadbalancers/${id}/failover` })).status;
  }

  async rename(id: string, name = 'renamed'): Promise<number> {
    const body = { loadbalancer: { name } };
    return (await this.api({ method: 'PUT', path: `/v2/lbaas/loadbalancers/${id}`, body })).status;
  }
}

const aListener = () => ({
  protocol: 'HTTP',
  protocol_port: 80,
  default_pool: {
    name: 'pool',
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
    members: [{ address: '192.0.2.10', protocol_port: 8080 }],
    healthmonitor: { type: 'TCP', delay: 5, timeout: 3, max_retries: 2 },
  },
});
