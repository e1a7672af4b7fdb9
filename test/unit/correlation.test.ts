// What lines of the log and traces say of the request they belong to.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { apiHandler } from '../../lambdas/api/handler.ts';
import { jsonLogger } from '../../lambdas/runtime/json-logger.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import { lifecycleHandler } from '../../lambdas/tasks/lifecycle.ts';
import { applyConfigurationHandler } from '../../lambdas/worker/apply-configuration.ts';
import { startOperationHandler } from '../../lambdas/worker/start-operation.ts';
import { send } from '../support/http.ts';
import { testServices } from '../support/services.ts';

const trace_id = '1-581cf771-a006649127e371903a2de979';
const projectId = 'a0a0a0a0b0b0c0c0d0d0e0e0e0e0e0e0';
const caller = { project_id: projectId, roles: ['member'] };

let daemon: Socket;
let documents: Record<string, any>[];
let lines: Record<string, any>[];
beforeEach(async () => {
  [documents, lines] = [[], []];
  daemon = createSocket('udp4').bind(0, '127.0.0.1');
  daemon.on('message', (datagram) => {
    const [head, body] = String(datagram).split('\n');
    expect(JSON.parse(head!)).toEqual({ format: 'json', version: 1 });
    documents.push(JSON.parse(body!));
  });
  await once(daemon, 'listening');
  for (const level of ['debug', 'info', 'warn', 'error'] as const)
    vi.spyOn(console, level).mockImplementation((text) => void lines.push(JSON.parse(text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  daemon.close();
});

const logged = (): Services & ReturnType<typeof testServices> => {
  // Powertools writes past what tests may watch unless it is told that somebody looks on.
  vi.stubEnv('POWERTOOLS_DEV', 'true');
  return testServices({ logger: jsonLogger('test') });
};
const traced = (isSampled: boolean) => {
  vi.stubEnv('_X_AMZN_TRACE_ID', `Root=${trace_id};Parent=70de5b6f19ff9a0a;Sampled=${isSampled ? 1 : 0}`);
  vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', `127.0.0.1:${(daemon.address() as AddressInfo).port}`);
};
const records = (body: unknown) => ({ Records: [{ messageId: 'one', body: JSON.stringify(body) }] }) as never;

async function created(services: Services) {
  const [subnet] = await services.network.listSubnets();
  const body = { loadbalancer: { name: 'lb', vip_subnet_id: subnet!.id } };
  const {
    status,
    headers,
    body: answer,
  } = await send(apiHandler(services), {
    method: 'POST',
    path: '/v2/lbaas/loadbalancers',
    body,
    caller,
  });
  expect(status).toBe(201);
  return { id: answer.loadbalancer.id as string, request_id: headers['x-openstack-request-id']! };
}

it('a request is named, with its trace, by the message it sends, the lines of the worker and the flow that starts', async () => {
  traced(false);
  const services = logged();
  const { id, request_id } = await created(services);
  const [sent] = services.queue.sent;
  expect(sent!.message.body).toMatchObject({ load_balancer_id: id, request_id, trace_id });

  // The worker is called in a trace of its own.
  vi.stubEnv('_X_AMZN_TRACE_ID', 'Root=1-5c000000-000000000000000000000000;Parent=1;Sampled=0');
  await startOperationHandler(services)(records(sent!.message.body));
  const line = lines.find(({ message }) => message === 'flow is started');
  expect(line).toMatchObject({ request_id, trace_id, load_balancer_id: id, flow: 'create-load-balancer' });
  expect(services.flows.started[0]!.input).toMatchObject({ load_balancer_id: id, request_id });
});

it('the same operation is started with the same input, whoever asks for it', async () => {
  const services = logged();
  await created(services);
  const { request_id, ...body } = services.queue.sent[0]!.message.body;
  expect(request_id).toBeTruthy();
  const start = startOperationHandler(services);
  await start(records({ ...body, request_id: 'req-another' }));
  await start(records(body));
  expect(services.flows.started).toHaveLength(1);
  expect(services.flows.started[0]!.input['request_id']).toBe(request_id);
});

it('what fails is logged with the ids of its message, and nothing of the message before', async () => {
  const services = logged();
  services.table.get = () => Promise.reject(new Error('away'));
  services.table.query = () => Promise.reject(new Error('away'));
  const apply = applyConfigurationHandler(services);
  await apply(records({ load_balancer_id: 'one', generation: 1, request_id: 'req-1', trace_id }));
  await apply(records({ load_balancer_id: 'two', generation: 1 }));
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatchObject({ load_balancer_id: 'one', request_id: 'req-1', trace_id });
  expect(lines[1]).toMatchObject({ load_balancer_id: 'two' });
  expect(lines[1]).not.toHaveProperty('request_id');
});

it('the daemon of X-Ray is told of a sampled request, by its ids, with how long it took', async () => {
  traced(true);
  const { request_id } = await created(logged());
  await vi.waitFor(() => expect(documents).toHaveLength(1));
  expect(documents[0]).toMatchObject({ name: 'POST', type: 'subsegment', trace_id, parent_id: '70de5b6f19ff9a0a' });
  expect(documents[0]!.id).toMatch(/^[0-9a-f]{16}$/);
  expect(documents[0]!.end_time).toBeGreaterThanOrEqual(documents[0]!.start_time);
  expect(documents[0]!.annotations).toEqual({ request_id, trace_id });
});

it('a task that fails is a fault in its trace', async () => {
  traced(true);
  const services = logged();
  services.table.get = () => Promise.reject(new Error('away'));
  const asked = { task: 'ActivateLoadBalancer', load_balancer_id: 'one', operation_id: 'two', execution: 'three' };
  await expect(lifecycleHandler(services)(asked)).rejects.toThrow();
  await vi.waitFor(() => expect(documents).toHaveLength(1));
  const annotations = { load_balancer_id: 'one', operation_id: 'two', execution: 'three' };
  expect(documents[0]).toMatchObject({ name: 'ActivateLoadBalancer', fault: true, annotations });
});

it('nobody is told of what is not sampled, or where there is no daemon', async () => {
  traced(false);
  await created(logged());
  vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', '');
  vi.stubEnv('_X_AMZN_TRACE_ID', `Root=${trace_id};Parent=70de5b6f19ff9a0a;Sampled=1`);
  await created(logged());
  // What was sent before it would have come before it.
  traced(true);
  await created(logged());
  await vi.waitFor(() => expect(documents.length).toBeGreaterThan(0));
  expect(documents).toHaveLength(1);
});
