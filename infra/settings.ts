// What whoever deploys may choose: context `octavia:name`, `octavia:vpc`, `octavia:image`, `octavia:alarm_topic_arn`, `octavia:restored_table`,
// what amphora-choices.ts reads, and any setting of the control plane as `octavia:<setting>`.
import type { Node } from 'constructs';
import { parseSetting, type SettingName, settings } from '../lambdas/runtime/config.ts';
import { type AmphoraChoices, amphoraChoicesOf, amphoraDefaults, amphoraKeys, invalid } from './amphora-choices.ts';

/** A VPC that is there already; without one a VPC is made. */
export interface GivenVpc {
  id: string;
  cidr: string;
  availability_zones: string[];
  /** Subnets with routes to the gateway endpoints of DynamoDB and S3, one per zone. */
  subnet_ids: string[];
}

/** How AMIs of amphorae are made; nothing of it is there, and nothing costs, unless it is asked for. */
export interface ImageChoice {
  architectures: ('arm64' | 'amd64')[];
  /** Debian's own, by their public parameter, unless told: AMI ids, or names of parameters after `ssm:`. */
  parent_images: Partial<Record<'arm64' | 'amd64', string>>;
  /** A subnet with a way out to Debian's mirror, npm's registry and Systems Manager; the default VPC without one. */
  subnet_id: string | undefined;
  security_group_ids: string[];
  /** When a new one is made by itself, such as `cron(0 4 1 * ? *)`; undefined: when somebody asks. */
  schedule: string | undefined;
}

export interface RestoredTable {
  name: string;
  stream_arn: string;
}

export interface Deployment {
  /** Starts the names of everything that has a fixed one, so that an account holds more than one deployment. */
  name: string;
  vpc: GivenVpc | undefined;
  /** Hears of every alarm, and when it is over. */
  alarmTopicArn: string | undefined;
  image: ImageChoice | undefined;
  /** Undefined: a control plane without amphorae. */
  amphorae: AmphoraChoices | undefined;
  /** Takes the place of the table of the deployment: one that was made by a restore. */
  restoredTable: RestoredTable | undefined;
  /** Settings that differ from their defaults, as text. */
  settings: Partial<Record<SettingName, string>>;
}

const prefix = 'octavia:';

/** Known to the stacks alone. */
const wired: SettingName[] = [
  'table_name',
  'work_queue_url',
  'operations_queue_url',
  'heartbeats_queue_url',
  'archives_queue_url',
  'scans_queue_url',
  'objects_driver',
  'log_bucket_name',
  'event_bus_name',
  'state_machine_prefix',
  'sealing_key',
  'admin_secret_id',
  'egress',
  'health_scan_interval_ms',
  'region',
  'deployment_name',
  'launch_template_id',
  'amphora_security_groups',
  'boot_bucket_name',
];

function vpcOf(given: unknown): GivenVpc | undefined {
  if (given === undefined) return undefined;
  const vpc = (typeof given === 'string' ? JSON.parse(given) : given) as Partial<GivenVpc>;
  const { id, cidr, availability_zones, subnet_ids } = vpc;
  const isWhole = typeof id === 'string' && typeof cidr === 'string' && availability_zones && subnet_ids;
  if (!isWhole) throw invalid('vpc', 'needs id, cidr, availability_zones and subnet_ids');
  if (availability_zones.length !== subnet_ids.length) throw invalid('vpc', 'needs one subnet per availability zone');
  return { id, cidr, availability_zones, subnet_ids };
}

const knownArchitectures = ['arm64', 'amd64'] as const;

function imageOf(given: unknown): ImageChoice | undefined {
  if (given === undefined) return undefined;
  const image = (typeof given === 'string' ? JSON.parse(given) : given) as Partial<ImageChoice>;
  const { architectures = ['arm64'], parent_images = {}, subnet_id, security_group_ids = [], schedule } = image;
  const areKnown = architectures.length > 0 && architectures.every((one) => knownArchitectures.includes(one));
  if (!areKnown) throw invalid('image', 'architectures are arm64 and amd64');
  if ((subnet_id === undefined) !== (security_group_ids.length === 0))
    throw invalid('image', 'needs subnet_id and security_group_ids together');
  if (schedule !== undefined && !/^cron\(.+\)$/.test(schedule)) throw invalid('image', 'schedule is cron(...)');
  return { architectures, parent_images, subnet_id, security_group_ids, schedule };
}

function settingOf(key: string, value: unknown): [SettingName, string] {
  if (!Object.hasOwn(settings, key)) throw invalid(key, 'there is no such setting');
  const name = key as SettingName;
  if (wired.includes(name)) throw invalid(key, 'is not for choosing, it follows from the stacks');
  parseSetting(name, String(value));
  return [name, String(value)];
}

function restoredTableOf(given: unknown): RestoredTable | undefined {
  if (given === undefined) return undefined;
  const table = (typeof given === 'string' ? JSON.parse(given) : given) as Partial<RestoredTable>;
  const { name, stream_arn } = table;
  const isWhole = typeof name === 'string' && typeof stream_arn === 'string';
  if (!isWhole || !stream_arn.includes(`:table/${name}/stream/`))
    throw invalid('restored_table', 'needs name, and stream_arn of that table');
  return { name, stream_arn };
}

function topicOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && /^arn:[^:]+:sns:[^:]+:\d{12}:.+$/.test(given)) return given;
  throw invalid('alarm_topic_arn', `"${given}" is not the ARN of an SNS topic`);
}

type Settings = Deployment['settings'];

/** On AWS amphorae are EC2 instances unless told; without machines there is nobody to talk to either. */
function withDrivers(name: string, image: ImageChoice | undefined, chosen: Settings): Settings {
  const { compute_driver = 'ec2', network_driver = compute_driver === 'noop' ? 'noop' : 'vpc' } = chosen;
  if (compute_driver === 'noop') return { amphora_driver: 'noop', ...chosen, compute_driver, network_driver };
  return { ...amphoraDefaults(name, image), ...chosen, compute_driver, network_driver };
}

/** @throws Error that names the context key and what is wrong with it */
export function deploymentOf(node: Node): Deployment {
  const given = Object.entries(node.getAllContext()).filter(([key]) => key.startsWith(prefix));
  const keyed: Record<string, unknown> = Object.fromEntries(
    given.map(([key, value]) => [key.slice(prefix.length), value]),
  );
  const { name = 'octavia', vpc, image, alarm_topic_arn: topic, restored_table: restored, ...others } = keyed;
  // With the name of a flow and `-` between it makes a name of 80 characters at most.
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]{0,30}$/.test(name))
    throw invalid('name', `"${name}" is not a-z, 0-9 and - of 31 at most`);
  const isOfAmphorae = (key: string) => (amphoraKeys as readonly string[]).includes(key);
  const chosen = Object.entries(others).filter(([key]) => !isOfAmphorae(key));
  const [givenVpc, givenImage] = [vpcOf(vpc), imageOf(image)];
  const all = withDrivers(name, givenImage, Object.fromEntries(chosen.map(([key, value]) => settingOf(key, value))));
  const amphorae = amphoraChoicesOf(others, givenVpc, all);
  return {
    name,
    vpc: givenVpc,
    image: givenImage,
    amphorae,
    alarmTopicArn: topicOf(topic),
    restoredTable: restoredTableOf(restored),
    settings: all,
  };
}
