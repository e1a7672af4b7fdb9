// A client of the API as an administrator has one: a token, JSON in and out, and patience until something is ACTIVE.
import { eventually } from './eventually.ts';

/** What the service says of itself when it is ready. */
export interface Cloud {
  endpoint: string;
  auth_url: string;
  username: string;
  password: string;
  project_name: string;
  subnet_id: string;
}

export interface Resource {
  id: string;
  name: string;
  provisioning_status: string;
  operating_status: string;
  [attribute: string]: unknown;
}

export interface LoadBalancer extends Resource {
  vip_address: string;
  listeners: { id: string }[];
  pools: { id: string }[];
}

export interface Statistics {
  bytes_in: number;
  bytes_out: number;
  total_connections: number;
  request_errors: number;
}

export type Attributes = Record<string, unknown>;

/** The API refused, with this fault. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  constructor(status: number, text: string) {
    super(`${status} ${text}`);
    this.status = status;
  }
}

const requestTimeoutMs = 30_000;
const base = '/v2.0/lbaas';

/** Singular name of what a collection holds: `pools/<id>/members` holds members. */
const rootOf = (collection: string): string => collection.split('/').at(-1)!.replace('health', '').replace(/s$/, '');
const roots: Record<string, string> = { monitor: 'healthmonitor', l7policie: 'l7policy' };
const root = (collection: string): string => roots[rootOf(collection)] ?? rootOf(collection);

export class OctaviaClient {
  readonly #cloud: Cloud;
  #token: Promise<string> | undefined;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  /** @throws Refused, or the error of fetch when the answer was cut off */
  async call(method: string, path: string, body?: unknown): Promise<any> {
    this.#token ??= this.#logIn().catch((error) => {
      this.#token = undefined;
      throw error;
    });
    const response = await fetch(`${this.#cloud.endpoint}${path}`, {
      method,
      headers: { 'x-auth-token': await this.#token, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(requestTimeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Refused(response.status, text);
    return text === '' ? undefined : JSON.parse(text);
  }

  async #logIn(): Promise<string> {
    const { auth_url, username, password, project_name } = this.#cloud;
    const user = { name: username, domain: { id: 'default' }, password };
    const scope = { project: { name: project_name, domain: { id: 'default' } } };
    const response = await fetch(`${auth_url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    const token = response.headers.get('x-subject-token');
    if (token === null) throw new Refused(response.status, await response.text());
    return token;
  }

  async create<R extends Resource = Resource>(collection: string, attributes: Attributes): Promise<R> {
    const name = root(collection);
    return (await this.call('POST', `${base}/${collection}`, { [name]: attributes }))[name];
  }

  createLoadBalancer(attributes: Attributes): Promise<LoadBalancer> {
    return this.create<LoadBalancer>('loadbalancers', { vip_subnet_id: this.#cloud.subnet_id, ...attributes });
  }

  async show<R extends Resource = Resource>(collection: string, id: string): Promise<R> {
    return (await this.call('GET', `${base}/${collection}/${id}`))[root(collection)];
  }

  async list<R extends Resource = Resource>(collection: string): Promise<R[]> {
    return (await this.call('GET', `${base}/${collection}`))[collection.split('/').at(-1)!.split('?')[0]!];
  }

  async update(collection: string, id: string, attributes: Attributes): Promise<void> {
    await this.call('PUT', `${base}/${collection}/${id}`, { [root(collection)]: attributes });
  }

  async delete(collection: string, id: string): Promise<void> {
    await this.call('DELETE', `${base}/${collection}/${id}`);
  }

  /** The batch: the pool has these members and no others. */
  async replaceMembers(poolId: string, members: Attributes[]): Promise<void> {
    await this.call('PUT', `${base}/pools/${poolId}/members`, { members });
  }

  async failover(loadBalancerId: string): Promise<void> {
    await this.call('PUT', `${base}/loadbalancers/${loadBalancerId}/failover`);
  }

  async statistics(loadBalancerId: string): Promise<Statistics> {
    return (await this.call('GET', `${base}/loadbalancers/${loadBalancerId}/stats`)).stats;
  }

  active(loadBalancerId: string, withinMs?: number): Promise<LoadBalancer> {
    return this.becomes('loadbalancers', loadBalancerId, 'ACTIVE', withinMs) as Promise<LoadBalancer>;
  }

  becomes(collection: string, id: string, status: string, withinMs?: number): Promise<Resource> {
    let last = 'unknown';
    const look = async () => {
      const shown = await this.show(collection, id);
      last = shown.provisioning_status;
      return last === status ? shown : undefined;
    };
    return eventually(`${collection} ${id} is ${status}`, look, withinMs).catch((cause) => {
      throw new Error(`${collection} ${id} is ${last}, not ${status}`, { cause });
    });
  }

  gone(collection: string, id: string, withinMs?: number): Promise<boolean> {
    const look = () =>
      this.show(collection, id).then(
        () => false,
        (error) => error instanceof Refused && error.status === 404,
      );
    return eventually(`${collection} ${id} is gone`, look, withinMs);
  }
}
