// A client for a deployment that may be far away: over fetch, patient, and asking no more often than it has to.
import { setTimeout as sleep } from 'node:timers/promises';

/** As clients of OpenStack name them: OS_AUTH_URL and the others. */
export interface Credentials {
  endpoint: string;
  username: string;
  password: string;
  project: string;
}

export interface Row {
  id: string;
  provisioning_status: string;
  [attribute: string]: unknown;
}

export class Unexpected extends Error {
  override readonly name = 'Unexpected';
  readonly status: number;
  constructor(what: string, status: number, text: string) {
    super(`${what} answered ${status}: ${text.slice(0, 300)}`);
    this.status = status;
  }
}

const requestTimeoutMs = 35_000;
const pollMs = 1_000;

export class SmokeClient {
  readonly #endpoint: string;
  readonly #token: string;

  private constructor(endpoint: string, token: string) {
    this.#endpoint = endpoint;
    this.#token = token;
  }

  /** @throws Unexpected */
  static async login({ endpoint, username, password, project }: Credentials): Promise<SmokeClient> {
    const domain = { id: 'default' };
    const auth = {
      identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
      scope: { project: { name: project, domain } },
    };
    const response = await fetch(`${endpoint}/identity/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    const token = response.headers.get('x-subject-token');
    if (token === null) throw new Unexpected('login', response.status, await response.text());
    return new SmokeClient(endpoint, token);
  }

  /** The object under the root key of the answer. @throws Unexpected */
  async call<T = Row>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#endpoint}${path}`, {
      method,
      headers: { 'x-auth-token': this.#token, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(requestTimeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Unexpected(`${method} ${path}`, response.status, text);
    return (text === '' ? undefined : Object.values(JSON.parse(text) as object)[0]) as T;
  }

  /** @param path of a resource @throws Error when it ends in ERROR, with what the load balancer has to say of it */
  async untilActive(path: string, withinMs: number): Promise<Row> {
    const giveUpAt = Date.now() + withinMs;
    for (;;) {
      const row = await this.call('GET', path);
      if (row.provisioning_status === 'ACTIVE') return row;
      if (row.provisioning_status === 'ERROR') throw new Error(`ERROR: ${await this.#explained(row.id)}`);
      if (Date.now() > giveUpAt) throw new Error(`still ${row.provisioning_status}: ${await this.#explained(row.id)}`);
      await sleep(pollMs);
    }
  }

  async #explained(loadBalancerId: string): Promise<string> {
    const path = `/v2.0/lbaas/loadbalancers/${loadBalancerId}/explain`;
    const explained = this.call<{ summary: string[] }>('GET', path);
    const { summary } = await explained.catch(() => ({ summary: ['no reason is known'] }));
    return summary.join(' ');
  }

  /** @throws Error when it is still there by then */
  async untilGone(path: string, withinMs: number): Promise<void> {
    const giveUpAt = Date.now() + withinMs;
    for (;;) {
      try {
        const { provisioning_status } = await this.call('GET', path);
        if (Date.now() > giveUpAt) throw new Error(`still ${provisioning_status}`);
      } catch (error) {
        if (error instanceof Unexpected && error.status === 404) return;
        throw error;
      }
      await sleep(pollMs);
    }
  }
}
