// The whole of octavia-serverless in one process: everything AWS does around the handlers, started and stopped in order.
import type { Server } from 'node:http';
import { apiHandler } from '../lambdas/api/handler.ts';
import { authorizerHandler } from '../lambdas/authorizer/handler.ts';
import { requestWhatIsPending } from '../lambdas/controller/requests.ts';
import { computeEventHandler } from '../lambdas/health-manager/compute-event.ts';
import { heartbeatsHandler } from '../lambdas/health-manager/heartbeats.ts';
import { scanHandler } from '../lambdas/health-manager/scan.ts';
import { housekeepingHandler } from '../lambdas/housekeeping/handler.ts';
import { identityHandler } from '../lambdas/identity/handler.ts';
import { seedCloud } from '../lambdas/identity/seed.ts';
import { networkHandler } from '../lambdas/network/handler.ts';
import { readExpired } from '../lambdas/repositories/trees.ts';
import { newId } from '../lambdas/runtime/ids.ts';
import type { SqsHandler } from '../lambdas/runtime/sqs-batch.ts';
import { applyConfigurationHandler } from '../lambdas/worker/apply-configuration.ts';
import { grantArchivesHandler } from '../lambdas/worker/grant-archives.ts';
import { startOperationHandler } from '../lambdas/worker/start-operation.ts';
import { ConsoleEvents, consoleLogger, type Print } from './console.ts';
import { startGateway } from './gateway.ts';
import { checkLogFormat } from './log-format.ts';
import { type LocalOptions, UsageError } from './options.ts';
import { EventSource } from './queue/event-source.ts';
import { every, type Schedule } from './schedule.ts';
import { type LocalServices, localServices, objectsPrefix } from './services.ts';
import { StateDirectory } from './state-directory.ts';

/** Later than every deadline. */
const endOfTime = Date.parse('9999-12-31');

export interface Ready {
  endpoint: string;
  auth_url: string;
  username: string;
  password: string;
  project_name: string;
  project_id: string;
  network_id: string;
  subnet_id: string;
}

export interface Runtime {
  ready: Ready;
  services: LocalServices;
  state: StateDirectory;
  /** Ends everything, amphorae included; they come back with the next start. */
  stop(): Promise<void>;
}

async function listen(options: LocalOptions, services: LocalServices) {
  try {
    return await startGateway(options.port, {
      routes: [
        { prefix: '/identity', handler: identityHandler(services) },
        { prefix: '/network', handler: networkHandler(services) },
        { prefix: '', handler: apiHandler(services) },
      ],
      authorizer: authorizerHandler(services) as never,
      newId,
      ...(services.directory && {
        objects: { prefix: objectsPrefix, put: (request) => services.directory!.put(request) },
      }),
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new UsageError(`Port ${options.port} is in use by another program. Choose one: --port N`, { cause });
  }
}

/** The queues' consumers: nothing is taken from them while paused. */
function consumers(services: LocalServices): EventSource[] {
  const { client, queueUrls } = services.queueServer;
  const logger = { error: (message: string, error: Error) => services.logger.error(message, { error }) };
  const source = (queueUrl: string, handler: SqsHandler) => new EventSource({ client, queueUrl, handler, logger });
  return [
    source(queueUrls.work, applyConfigurationHandler(services)),
    source(queueUrls.operations, startOperationHandler(services)),
    source(queueUrls.heartbeats, heartbeatsHandler(services)),
    source(queueUrls.archives, grantArchivesHandler(services)),
  ];
}

function schedules(services: LocalServices): Schedule[] {
  const { health_scan_interval_ms, reconcile_interval_ms } = services.config;
  const told = (name: string) => (error: unknown) => services.logger.error(`${name} failed`, { error });
  const housekeeping = every(reconcile_interval_ms, housekeepingHandler(services), told('housekeeping'));
  // Noop machines send no heartbeats, so none is missed.
  if (services.processes === undefined) return [housekeeping];
  return [housekeeping, every(health_scan_interval_ms, scanHandler(services), told('health scan'))];
}

/**
 * A kill between a write and its message leaves a load balancer PENDING that nobody was told of. The reconciler finds it by its
 * deadline; at a start nobody else works, so all are asked for now. What is under way already is not begun twice.
 */
async function requestUnfinished(services: LocalServices): Promise<void> {
  const pending = await readExpired(services.table, endOfTime);
  for (const row of pending) await requestWhatIsPending(services, row, `-start-${newId()}`);
}

/** A process that ends is a machine that stopped. */
function watchProcesses(services: LocalServices): void {
  const handler = computeEventHandler(services);
  services.processes?.onExit((amphora_id) => {
    const detail = { 'instance-id': `proc-${amphora_id}`, state: 'terminated', amphora_id };
    handler({ detail }).catch((error) => services.logger.error('news of a stopped amphora was lost', { error }));
  });
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 500).unref();
  });

async function readyLine(services: LocalServices, state: StateDirectory, endpoint: string): Promise<Ready> {
  const { admin_password, demo_password } = state.credentials();
  const seeded = await seedCloud(services, { adminPassword: admin_password, demoPassword: demo_password });
  const [subnet] = await services.network.listSubnets();
  return {
    endpoint,
    auth_url: `${endpoint}/identity/v3`,
    username: 'admin',
    password: admin_password,
    project_name: 'admin',
    project_id: seeded.admin_project_id,
    network_id: subnet!.network_id,
    subnet_id: subnet!.id,
  };
}

/** @throws UsageError for what the user can mend */
export async function startRuntime(options: LocalOptions, print: Print): Promise<Runtime> {
  if (options.compute === 'process') checkLogFormat(options.haproxy_path, options.config.user_log_format);
  const state = new StateDirectory(options.state, options.ephemeral);
  state.lock(`port ${options.port}`);
  try {
    return await startOn(state, options, print);
  } catch (error) {
    state.release();
    throw error;
  }
}

async function startOn(state: StateDirectory, options: LocalOptions, print: Print): Promise<Runtime> {
  const logger = consoleLogger(print, options.json);
  // Rights are given after there is somebody who answers.
  let endpoint = '';
  const services = await localServices(options, state, new ConsoleEvents(print, options.json), logger, () => endpoint);
  // Before any amphora is started: a service that cannot be leaves none behind.
  const listening = await listen(options, services);
  const { server } = listening;
  endpoint = listening.endpoint;
  await services.processes?.adopt();
  const ready = await readyLine(services, state, endpoint);
  state.note(endpoint);

  const sources = options.pause ? [] : consumers(services);
  let timers: Schedule[] = [];
  const begin = async () => {
    if (options.pause) return;
    watchProcesses(services);
    for (const source of sources) source.start();
    await services.flows.resume();
    await requestUnfinished(services);
    timers = schedules(services);
  };
  await begin();

  return {
    ready,
    services,
    state,
    async stop() {
      await Promise.all([
        closed(server),
        ...timers.map((timer) => timer.stop()),
        ...sources.map((source) => source.stop()),
      ]);
      await services.flows.close();
      await services.processes?.stopAll();
      await services.amphora.close();
      await services.queueServer.close();
      await services.table.close();
      state.release();
    },
  };
}
