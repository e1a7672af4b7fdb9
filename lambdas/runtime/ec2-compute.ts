// Machines on EC2, from the settings. Loaded by the first call of whoever builds, looks at or ends them; nobody else carries EC2's client.
import { clientName } from '../drivers/certificates/certificate-authority.ts';
import { S3BootBundles } from '../drivers/compute/boot-bundles.ts';
import type { ComputeDriver } from '../drivers/compute/compute-driver.ts';
import { EC2Client, Ec2ComputeDriver, type Ec2ComputeOptions } from '../drivers/compute/ec2.ts';
import { parseSubnets } from '../drivers/network/vpc-subnets.ts';
import type { Credentials } from '../drivers/objects/presigned-url.ts';
import type { Table } from '../drivers/table/table.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';

interface Parts {
  config: Config;
  clock: Clock;
  table: Table;
}

const listed = (text: string): string[] => text.split(',').flatMap((one) => one.trim() || []);

/** What is kept on an amphora until it is shipped: sixteen logs, of either kind. */
const logLimits = ({ log_chunk_bytes, log_chunk_age_ms }: Config) => ({
  chunk_bytes: log_chunk_bytes,
  chunk_age_ms: log_chunk_age_ms,
  budget_bytes: 16 * log_chunk_bytes,
});

const bootSettings = (config: Config): Ec2ComputeOptions['settings'] => ({
  client_name: clientName,
  heartbeat_interval_ms: config.heartbeat_interval_ms,
  heartbeat_queue_url: config.heartbeats_queue_url,
  sqs_endpoint: null,
  region: config.region,
  hard_stop_after_ms: config.hard_stop_after_ms,
  max_connections: null,
  ...(config.objects_driver !== 'noop' && { logs: logLimits(config) }),
});

/** @param credentials of the function's role, which signs what amphorae may fetch */
export function ec2Compute({ config, clock, table }: Parts, credentials: () => Promise<Credentials>): ComputeDriver {
  const { region, boot_bucket_name: bucket, boot_right_ms: rightMs, objects_endpoint: endpoint } = config;
  const s3 = { bucket, region, rightMs, ...(endpoint !== '' && { endpoint }) };
  return new Ec2ComputeDriver({
    client: () => new EC2Client({ region }),
    table,
    clock,
    bundles: new S3BootBundles({ ...s3, credentials, clock }),
    deployment: config.deployment_name,
    launchTemplate: config.launch_template_id,
    securityGroups: listed(config.amphora_security_groups),
    instanceTypes: listed(config.instance_types),
    spreadGroups: config.spread_groups,
    subnets: parseSubnets(config.subnets),
    image: config.amphora_image,
    kit: config.amphora_kit,
    settings: bootSettings(config),
  });
}
