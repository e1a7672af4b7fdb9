import { globSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { functionNames } from '../../infra/functions.ts';
import { apiHandler } from '../../lambdas/api/handler.ts';
import { authorizerHandler } from '../../lambdas/authorizer/handler.ts';
import type { AmphoraRow } from '../../lambdas/domain/amphora.ts';
import { heartbeatPurpose } from '../../lambdas/domain/heartbeat.ts';
import type { NoopInstanceDirectory } from '../../lambdas/drivers/compute/instance-directory.ts';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { heartbeatsHandler } from '../../lambdas/health-manager/heartbeats.ts';
import { scalingEventHandler } from '../../lambdas/health-manager/scaling-event.ts';
import { scanChainHandler } from '../../lambdas/health-manager/scan-chain.ts';
import { housekeepingHandler } from '../../lambdas/housekeeping/handler.ts';
import { flowEndedHandler } from '../../lambdas/housekeeping/reconcile.ts';
import { firstCredentialsHandler } from '../../lambdas/identity/first-credentials.ts';
import { identityHandler } from '../../lambdas/identity/handler.ts';
import { seedCloud } from '../../lambdas/identity/seed.ts';
import { keyManagerHandler } from '../../lambdas/key-manager/handler.ts';
import { networkHandler as apiNetworkHandler } from '../../lambdas/network/handler.ts';
import { putAmphora, readAmphora } from '../../lambdas/repositories/amphorae.ts';
import { expectSigns, readHealth } from '../../lambdas/repositories/health.ts';
import { findUserByName } from '../../lambdas/repositories/identities.ts';
import { newLoadBalancerItem, operationOf } from '../../lambdas/repositories/load-balancers.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import { amphoraHandler } from '../../lambdas/tasks/amphora.ts';
import { computeHandler } from '../../lambdas/tasks/compute.ts';
import { lifecycleHandler } from '../../lambdas/tasks/lifecycle.ts';
import { networkHandler } from '../../lambdas/tasks/network.ts';
import { applyConfigurationHandler } from '../../lambdas/worker/apply-configuration.ts';
import { grantArchivesHandler } from '../../lambdas/worker/grant-archives.ts';
import { relayOutboxHandler } from '../../lambdas/worker/relay-outbox.ts';
import { startOperationHandler } from '../../lambdas/worker/start-operation.ts';
import { aLoadBalancer } from '../support/builders.ts';
import { type TestServices, testServices } from '../support/services.ts';

// The sample events speak of these.
const loadBalancerId = '5d0f3f1e-6a53-4a3c-9c38-0f4d2f6f8a11';
const amphoraId = '0b6a8d7e-2f0a-4b65-8a1b-6a6f5a2f7c10';
const operationId = 'c2a5d9a4-0d2f-4d0e-8b1c-2c7b7a1f9e33';
const projectId = '4f1d2c3b5a69788796a5b4c3d2e1f001';
const heartbeatKey = '5a'.repeat(32);

type AnyHandler = (services: Services) => (event: any, context: any) => Promise<any>;
const handlers: Record<string, AnyHandler> = {
  api: apiHandler,
  identity: identityHandler,
  'first-credentials': (services) => firstCredentialsHandler(services, async () => '{"password":"random"}'),
  network: apiNetworkHandler,
  'key-manager': keyManagerHandler,
  authorizer: authorizerHandler,
  'worker-apply': applyConfigurationHandler,
  'worker-archives': grantArchivesHandler,
  'worker-start': startOperationHandler,
  'worker-relay': relayOutboxHandler,
  'tasks-lifecycle': lifecycleHandler,
  'tasks-compute': computeHandler,
  'tasks-network': networkHandler,
  'tasks-amphora': amphoraHandler,
  heartbeats: heartbeatsHandler,
  'health-scan': scanChainHandler,
  'compute-event': computeEventHandler,
  'scaling-event': scalingEventHandler,
  housekeeping: housekeepingHandler,
  'flow-ended': flowEndedHandler,
};

let services: TestServices;
beforeEach(() => {
  services = testServices();
});

const sample = (name: string): any => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'));
const run = (name: string) => handlers[name]!(services)(sample(name), {});

async function haveLoadBalancer(given: Parameters<typeof aLoadBalancer>[0] = {}): Promise<void> {
  const row = aLoadBalancer({
    id: loadBalancerId,
    load_balancer_id: loadBalancerId,
    project_id: projectId,
    provisioning_status: 'PENDING_CREATE',
    generation: 7,
    applied_generation: 0,
    operation: operationOf('create', operationId, services.clock.now(), 900_000),
    ...given,
  });
  await services.table.transact([{ kind: 'put', item: newLoadBalancerItem(row) }]);
}

const haveAmphora = (given: Partial<AmphoraRow> = {}) =>
  putAmphora(services, {
    id: amphoraId,
    load_balancer_id: null,
    status: 'BOOTING',
    role: null,
    compute_id: amphoraId,
    lb_network_ip: '10.0.0.5',
    vrrp_ip: null,
    vrrp_port_id: null,
    ha_ip: null,
    ha_port_id: null,
    cert_expiration: null,
    cached_zone: null,
    image_id: null,
    heartbeat_key: services.sealer.seal(heartbeatKey, heartbeatPurpose(amphoraId)),
    created_at: '2026-03-10T11:00:00',
    updated_at: null,
    busy_until: services.clock.now() + 900_000,
    ...given,
  });

describe('sample events', () => {
  it('are there for every function, and for nothing else', () => {
    const events = globSync('*.json', { cwd: 'events' }).map((file) => file.replace('.json', ''));
    expect(events.toSorted()).toEqual(functionNames.toSorted());
    expect(Object.keys(handlers).sort()).toEqual(functionNames.toSorted());
  });

  it('api lists the load balancers of the project', async () => {
    await haveLoadBalancer();
    const { statusCode, body } = await run('api');
    expect(statusCode).toBe(200);
    expect(JSON.parse(body).loadbalancers).toMatchObject([{ id: loadBalancerId }]);
  });

  it('key-manager lists the secrets of the project', async () => {
    const { statusCode, body } = await run('key-manager');
    expect([statusCode, JSON.parse(body)]).toEqual([200, { secrets: [], total: 0 }]);
  });

  it('identity answers a login with a token', async () => {
    await seedCloud(services, { adminPassword: 'admin-password', demoPassword: 'demo-password' });
    const { statusCode, headers } = await run('identity');
    expect(statusCode).toBe(201);
    expect(headers['x-subject-token']).toMatch(/^ey/);
  });

  it('first-credentials makes the administrator, and fails where CloudFormation cannot be told', async () => {
    await expect(run('first-credentials')).rejects.toThrow('fetch failed');
    expect(await findUserByName(services.table, 'default', 'admin')).toBeDefined();
  });

  it('network names the subnet a VIP can be in', async () => {
    const { statusCode, body } = await run('network');
    expect(statusCode).toBe(200);
    expect(JSON.parse(body).subnets).toMatchObject([{ name: 'vip-subnet' }]);
  });

  it('authorizer lets a token of nobody in without a caller', async () => {
    expect(await run('authorizer')).toEqual({ isAuthorized: true, context: {} });
  });

  it('worker-apply asks for the flow of a load balancer that has no amphora yet', async () => {
    await haveLoadBalancer();
    expect(await run('worker-apply')).toEqual({ batchItemFailures: [] });
    expect(services.queue.sent).toMatchObject([{ queue: 'operations' }]);
  });

  it('worker-archives gives the right to put the archive among the logs of the project', async () => {
    await haveLoadBalancer();
    await haveAmphora({ load_balancer_id: loadBalancerId, status: 'ALLOCATED' });
    expect(await run('worker-archives')).toEqual({ batchItemFailures: [] });
    const key = `tenant/${projectId}/${loadBalancerId}/2026/03/10/20260310T120000Z-${amphoraId}-c0ffee01.log.gz`;
    expect(services.objects.granted).toMatchObject([{ key, bytes: 4096 }]);
  });

  it('worker-start starts the flow the load balancer waits for', async () => {
    await haveLoadBalancer();
    expect(await run('worker-start')).toEqual({ batchItemFailures: [] });
    expect(services.flows.started).toMatchObject([{ flow: 'create-load-balancer' }]);
  });

  it('worker-relay sends on what lies in the outbox', async () => {
    expect(await run('worker-relay')).toEqual({ relayed: 1 });
    expect(services.queue.sent).toMatchObject([{ queue: 'operations', message: { group: loadBalancerId } }]);
  });

  it('tasks-lifecycle marks an amphora that was given up', async () => {
    await haveAmphora();
    await run('tasks-lifecycle');
    expect(await readAmphora(services.table, amphoraId)).toMatchObject({ status: 'PENDING_DELETE' });
  });

  it('tasks-compute makes the machine of an amphora', async () => {
    expect(await run('tasks-compute')).toEqual({ compute_id: amphoraId });
  });

  it('tasks-network gives the VIP back', async () => {
    await haveLoadBalancer();
    expect(await run('tasks-network')).toBeNull();
  });

  it('tasks-amphora finds the agent answering', async () => {
    await haveAmphora();
    expect(await run('tasks-amphora')).toBeNull();
  });

  it('heartbeats notes that the amphora was heard', async () => {
    await haveAmphora({ status: 'READY' });
    await expectSigns(services, amphoraId, null);
    expect(await run('heartbeats')).toEqual({ batchItemFailures: [] });
    const health = await readHealth(services.table, [amphoraId]);
    expect(health.get(amphoraId)).toMatchObject({ last_seen: services.clock.now(), generation: 7 });
  });

  it('health-scan looks at all amphorae', async () => {
    expect(await run('health-scan')).toEqual({ amphorae: 0, silent: 0, failed_over: 0, is_storm: false });
  });

  it('compute-event leaves alone a machine that is no amphora', async () => {
    expect(await run('compute-event')).toEqual({ failed_over: 0 });
  });

  it('scaling-event asks for a machine that EC2 does not show yet to be told of again', async () => {
    await expect(run('scaling-event')).rejects.toThrow('EC2 does not show machine i-0abcd2222abcd2222');
  });

  it('scaling-event leaves alone a machine whose tags name no pool', async () => {
    const instance_id = 'i-0abcd2222abcd2222';
    const directory = services.instances as NoopInstanceDirectory;
    directory.instances.set(instance_id, { instance_id, state: 'RUNNING', address: '10.1.0.1', tags: {} });
    expect(await run('scaling-event')).toEqual({ changed: 0 });
  });

  it('housekeeping looks at everything', async () => {
    await haveLoadBalancer();
    expect(await run('housekeeping')).toMatchObject({ reconciled: 0, spares_started: 0, purged: 0 });
  });

  it('flow-ended sets the operation of a flow that ran out of time going again', async () => {
    const execution: string = sample('flow-ended').detail.name;
    const lease = { flow: 'create-load-balancer', execution, until: services.clock.now() + 60_000 };
    await haveLoadBalancer({ lease });
    await run('flow-ended');
    expect(services.queue.sent).toMatchObject([
      { queue: 'operations', message: { deduplication: `${operationId}-1` } },
    ]);
  });
});
