// Load at a steady concurrency from a process of its own: what is measured is the service, and not the event loop that also
// polls, reads events and plays the members.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Cloud, OctaviaClient } from '../local/demo/client.ts';

export interface LoadOrder {
  cloud: Cloud;
  method: string;
  /** Below /v2.0/lbaas. */
  path: string;
  /** `{n}` in it becomes the number of the request. */
  body?: string;
  concurrency: number;
  /** Ends after so many requests or so long, whatever comes first. */
  count: number;
  durationMs: number;
}

export interface LoadResult {
  requests: number;
  tookMs: number;
  /** Of those that were answered with less than 300. */
  ids: string[];
  /** Status or error code to how often. */
  failures: Record<string, number>;
}

/** @throws Error when any request failed: a rate of failures is none */
export async function load(order: LoadOrder): Promise<LoadResult> {
  const child = fork(fileURLToPath(import.meta.url), { execArgv: ['--disable-warning=ExperimentalWarning'] });
  try {
    const result = await new Promise<LoadResult>((resolve, reject) => {
      child.once('message', resolve as (message: unknown) => void);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the load process ended with ${code}`)));
      child.send(order);
    });
    if (Object.keys(result.failures).length > 0) throw new Error(`failed requests: ${JSON.stringify(result.failures)}`);
    return result;
  } finally {
    child.kill();
  }
}

async function perform(order: LoadOrder): Promise<LoadResult> {
  const client = await OctaviaClient.login(order.cloud);
  // A token is looked at closely once; after that it is known.
  await client.ask('GET', '/loadbalancers?limit=1');
  const result: LoadResult = { requests: 0, tookMs: 0, ids: [], failures: {} };
  const started = performance.now();
  let sent = 0;
  const lane = async () => {
    while (sent < order.count && performance.now() - started < order.durationMs) {
      sent += 1;
      await once(client, order, sent, result);
    }
  };
  await Promise.all(Array.from({ length: order.concurrency }, lane));
  result.tookMs = performance.now() - started;
  client.close();
  return result;
}

async function once(client: OctaviaClient, order: LoadOrder, number: number, result: LoadResult): Promise<void> {
  const { method, path, body } = order;
  const text = body?.replaceAll('{n}', String(number));
  const outcome = await client.askText(method, path, text).catch((error: Error) => error);
  result.requests += 1;
  if (!(outcome instanceof Error) && outcome.status < 300) {
    if (method === 'POST') result.ids.push(/"id":"([^"]+)"/.exec(outcome.text)?.[1] ?? '');
    return;
  }
  const failure = outcome instanceof Error ? outcome.message : `${outcome.status} ${outcome.text.slice(0, 120)}`;
  result.failures[failure] = (result.failures[failure] ?? 0) + 1;
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once('message', (order) => {
    perform(order as LoadOrder).then(
      (result) => process.send!(result),
      (error: Error) => process.send!({ requests: 0, tookMs: 0, ids: [], failures: { [error.message]: 1 } }),
    );
  });
}
