// A load balancer with every kind of resource that reaches HAProxy, made through the API, and every attribute that can be sent of them:
// taken from the statements of the attributes, so that a new one is attacked without anybody thinking of it.
import { schemaOf } from '../../lambdas/domain/attribute-kind.ts';
import { healthMonitor } from '../../lambdas/domain/health-monitor.ts';
import { l7Policy } from '../../lambdas/domain/l7-policy.ts';
import { l7Rule } from '../../lambdas/domain/l7-rule.ts';
import { listener } from '../../lambdas/domain/listener.ts';
import { loadBalancer } from '../../lambdas/domain/load-balancer.ts';
import { member } from '../../lambdas/domain/member.ts';
import { pool } from '../../lambdas/domain/pool.ts';
import type { Attribute, Resource } from '../../lambdas/domain/resource.ts';
import { persistence } from '../../lambdas/domain/session-persistence.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import { DirectApi, type Shown } from './direct-api.ts';

/** Something that is there, or that could be made. */
interface Target {
  resource: Resource;
  method: 'PUT' | 'POST';
  path: string;
  /** What is sent beside the attack. */
  body: Shown;
  /** What the API shows of it. */
  shown: Shown;
}

export interface Place {
  /** Readable: `PUT rule value (PATH REGEX)`. */
  name: string;
  target: number;
  attribute: string;
}

const rules = [
  { type: 'PATH', compare_type: 'REGEX', value: '^/any' },
  { type: 'PATH', compare_type: 'STARTS_WITH', value: '/begin' },
  { type: 'HOST_NAME', compare_type: 'EQUAL_TO', value: 'host.example.com' },
  { type: 'HEADER', compare_type: 'CONTAINS', key: 'x-asked', value: 'for' },
  { type: 'COOKIE', compare_type: 'ENDS_WITH', key: 'biscuit', value: 'crumb' },
  { type: 'FILE_TYPE', compare_type: 'EQUAL_TO', value: 'jpeg' },
  { type: 'FILE_TYPE', compare_type: 'REGEX', value: '(png|gif)' },
];
const policies = [
  { action: 'REDIRECT_TO_URL', redirect_url: 'http://elsewhere.example.com/there' },
  { action: 'REDIRECT_PREFIX', redirect_prefix: 'https://before.example.com' },
  { action: 'REJECT' },
];
const options = { amphora_id: '00000000-0000-4000-8000-000000000000', hardStopAfterMs: 30_000 };

export class HostileWorld {
  readonly #api: DirectApi;
  readonly targets: Target[] = [];
  #loadBalancerId = '';

  private constructor(api: DirectApi) {
    this.#api = api;
  }

  static async build(): Promise<HostileWorld> {
    const world = new HostileWorld(await DirectApi.start());
    await world.#fill();
    return world;
  }

  /** Every attribute that may be sent, of everything. What is an object with a resource in it is that resource's. */
  places(): Place[] {
    return this.targets.flatMap(({ resource, method, body, shown }, target) =>
      Object.entries(resource.attributes)
        .filter(([, attribute]) => method === 'POST' || attribute.on === 'create+update')
        .map(([attribute]) => {
          const kind = [shown['type'] ?? body['type'] ?? shown['action'], shown['compare_type']]
            .filter(Boolean)
            .join(' ');
          return { name: `${method} ${resource.root} ${attribute} (${kind})`, target, attribute };
        }),
    );
  }

  /** What is in that place now. */
  originalOf({ target, attribute }: Place): unknown {
    const { body, shown } = this.targets[target]!;
    if (attribute === persistence.root) return shown[attribute]?.cookie_name;
    return shown[attribute] ?? body[attribute];
  }

  /** Sends text where the attribute has it: in a list, as name and value of a map, as the name of a cookie. */
  async attack(place: Place, text: string): Promise<{ status: number; fault: string }> {
    const { resource, method, path, body } = this.targets[place.target]!;
    const value = shaped(place.attribute, resource.attributes[place.attribute]!, text);
    const sent = method === 'POST' ? { ...body, [place.attribute]: value } : { [place.attribute]: value };
    const answer = await this.#api.ask(method, path, { [resource.root]: sent }, ['member', 'reader', 'admin']);
    return { status: answer.status, fault: JSON.stringify(answer.body ?? '') };
  }

  /** Puts back what an accepted change of text replaced. */
  async restore(place: Place): Promise<void> {
    const { resource, path, shown } = this.targets[place.target]!;
    const value = shown[place.attribute];
    const isPersistence = place.attribute === persistence.root && value !== null;
    const sent = isPersistence ? { type: value.type, cookie_name: value.cookie_name } : value;
    const answer = await this.#api.put(path, { [resource.root]: { [place.attribute]: sent } });
    if (answer.status >= 300) throw new Error(`${place.name}: ${JSON.stringify(answer.body)}`);
  }

  async tree(): Promise<Tree> {
    return (await readTree(this.#api.services.table, this.#loadBalancerId))!;
  }

  async text(): Promise<string> {
    return renderConfiguration(await this.tree(), options).text;
  }

  #there(resource: Resource, path: string, shown: Shown): void {
    this.targets.push({ resource, method: 'PUT', path, body: {}, shown });
  }

  #toMake(resource: Resource, path: string, body: Shown): void {
    this.targets.push({ resource, method: 'POST', path, body, shown: {} });
  }

  async #fill(): Promise<void> {
    const api = this.#api;
    const lb = await api.loadBalancer();
    this.#loadBalancerId = lb['id'];
    this.#there(loadBalancer, `loadbalancers/${lb['id']}`, lb);
    const front = await api.listener({ loadbalancer_id: lb['id'], protocol: 'HTTP', protocol_port: 80 });
    this.#there(listener, `listeners/${front['id']}`, front);
    const made = { listener_id: front['id'], tls_enabled: true, tls_ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' };
    const back = await api.pool({ ...made, session_persistence: { type: 'APP_COOKIE', cookie_name: 'session' } });
    this.#there(pool, `pools/${back['id']}`, back);
    await this.#fillPool(back['id']);
    for (const policy of policies) await this.#fillPolicy(front['id'], policy);
    const vip_subnet_id = api.subnet('four');
    this.#toMake(loadBalancer, 'loadbalancers', { vip_subnet_id });
    this.#toMake(listener, 'listeners', { loadbalancer_id: lb['id'], protocol: 'HTTP', protocol_port: 81 });
    this.#toMake(pool, 'pools', { loadbalancer_id: lb['id'], protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' });
    this.#toMake(member, `pools/${back['id']}/members`, { address: '192.0.2.2', protocol_port: 80 });
    this.#toMake(l7Policy, 'l7policies', { listener_id: front['id'], action: 'REJECT' });
  }

  async #fillPool(id: string): Promise<void> {
    const api = this.#api;
    const first = { address: '192.0.2.1', protocol_port: 80, monitor_address: '192.0.2.9' };
    const one = await api.done(api.post(`pools/${id}/members`, { member: first }));
    this.#there(member, `pools/${id}/members/${one['id']}`, one);
    const check = { pool_id: id, type: 'HTTP', delay: 5, timeout: 3, max_retries: 2, url_path: '/health' };
    const http = { ...check, http_version: 1.1, domain_name: 'monitor.example.com' };
    const monitor = await api.done(api.post('healthmonitors', { healthmonitor: http }));
    this.#there(healthMonitor, `healthmonitors/${monitor['id']}`, monitor);
  }

  async #fillPolicy(listener_id: string, given: Shown): Promise<void> {
    const api = this.#api;
    const policy = await api.done(api.post('l7policies', { l7policy: { listener_id, ...given } }));
    this.#there(l7Policy, `l7policies/${policy['id']}`, policy);
    const path = `l7policies/${policy['id']}/rules`;
    for (const rule of given['action'] === 'REJECT' ? rules : rules.slice(1, 2)) {
      const made = await api.done(api.post(path, { rule }));
      this.#there(l7Rule, `${path}/${made['id']}`, made);
    }
    if (given['action'] === 'REJECT') for (const rule of rules) this.#toMake(l7Rule, path, rule);
  }
}

function shaped(name: string, { type }: Attribute, text: string): unknown {
  if (name === persistence.root) return { type: 'APP_COOKIE', cookie_name: text };
  const meta = schemaOf(type);
  if (meta['type'] === 'array') return [text];
  if (meta['type'] === 'object' && 'additionalProperties' in meta) return { [text]: 'true', 'X-Forwarded-For': text };
  return text;
}
