// The API over HTTP as a test of the API asks it: any method, path and body, and the answer as it came, refusals too.
import { randomInt } from 'node:crypto';
import type { Answer } from './http.ts';

export type Attributes = Record<string, unknown>;
export type Shown = Record<string, any>;

export interface Asked {
  headers?: Record<string, string>;
  token?: string | null;
}

const base = '/v2.0/lbaas';

/** An address of the benchmark network, so that no two members of a test meet by chance. */
export const memberAt = (number: number, more: Attributes = {}): Attributes => ({
  address: `198.51.${100 + Math.floor(number / 250)}.${(number % 250) + 1}`,
  protocol_port: 8080,
  ...more,
});

export class OctaviaApi {
  readonly #endpoint: string;
  readonly #token: string;
  readonly #subnetId: string;

  constructor(endpoint: string, token: string, subnetId: string) {
    this.#endpoint = endpoint;
    this.#token = token;
    this.#subnetId = subnetId;
  }

  /** @param body a string goes as it is, anything else as JSON */
  async ask(method: string, path: string, body?: unknown, { headers = {}, token }: Asked = {}): Promise<Answer> {
    const bearer = token === undefined ? this.#token : token;
    const response = await fetch(`${this.#endpoint}${path}`, {
      method,
      headers: {
        ...(bearer === null ? {} : { 'x-auth-token': bearer }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: text === '' ? undefined : JSON.parse(text),
    };
  }

  get = (path: string) => this.ask('GET', `${base}/${path}`);
  post = (path: string, body: unknown) => this.ask('POST', `${base}/${path}`, body);
  put = (path: string, body?: unknown) => this.ask('PUT', `${base}/${path}`, body);
  delete = (path: string) => this.ask('DELETE', `${base}/${path}`);

  /** The resource in an answer with that status. @throws Error with the fault otherwise */
  async expect(status: number, answer: Promise<Answer>): Promise<Shown> {
    const { status: got, body } = await answer;
    if (got !== status) throw new Error(`${got} instead of ${status}: ${JSON.stringify(body)}`);
    return body === undefined ? {} : (Object.values(body)[0] as Shown);
  }

  show = (path: string): Promise<Shown> => this.expect(200, this.get(path));

  createLoadBalancer = (attributes: Attributes = {}): Promise<Shown> =>
    this.expect(201, this.post('loadbalancers', this.loadBalancer(attributes)));
  loadBalancer = (attributes: Attributes = {}) => ({
    loadbalancer: { vip_subnet_id: this.#subnetId, ...attributes },
  });

  createListener = (loadBalancer: Shown, attributes: Attributes = {}): Promise<Shown> =>
    this.expect(
      201,
      this.post('listeners', {
        listener: {
          loadbalancer_id: loadBalancer['id'],
          protocol: 'HTTP',
          protocol_port: randomInt(1024, 65_536),
          ...attributes,
        },
      }),
    );

  createPool = (target: { loadbalancer_id: string } | { listener_id: string }, attributes: Attributes = {}) =>
    this.expect(
      201,
      this.post('pools', { pool: { ...target, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...attributes } }),
    );

  createMember = (pool: Shown, attributes: Attributes): Promise<Shown> =>
    this.expect(201, this.post(`pools/${pool['id']}/members`, { member: attributes }));

  createMonitor = (pool: Shown, attributes: Attributes = {}): Promise<Shown> =>
    this.expect(
      201,
      this.post('healthmonitors', {
        healthmonitor: { pool_id: pool['id'], type: 'HTTP', delay: 5, timeout: 3, max_retries: 2, ...attributes },
      }),
    );

  createL7Policy = (listener: Shown, attributes: Attributes = {}): Promise<Shown> =>
    this.expect(
      201,
      this.post('l7policies', { l7policy: { listener_id: listener['id'], action: 'REJECT', ...attributes } }),
    );

  createL7Rule = (policy: Shown, attributes: Attributes = {}): Promise<Shown> =>
    this.expect(
      201,
      this.post(`l7policies/${policy['id']}/rules`, {
        rule: { type: 'PATH', compare_type: 'STARTS_WITH', value: '/', ...attributes },
      }),
    );

  membersOf = async (pool: Shown): Promise<Shown[]> =>
    (await this.expect(200, this.get(`pools/${pool['id']}/members`))) as unknown as Shown[];
}
