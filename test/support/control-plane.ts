// A whole control plane in the test's process: the real handlers behind the gateway of one machine, real flows, and noop drivers
// where machines, networks and HAProxy would be. The table is the test's choice, so that one suite proves both.
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { apiHandler } from '../../lambdas/api/handler.ts';
import { authorizerHandler } from '../../lambdas/authorizer/handler.ts';
import type { QuotaLimits } from '../../lambdas/domain/quota.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Table } from '../../lambdas/drivers/table/table.ts';
import { heartbeatsHandler } from '../../lambdas/health-manager/heartbeats.ts';
import { housekeepingHandler } from '../../lambdas/housekeeping/handler.ts';
import { flowEndedHandler } from '../../lambdas/housekeeping/reconcile.ts';
import { identityHandler } from '../../lambdas/identity/handler.ts';
import { quotaKey } from '../../lambdas/repositories/keys.ts';
import { type Config, defaultConfig } from '../../lambdas/runtime/config.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import { amphoraHandler } from '../../lambdas/tasks/amphora.ts';
import { computeHandler } from '../../lambdas/tasks/compute.ts';
import { lifecycleHandler } from '../../lambdas/tasks/lifecycle.ts';
import { networkHandler } from '../../lambdas/tasks/network.ts';
import { applyConfigurationHandler } from '../../lambdas/worker/apply-configuration.ts';
import { startOperationHandler } from '../../lambdas/worker/start-operation.ts';
import { SqliteExecutionStore } from '../../local/flows/execution-store.ts';
import { LocalFlowDriver } from '../../local/flows/local-flow-driver.ts';
import { startGateway } from '../../local/gateway.ts';
import { eventually } from './eventually.ts';
import { InProcessQueue } from './in-process-queue.ts';
import { OctaviaApi } from './octavia-api.ts';
import { type Persona, tokenOf, writePersonas } from './personas.ts';
import { RefusingAmphorae } from './refusing-amphorae.ts';
import { type TestServices, TurnableClock, testServices } from './services.ts';

/** Goes as the real one does, and can be turned forward as well. */
class ForwardClock extends TurnableClock {
  #ahead = 0;
  override now(): number {
    return Date.now() + this.#ahead;
  }
  override turn(ms: number): void {
    this.#ahead += ms;
  }
  override sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

type FlowTask = (payload: unknown) => Promise<unknown>;

export interface ControlPlaneOptions {
  table?: Table;
  config?: Partial<Config>;
}

type PlaneServices = Omit<TestServices, 'queue' | 'flows'> & {
  queue: InProcessQueue;
  flows: LocalFlowDriver;
  amphora: RefusingAmphorae;
};

/** Waits of a flow are seconds there and next to nothing here. */
const waitScale = 0.002;

export class ControlPlane implements AsyncDisposable {
  readonly endpoint: string;
  readonly services: PlaneServices;
  readonly subnetId: string;
  readonly #server: Server;
  readonly #executions: SqliteExecutionStore;
  readonly #tokens: Record<Persona, string>;

  private constructor(made: {
    endpoint: string;
    server: Server;
    services: PlaneServices;
    executions: SqliteExecutionStore;
    tokens: Record<Persona, string>;
    subnetId: string;
  }) {
    this.endpoint = made.endpoint;
    this.services = made.services;
    this.subnetId = made.subnetId;
    this.#server = made.server;
    this.#executions = made.executions;
    this.#tokens = made.tokens;
  }

  static async start({ table, config }: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const queue = new InProcessQueue();
    const executions = new SqliteExecutionStore(':memory:');
    const services = testServices({
      table: table ?? new SqliteTable({ path: ':memory:' }),
      clock: new ForwardClock(),
      config: { ...defaultConfig, ...config },
      queue: queue as never,
      amphora: new RefusingAmphorae(),
    }) as unknown as PlaneServices;
    services.flows = flowsOf(services, executions);
    queue.handlers = handlersOf(services);
    await writePersonas(services);
    const { server, endpoint } = await startGateway(0, {
      routes: [
        { prefix: '/identity', handler: identityHandler(services) },
        { prefix: '', handler: apiHandler(services) },
      ],
      authorizer: authorizerHandler(services) as never,
      newId: randomUUID,
    });
    const [subnet] = await services.network.listSubnets();
    const tokens = await tokenOf(services);
    return new ControlPlane({ endpoint, server, services, executions, tokens, subnetId: subnet!.id });
  }

  get queue(): InProcessQueue {
    return this.services.queue;
  }

  get amphorae(): RefusingAmphorae {
    return this.services.amphora;
  }

  /** The API as somebody uses it; by default a member of the project that the tests' load balancers belong to. */
  as(persona: Persona = 'member'): OctaviaApi {
    return new OctaviaApi(this.endpoint, this.#tokens[persona], this.subnetId);
  }

  /** Until nothing is queued and no flow runs. */
  async settle(): Promise<void> {
    await eventually('the control plane has nothing to do', () => {
      return this.queue.isIdle && this.#executions.running().length === 0;
    });
  }

  runHousekeeping() {
    return housekeepingHandler(this.services)();
  }

  /** Makes a limit of a project without the API. */
  async limit(projectId: string, limits: Partial<QuotaLimits>): Promise<void> {
    await this.services.table.transact([{ kind: 'update', key: quotaKey(projectId), set: { ...limits } }]);
  }

  /** What a project uses by the counters, resources it uses nothing of left out. */
  async inUse(projectId: string): Promise<Record<string, number>> {
    const row = (await this.services.table.get(quotaKey(projectId))) ?? {};
    const counters = Object.entries(row).filter(([name, value]) => name.startsWith('in_use_') && value !== 0);
    return Object.fromEntries(counters.map(([name, value]) => [name.slice('in_use_'.length), Number(value)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.services.flows.close();
    await this.services.table.close();
  }
}

function flowsOf(services: PlaneServices, store: SqliteExecutionStore): LocalFlowDriver {
  const task = (handler: (services: Services) => unknown) => handler(services as unknown as Services) as FlowTask;
  return new LocalFlowDriver({
    definitions: new URL('../../state-machines', import.meta.url).pathname,
    tasks: {
      LifecycleTasks: task(lifecycleHandler),
      ComputeTasks: task(computeHandler),
      NetworkTasks: task(networkHandler),
      AmphoraTasks: task(amphoraHandler),
    },
    store,
    waitScale,
    onEnded: async ({ name, state, input }) => {
      if (state === 'SUCCEEDED') return;
      await flowEndedHandler(services)({ detail: { name, status: state, input: JSON.stringify(input) } });
    },
  });
}

const handlersOf = (services: PlaneServices): InProcessQueue['handlers'] => ({
  work: applyConfigurationHandler(services),
  operations: startOperationHandler(services),
  heartbeats: heartbeatsHandler(services),
});
