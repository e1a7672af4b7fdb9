// The services of the control plane on one machine: the real handlers' drivers with a table, queues, flows, machines and a network
// made of SQLite, loopback and processes.
import { execFileSync } from 'node:child_process';
import { HttpsAmphoraDriver } from '../lambdas/drivers/amphora/https.ts';
import { NoopAmphoraDriver } from '../lambdas/drivers/amphora/noop.ts';
import { clientName } from '../lambdas/drivers/certificates/certificate-authority.ts';
import { CertificateCopies } from '../lambdas/drivers/certificates/certificate-copies.ts';
import { LocalCertificateAuthority } from '../lambdas/drivers/certificates/local-authority.ts';
import { LocalCertificates } from '../lambdas/drivers/certificates/local-certificates.ts';
import { NoopCertificates } from '../lambdas/drivers/certificates/noop-certificates.ts';
import { aesSealer } from '../lambdas/drivers/certificates/sealer.ts';
import { NoopInstanceDirectory } from '../lambdas/drivers/compute/instance-directory.ts';
import { NoopComputeDriver } from '../lambdas/drivers/compute/noop.ts';
import type { EventDriver } from '../lambdas/drivers/events/event-driver.ts';
import type { Execution } from '../lambdas/drivers/flows/flow-driver.ts';
import { AnyIdNetworkDriver } from '../lambdas/drivers/network/noop-any-id.ts';
import { DirectoryObjectStore } from '../lambdas/drivers/objects/directory.ts';
import { NoopObjectStore } from '../lambdas/drivers/objects/object-store.ts';
import { SqsQueueDriver } from '../lambdas/drivers/queue/sqs.ts';
import { SqliteTable } from '../lambdas/drivers/table/sqlite.ts';
import { flowEndedHandler } from '../lambdas/housekeeping/reconcile.ts';
import { lifetimesOf } from '../lambdas/runtime/certificate-lifetimes.ts';
import { systemClock } from '../lambdas/runtime/clock.ts';
import { newId } from '../lambdas/runtime/ids.ts';
import type { Logger } from '../lambdas/runtime/logger.ts';
import { silentMetrics } from '../lambdas/runtime/metrics.ts';
import type { Services } from '../lambdas/runtime/services.ts';
import { amphoraHandler } from '../lambdas/tasks/amphora.ts';
import { computeHandler } from '../lambdas/tasks/compute.ts';
import { lifecycleHandler } from '../lambdas/tasks/lifecycle.ts';
import { networkHandler } from '../lambdas/tasks/network.ts';
import { bundledAgent } from './agent-bundle.ts';
import { ProcessComputeDriver } from './compute/process-compute.ts';
import { SqliteExecutionStore } from './flows/execution-store.ts';
import { LocalFlowDriver } from './flows/local-flow-driver.ts';
import { HostAddresses, obstacleToHostAddresses } from './network/host-addresses.ts';
import { LoopbackNetworkDriver } from './network/loopback-network.ts';
import { type LocalOptions, UsageError } from './options.ts';
import { type QueueServer, startQueueServer } from './queue/queue-server.ts';
import type { StateDirectory } from './state-directory.ts';
import { TableStream } from './table-stream.ts';

/** Of the URLs that archives of logs are put to. */
export const objectsPrefix = '/objects';

export interface LocalServices extends Services {
  flows: LocalFlowDriver;
  queueServer: QueueServer;
  /** Processes there are; undefined when compute is noop. */
  processes: ProcessComputeDriver | undefined;
  /** Undefined when nobody takes logs. */
  directory: DirectoryObjectStore | undefined;
}

async function processCompute(
  options: LocalOptions,
  state: StateDirectory,
  queueServer: QueueServer,
): Promise<ProcessComputeDriver> {
  return new ProcessComputeDriver({
    state: state.path,
    agentFile: await bundledAgent(state.path),
    agent: {
      client_name: clientName,
      heartbeat_interval_ms: options.config.heartbeat_interval_ms,
      heartbeat_queue_url: queueServer.queueUrls.heartbeats,
      sqs_endpoint: queueServer.endpoint,
      region: options.config.region,
      haproxy_path: options.haproxy_path,
      hard_stop_after_ms: options.config.hard_stop_after_ms,
      max_connections: connectionsFor(),
      ...(options.config.objects_driver !== 'noop' && { logs: logLimits(options.config) }),
    },
    imageName: options.config.amphora_image_name,
    cidr: options.amphora_cidr,
    ephemeral: options.ephemeral,
  });
}

/** What is kept until it is shipped: sixteen logs, of either kind. */
const logLimits = ({ log_chunk_bytes, log_chunk_age_ms }: LocalOptions['config']) => ({
  chunk_bytes: log_chunk_bytes,
  chunk_age_ms: log_chunk_age_ms,
  budget_bytes: 16 * log_chunk_bytes,
});

/** HAProxy needs two descriptors per connection and some for itself; a laptop often has few thousand per process. */
function connectionsFor(): number | null {
  const text = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  const descriptors = text === 'unlimited' ? 1_048_576 : Number(text);
  const connections = Math.floor((descriptors - 200) / 2);
  return connections >= 1_000_000 ? null : Math.max(100, connections);
}

/** @throws UsageError when another program has the port that amphorae know */
async function queueServerOf(state: StateDirectory): Promise<QueueServer> {
  const port = state.queuePort();
  try {
    return await startQueueServer({ dataDir: state.file('queues'), port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new UsageError(
      `Port ${port}, which amphorae report to, is in use by another program.\nEnd that one, or have another port chosen: rm ${state.file('ports.json')}`,
      { cause },
    );
  }
}

/** @throws UsageError where addresses cannot be put on the loopback interface */
async function version6Of({ vip_cidr_v6: cidr }: LocalOptions, state: StateDirectory) {
  if (cidr === undefined) return undefined;
  const obstacle = obstacleToHostAddresses();
  if (obstacle !== undefined) throw new UsageError(`--vip-cidr-v6: ${obstacle}`);
  const host = new HostAddresses(state.file('host-addresses.json'));
  await host.restore();
  return { cidr, host };
}

/** Starts what the services stand on. */
export async function localServices(
  options: LocalOptions,
  state: StateDirectory,
  events: EventDriver,
  logger: Logger,
  endpoint: () => string,
): Promise<LocalServices> {
  const table = new SqliteTable({ path: state.file('table.sqlite') });
  const clock = systemClock;
  new TableStream({ table, events, clock, logger });
  const encryptionKey = state.sealingKey();
  const authority = new LocalCertificateAuthority({
    table,
    encryptionKey,
    clock,
    lifetimes: lifetimesOf(options.config),
  });
  const sealer = aesSealer(encryptionKey);
  const queueServer = await queueServerOf(state);
  const processes = options.compute === 'process' ? await processCompute(options, state, queueServer) : undefined;
  const network =
    options.network === 'loopback'
      ? new LoopbackNetworkDriver({
          table,
          clock,
          newId,
          cidr: options.vip_cidr,
          version6: await version6Of(options, state),
          fence: async (amphoraId) => processes?.fence(amphoraId),
        })
      : new AnyIdNetworkDriver({ table, clock, newId });

  const { objects_driver, log_right_ms: rightMs } = options.config;
  const directory =
    objects_driver === 'noop'
      ? undefined
      : new DirectoryObjectStore({
          directory: state.file('logs'),
          endpoint: () => `${endpoint()}${objectsPrefix}`,
          secret: encryptionKey.toString('hex'),
          clock,
          rightMs,
        });
  const flows = new LocalFlowDriver({
    definitions: new URL('../state-machines', import.meta.url).pathname,
    // The tasks need the services, and the services the driver that runs the tasks.
    tasks: {
      LifecycleTasks: (payload) => lifecycleHandler(services)(payload as TaskPayload),
      ComputeTasks: (payload) => computeHandler(services)(payload as TaskPayload),
      NetworkTasks: (payload) => networkHandler(services)(payload as TaskPayload),
      AmphoraTasks: (payload) => amphoraHandler(services)(payload as TaskPayload),
    },
    store: new SqliteExecutionStore(state.file('executions.sqlite')),
    waitScale: options.wait_scale,
    onEnded: (execution) => ended(services, execution),
    logger: { error: (message, error) => logger.error(message, { error }) },
  });
  const isNoop = options.config.amphora_driver === 'noop';
  const certificateSource = isNoop ? new NoopCertificates() : new LocalCertificates({ table, sealer });
  const services: LocalServices = {
    config: options.config,
    logger,
    metrics: silentMetrics,
    clock,
    newId,
    table,
    queue: new SqsQueueDriver({ queueUrls: queueServer.queueUrls, client: queueServer.client }),
    flows,
    compute: processes ?? new NoopComputeDriver(),
    instances: new NoopInstanceDirectory(),
    network,
    authority,
    certificates: new CertificateCopies({ table, sealer, source: certificateSource }),
    certificateSource,
    amphora: isNoop ? new NoopAmphoraDriver() : new HttpsAmphoraDriver({ authority, clock }),
    events,
    objects: directory ?? new NoopObjectStore(),
    directory,
    sealer,
    queueServer,
    processes,
  };
  return services;
}

type TaskPayload = Parameters<ReturnType<typeof lifecycleHandler>>[0];

/** EventBridge's rule on executions that end other than well. */
async function ended(services: LocalServices, { name, state, input }: Execution): Promise<void> {
  if (state === 'SUCCEEDED') return;
  await flowEndedHandler(services)({ detail: { name, status: state, input: JSON.stringify(input) } });
}
