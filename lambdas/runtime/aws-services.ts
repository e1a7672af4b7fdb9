// Everything a handler may reach on AWS. Importing and calling this does no work: each driver is loaded, and its client made, by
// the first call of it. Clients of the SDK come by way of their drivers: a package imported lazily itself would be bundled whole.
import { createHash } from 'node:crypto';
import type { AmphoraDriver } from '../drivers/amphora/amphora-driver.ts';
import type { CertificateAuthority } from '../drivers/certificates/certificate-authority.ts';
import type { CertificateManager } from '../drivers/certificates/certificate-manager.ts';
import { aesSealer } from '../drivers/certificates/sealer.ts';
import type { ComputeDriver } from '../drivers/compute/compute-driver.ts';
import type { InstanceDirectory } from '../drivers/compute/instance-directory.ts';
import type { EventDriver } from '../drivers/events/event-driver.ts';
import { type FlowDriver, type FlowName, flowNames } from '../drivers/flows/flow-driver.ts';
import type { NetworkDriver } from '../drivers/network/network-driver.ts';
import type { ObjectStore } from '../drivers/objects/object-store.ts';
import type { QueueDriver } from '../drivers/queue/queue-driver.ts';
import { DynamoDBClient, DynamoDbTable } from '../drivers/table/dynamodb.ts';
import type { Table } from '../drivers/table/table.ts';
import { lifetimesOf } from './certificate-lifetimes.ts';
import { systemClock } from './clock.ts';
import { type Config, configFromEnvironment } from './config.ts';
import { newId } from './ids.ts';
import { jsonLogger } from './json-logger.ts';
import { lazily } from './lazily.ts';
import type { Services } from './services.ts';

/** What drivers are made of. */
type Parts = Pick<Services, 'config' | 'logger' | 'clock' | 'newId' | 'table'>;

/** @throws Error when the function was not given the key */
function sealingKey({ sealing_key }: Config): Buffer {
  if (sealing_key === '') throw new Error('setting sealing_key: this function was not given one');
  return createHash('sha256').update(sealing_key).digest();
}

const outbox = async (parts: Parts) => new (await import('../drivers/queue/outbox.ts')).TableOutbox(parts);

async function queueDriver(parts: Parts): Promise<QueueDriver> {
  const { egress, region } = parts.config;
  if (egress === 'outbox') return outbox(parts);
  const { SqsQueueDriver, SQSClient } = await import('../drivers/queue/sqs.ts');
  const queueUrls = {
    work: parts.config.work_queue_url,
    operations: parts.config.operations_queue_url,
    heartbeats: parts.config.heartbeats_queue_url,
    archives: parts.config.archives_queue_url,
    scans: parts.config.scans_queue_url,
  };
  return new SqsQueueDriver({ queueUrls, client: () => new SQSClient({ region }) });
}

async function eventDriver(parts: Parts): Promise<EventDriver> {
  const { egress, region, event_bus_name: busName } = parts.config;
  if (egress === 'outbox') return outbox(parts);
  const { EventBridgeEventDriver, EventBridgeClient } = await import('../drivers/events/eventbridge.ts');
  return new EventBridgeEventDriver({ busName, logger: parts.logger, client: () => new EventBridgeClient({ region }) });
}

async function flowDriver({ config }: Parts): Promise<FlowDriver> {
  const { StepFunctionsFlowDriver, SFNClient } = await import('../drivers/flows/step-functions.ts');
  const arns = flowNames.map((flow) => [flow, `${config.state_machine_prefix}${flow}`]);
  const stateMachineArns = Object.fromEntries(arns) as Record<FlowName, string>;
  return new StepFunctionsFlowDriver({ client: new SFNClient({ region: config.region }), stateMachineArns });
}

async function authorityDriver({ config, clock, table }: Parts): Promise<CertificateAuthority> {
  const { LocalCertificateAuthority } = await import('../drivers/certificates/local-authority.ts');
  return new LocalCertificateAuthority({
    table,
    clock,
    encryptionKey: sealingKey(config),
    lifetimes: lifetimesOf(config),
  });
}

async function certificateSource({ config, table, clock }: Parts): Promise<CertificateManager> {
  const [places, { LocalCertificates }, { CachedCertificates }, secretsManager] = await Promise.all([
    import('../drivers/certificates/certificates-by-reference.ts'),
    import('../drivers/certificates/local-certificates.ts'),
    import('../drivers/certificates/cached-certificates.ts'),
    import('../drivers/certificates/secrets-manager.ts'),
  ]);
  const client = new secretsManager.SecretsManagerClient({ region: config.region });
  const source = new secretsManager.SecretsManagerCertificates({ client });
  return new places.CertificatesByReference([
    { holds: secretsManager.isSecretArn, certificates: new CachedCertificates({ source, clock }) },
    { holds: () => true, certificates: new LocalCertificates({ table, sealer: aesSealer(sealingKey(config)) }) },
  ]);
}

/** Functions that serve certificates have copies of them; those inside the VPC would not reach Secrets Manager. */
async function certificateCopies({ config, table }: Parts): Promise<CertificateManager> {
  const { CertificateCopies } = await import('../drivers/certificates/certificate-copies.ts');
  return new CertificateCopies({ table, sealer: aesSealer(sealingKey(config)), source: null });
}

/** Any client knows them, and this one is in every bundle. */
const roleCredentials =
  ({ config: { region } }: Pick<Parts, 'config'>) =>
  () =>
    new DynamoDBClient({ region }).config.credentials();

const computeDrivers: Record<Config['compute_driver'], (parts: Parts) => Promise<ComputeDriver>> = {
  noop: async () => new (await import('../drivers/compute/noop.ts')).NoopComputeDriver(),
  ec2: async (parts) => (await import('./ec2-compute.ts')).ec2Compute(parts, roleCredentials(parts)),
};

async function instanceDirectory({ config: { region } }: Parts): Promise<InstanceDirectory> {
  const { Ec2InstanceDirectory, EC2Client } = await import('../drivers/compute/ec2-instances.ts');
  return new Ec2InstanceDirectory({ client: () => new EC2Client({ region }) });
}

const networkDrivers: Record<Config['network_driver'], (parts: Parts) => Promise<NetworkDriver>> = {
  noop: async (parts) => new (await import('../drivers/network/noop.ts')).NoopNetworkDriver(parts),
  vpc: async (parts) => (await import('./vpc-network.ts')).vpcNetwork(parts),
};

async function s3ObjectStore({ config, clock }: Parts): Promise<ObjectStore> {
  const { S3ObjectStore } = await import('../drivers/objects/s3.ts');
  const { region, log_bucket_name: bucket, log_right_ms: rightMs, objects_endpoint: endpoint } = config;
  const credentials = roleCredentials({ config });
  return new S3ObjectStore({ bucket, region, clock, rightMs, credentials, ...(endpoint !== '' && { endpoint }) });
}

const objectStores: Record<Config['objects_driver'], (parts: Parts) => Promise<ObjectStore>> = {
  noop: async () => new (await import('../drivers/objects/object-store.ts')).NoopObjectStore(),
  s3: s3ObjectStore,
  directory: () => Promise.reject(new Error('setting objects_driver: a function has no directory that lasts')),
};

type AmphoraParts = Parts & Pick<Services, 'authority'>;
const amphoraDrivers: Record<Config['amphora_driver'], (parts: AmphoraParts) => Promise<AmphoraDriver>> = {
  https: async (parts) => new (await import('../drivers/amphora/https.ts')).HttpsAmphoraDriver(parts),
  noop: async () => new (await import('../drivers/amphora/noop.ts')).NoopAmphoraDriver(),
};

/** @param serviceName of the lines of the log */
export function awsServices(serviceName: string, config: Config = configFromEnvironment()): Services {
  const { table_name: tableName, region } = config;
  const table = lazily<Table>(async () => new DynamoDbTable({ tableName, region }));
  const parts: Parts = { config, logger: jsonLogger(serviceName), clock: systemClock, newId, table };
  const authority = lazily(() => authorityDriver(parts));
  return {
    ...parts,
    metrics: lazily(async () => (await import('./powertools-metrics.ts')).powertoolsMetrics(tableName)),
    authority,
    certificates: lazily(() => certificateCopies(parts)),
    certificateSource: lazily(() => certificateSource(parts)),
    queue: lazily(() => queueDriver(parts)),
    flows: lazily(() => flowDriver(parts)),
    events: lazily(() => eventDriver(parts)),
    objects: lazily(() => objectStores[config.objects_driver](parts)),
    compute: lazily(() => computeDrivers[config.compute_driver](parts)),
    instances: lazily(() => instanceDirectory(parts)),
    network: lazily(() => networkDrivers[config.network_driver](parts)),
    amphora: lazily(() => amphoraDrivers[config.amphora_driver]({ ...parts, authority })),
    sealer: {
      seal: (plain, purpose) => aesSealer(sealingKey(config)).seal(plain, purpose),
      open: (sealed, purpose) => aesSealer(sealingKey(config)).open(sealed, purpose),
    },
  };
}

/** The secret with the first administrator's password. */
export async function adminSecret({ region, admin_secret_id }: Config): Promise<string> {
  const { readSecretText } = await import('../drivers/secrets/secret-text.ts');
  return readSecretText(region, admin_secret_id);
}
