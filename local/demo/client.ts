// A small client of the public API for the demonstration and the benchmarks: Keystone's password login and Octavia's v2 over
// node:http with kept connections, which costs less processor time than fetch and so takes less from the service beside it.
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where a service is and who may come in; what the service prints when it is ready has all of it. */
export interface Cloud {
  endpoint: string;
  auth_url: string;
  username: string;
  password: string;
  project_name: string;
  subnet_id: string;
}

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

export interface Created {
  id: string;
  vip_address: string;
  provisioning_status: string;
  operating_status: string;
}

/** An answer other than asked for, with what it said. */
export class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer';
  readonly status: number;
  constructor(what: string, { status, text }: Answer) {
    super(`${what} answered ${status}: ${text.slice(0, 300)}`);
    this.status = status;
  }
}

const pollMs = 5;

/** @param timeoutMs of silence, after which it fails */
export function exchange(
  url: string,
  options: { agent?: Agent; method?: string; headers?: Record<string, string>; timeoutMs?: number },
  body?: string,
): Promise<Answer> {
  const { timeoutMs = 30_000, ...rest } = options;
  const length: Record<string, string> = body === undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` };
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...rest, headers: { ...rest.headers, ...length } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, text: Buffer.concat(parts).toString('utf8') });
      });
    });
    sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`${url} was silent for ${timeoutMs} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

const credentialsOf = ({ username, password, project_name }: Cloud): string => {
  const domain = { id: 'default' };
  return JSON.stringify({
    auth: {
      identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
      scope: { project: { name: project_name, domain } },
    },
  });
};

export class OctaviaClient {
  readonly cloud: Cloud;
  readonly #agent: Agent;
  readonly #token: string;

  private constructor(cloud: Cloud, agent: Agent, token: string) {
    this.cloud = cloud;
    this.#agent = agent;
    this.#token = token;
  }

  /** @throws UnexpectedAnswer when the service does not let us in */
  static async login(cloud: Cloud): Promise<OctaviaClient> {
    const agent = new Agent({ keepAlive: true });
    const headers = { 'content-type': 'application/json' };
    const answer = await exchange(
      `${cloud.auth_url}/auth/tokens`,
      { agent, method: 'POST', headers },
      credentialsOf(cloud),
    );
    if (answer.status !== 201) throw new UnexpectedAnswer('login', answer);
    return new OctaviaClient(cloud, agent, String(answer.headers['x-subject-token']));
  }

  /** @param path below /v2.0/lbaas. Any answer is a good one here. */
  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.askText(method, path, body === undefined ? undefined : JSON.stringify(body));
  }

  /** As `ask`, with a body that is JSON already. */
  askText(method: string, path: string, body?: string): Promise<Answer> {
    const headers = { 'x-auth-token': this.#token, 'content-type': 'application/json' };
    const url = `${this.cloud.endpoint}/v2.0/lbaas${path}`;
    return exchange(url, { agent: this.#agent, method, headers }, body);
  }

  /** The object under the root key of the answer. @throws UnexpectedAnswer */
  async call<T = Created>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.ask(method, path, body);
    if (answer.status >= 300) throw new UnexpectedAnswer(`${method} ${path}`, answer);
    return answer.text === '' ? (undefined as T) : (Object.values(JSON.parse(answer.text))[0] as T);
  }

  /** @throws UnexpectedAnswer, and Error when it ends in ERROR or not in time */
  async untilActive(loadBalancerId: string, timeoutMs = 30_000): Promise<Created> {
    const giveUpAt = Date.now() + timeoutMs;
    for (;;) {
      const row = await this.call('GET', `/loadbalancers/${loadBalancerId}`);
      if (row.provisioning_status === 'ACTIVE') return row;
      if (row.provisioning_status === 'ERROR') throw new Error(`load balancer ${loadBalancerId} is in ERROR`);
      if (Date.now() > giveUpAt) throw new Error(`still ${row.provisioning_status} after ${timeoutMs} ms`);
      await sleep(pollMs);
    }
  }

  /** Until it cannot be found any more. @throws Error when that takes longer */
  async untilGone(loadBalancerId: string, timeoutMs = 30_000): Promise<void> {
    const giveUpAt = Date.now() + timeoutMs;
    while ((await this.ask('GET', `/loadbalancers/${loadBalancerId}`)).status !== 404) {
      if (Date.now() > giveUpAt)
        throw new Error(`load balancer ${loadBalancerId} is still there after ${timeoutMs} ms`);
      await sleep(pollMs);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}
