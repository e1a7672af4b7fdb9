// The whole deployment, as far as an emulator of AWS goes: MiniStack has no IAM that refuses, no VPC that separates, and no machines.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heartbeat, measured, type Usage } from '../../infra/cost/usage.ts';
import { readHealth } from '../../lambdas/repositories/health.ts';
import { readLoadBalancer } from '../../lambdas/repositories/trees.ts';
import { type Asked, EmulatedCloud } from '../support/emulated-aws/cloud.ts';
import { whyNoEmulator } from '../support/emulated-aws/emulator.ts';
import { BeatingAmphora } from '../support/heartbeats.ts';
import { runLocal } from '../support/local-service.ts';
import type { LoadBalancer } from '../support/octavia-client.ts';

const say = (line: string) => console.info(`deployed: ${line}`);
const missing = await whyNoEmulator();
if (missing) say(`left out, as there is no emulator of AWS: ${missing}`);

/** `12 DynamoDB Query (14 units)`, and what is not a request of a function. */
function told({ requests, messages, transitions }: Asked): string {
  const byAction = Map.groupBy(requests, ({ action }) => action);
  const lines = [...byAction].map(([action, all]) => {
    const units = all.reduce((sum, { capacityUnits }) => sum + capacityUnits, 0);
    return `${all.length} ${action}${units > 0 ? ` (${units} units)` : ''}`;
  });
  return [`${transitions} state transitions`, `${messages} SQS messages`, ...lines.sort()].join(', ');
}

const reading = new Set(['DynamoDB GetItem', 'DynamoDB BatchGetItem', 'DynamoDB Query']);

/** Requests and invocations are not counted here. */
function usageOf({ requests, messages, transitions }: Asked): Omit<Usage, 'httpRequests' | 'invocations'> {
  const units = (is: (action: string) => boolean) =>
    requests.filter(({ action }) => is(action)).reduce((sum, { capacityUnits }) => sum + capacityUnits, 0);
  return {
    readUnits: units((action) => reading.has(action)),
    writeUnits: units((action) => !reading.has(action)),
    events: requests.filter(({ action }) => action === 'Events PutEvents').length,
    messages,
    transitions,
  };
}

/** What the cost model counts with is no less than what was seen. */
function expectWithin(seen: ReturnType<typeof usageOf>, stated: Partial<Usage>): void {
  for (const [name, value] of Object.entries(seen))
    expect(value, `${name}: the cost model should count with more`).toBeLessThanOrEqual(stated[name as keyof Usage]!);
}

describe.skipIf(missing)('deployed to an emulator of AWS by the CDK, the stacks', () => {
  let cloud: EmulatedCloud;
  let web: LoadBalancer;
  beforeAll(async () => {
    cloud = await EmulatedCloud.start(say);
    const stacks = Object.keys(cloud.deployed.outputs).join(', ');
    say(`in place: ${stacks}`);
  }, 240_000);
  afterAll(() => cloud?.stop());

  const step = async (name: string, work: () => Promise<unknown>): Promise<Asked> => {
    const before = performance.now();
    const asked = await cloud.requestsOf(work);
    say(`${name}: ${Math.round(performance.now() - before)} ms; ${told(asked)}`);
    return asked;
  };

  it('answer at the endpoint they name', async () => {
    const { versions } = await cloud.client.call('GET', '/');
    expect(versions.at(-1)).toMatchObject({ id: 'v2.30', status: 'CURRENT' });
  });

  it('create a load balancer: API, table, queue, flow and its tasks', async () => {
    const listener = { name: 'http', protocol: 'HTTP', protocol_port: 80 };
    const members = [{ address: '10.0.0.5', protocol_port: 8080 }];
    const default_pool = { name: 'web', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members };
    const asked = await step('create', async () => {
      web = await cloud.client.createLoadBalancer({ name: 'web', listeners: [{ ...listener, default_pool }] });
      await cloud.settled(web.id);
    });
    web = await cloud.client.active(web.id);
    expect(asked.requests.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['DynamoDB TransactWriteItems', 'StepFunctions StartExecution', 'Events PutEvents']),
    );
    expect(asked.messages).toBeGreaterThan(0);
    expect(asked.transitions).toBeGreaterThan(5);
    expectWithin(usageOf(asked), measured.create);
  });

  it('bring a member into force by way of the worker', async () => {
    const [{ id }] = web.pools as [{ id: string }];
    const asked = await step('member', async () => {
      await cloud.client.create(`pools/${id}/members`, { address: '10.0.0.6', protocol_port: 8080 });
      await cloud.settled(web.id);
    });
    expectWithin(usageOf(asked), measured.memberChange);
    const members = await cloud.client.list(`pools/${id}/members`);
    expect(members.map(({ provisioning_status }) => provisioning_status)).toEqual(['ACTIVE', 'ACTIVE']);
  });

  it('take in a heartbeat of its amphora', async () => {
    const { services } = cloud;
    const amphora = await BeatingAmphora.of({ services, queue: cloud }, web.id);
    const { generation } = (await readLoadBalancer(services.table, web.id))!;
    // The first one brings news, of which events are told a moment later.
    await step('first heartbeat', () => amphora.send({ generation }));
    const asked = await step('heartbeat', () => amphora.send({ generation }));
    expectWithin(usageOf(asked), { ...heartbeat, messages: 1, transitions: 0, events: 0 });
    const health = await readHealth(services.table, [amphora.id]);
    expect(health.get(amphora.id)).toMatchObject({
      load_balancer_id: web.id,
      sequence: expect.stringMatching(/#0*1$/),
    });
  });

  it('fail it over', async () => {
    const amphoraIds = async () => (await readLoadBalancer(cloud.services.table, web.id))!.amphora_ids;
    const before = await amphoraIds();
    const asked = await step('failover', async () => {
      await cloud.client.failover(web.id);
      await cloud.settled(web.id);
    });
    expect(asked.transitions).toBeGreaterThan(3);
    expectWithin(usageOf(asked), measured.failover);
    expect(await amphoraIds()).not.toEqual(before);
    expect((await cloud.client.active(web.id)).provisioning_status).toBe('ACTIVE');
  });

  it('delete it, and leave nothing of it', async () => {
    const asked = await step('delete', async () => {
      await cloud.client.call('DELETE', `/v2.0/lbaas/loadbalancers/${web.id}?cascade=true`);
      await cloud.settled(web.id);
    });
    expectWithin(usageOf(asked), measured.delete);
    expect(await cloud.client.list('loadbalancers')).toEqual([]);
  });

  it('pass the smoke test that operators run', async () => {
    const environment = { OS_PASSWORD: cloud.password };
    const { code, stdout } = await runLocal('smoke/main.ts', ['--endpoint', cloud.endpoint], { environment });
    expect(stdout).toContain('All 7 steps held.');
    expect(code).toBe(0);
  });
});
