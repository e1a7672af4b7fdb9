// Every setting of the control plane in one typed table: name, default, parser, meaning. The only reader of the environment.

interface Setting<T> {
  default: T;
  parse(text: string): T;
  meaning: string;
}

// biome-ignore lint/suspicious/noExplicitAny: settings of different types; `Config` gives each its own
type AnySetting = Setting<any>;

const number = (standard: number, meaning: string): Setting<number> => ({
  default: standard,
  meaning,
  parse: (text) => {
    const value = Number(text);
    if (!Number.isFinite(value) || value < -1) throw new Error(`expected a number, not "${text}"`);
    return value;
  },
});
const word = (standard: string, meaning: string): Setting<string> => ({
  default: standard,
  meaning,
  parse: (text) => text,
});
const flag = (standard: boolean, meaning: string): Setting<boolean> => ({
  default: standard,
  meaning: `${meaning} (true | false)`,
  parse: (text) => {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new Error(`expected true or false, not "${text}"`);
  },
});
const choice = <const T extends string>(standard: NoInfer<T>, options: readonly T[], meaning: string): Setting<T> => ({
  default: standard,
  meaning: `${meaning} (${options.join(' | ')})`,
  parse: (text) => {
    const found = options.find((option) => option === text);
    if (found === undefined) throw new Error(`expected one of ${options.join(', ')}, not "${text}"`);
    return found;
  },
});
export const settings = {
  conflict_policy: choice(
    'queue',
    ['queue', 'strict'],
    'what a write to a busy load balancer meets: a place in the queue, or 409',
  ),
  topology: choice('SINGLE', ['SINGLE', 'ACTIVE_STANDBY'], 'amphorae of a load balancer whose flavor does not say'),
  compute_zones: word('', 'zones over which the amphorae of a pair are spread, separated by commas'),
  spare_amphorae: number(0, 'spare amphorae kept ready for load balancers that ask for no particular machine'),
  spare_pools: word(
    '',
    'more pools of spares: a JSON array of {compute_flavor, image_tag, availability_zone, colocation, spare_amphorae}',
  ),
  spare_builds: number(5, 'spare amphorae built at the same time'),
  spare_age_ms: number(2_592_000_000, 'a spare amphora that is older is replaced'),
  amphora_image_name: word('', 'on one machine: name of the image; amphorae of another name are old'),
  rollout_canary: number(1, 'load balancers in the first wave of a roll-out; below 1: that share of all'),
  rollout_wave: number(0.25, 'load balancers in each wave after the first; below 1: that share of all'),
  rollout_observation_ms: number(300_000, 'a load balancer is watched for so long after its amphorae were replaced'),
  rollout_expiry_ms: number(2_592_000_000, 'roll-outs that ended are forgotten when older'),
  purges_per_round: number(100, 'rows of each kind that housekeeping purges in a round'),
  operation_timeout_ms: number(900_000, 'a PENDING load balancer is looked after by the reconciler from then on'),
  operation_attempts: number(
    3,
    'times an operation is tried before the reconciler ends it in ERROR; a deletion is tried on and on',
  ),
  flow_timeout_ms: number(1_800_000, 'a flow that took longer is held for dead'),
  heartbeat_interval_ms: number(10_000, 'time between heartbeats of an amphora'),
  heartbeat_timeout_ms: number(60_000, 'an amphora silent for longer is failed over'),
  health_scan_interval_ms: number(3_000, 'time between looks for silent amphorae'),
  failover_share_limit: number(0.3, 'above this share of silent machines in a zone nothing is failed over there'),
  failover_share_floor: number(3, 'up to this many silent machines the share does not count'),
  concurrent_failovers: number(10, 'failovers under way at the same time before the health manager waits'),
  health_scan_chain_ms: number(10_000, 'on AWS: time between looks while there are amphorae'),
  reconcile_interval_ms: number(30_000, 'time between looks for expired operations, orphans and missing spares'),
  certificate_validity_ms: number(
    31_536_000_000,
    'certificates of amphorae and of the control plane are valid for so long',
  ),
  certificate_expiry_buffer_ms: number(1_209_600_000, 'certificates of amphorae that end sooner are renewed'),
  certificate_replacement_buffer_ms: number(
    259_200_000,
    'amphorae whose certificate ends sooner, because it could not be renewed, are replaced',
  ),
  authority_validity_ms: number(315_360_000_000, 'the authority of those certificates is valid for so long'),
  authority_renewal_ms: number(34_560_000_000, 'an authority gets its successor that long before its end'),
  authority_overlap_ms: number(
    3_600_000,
    'a successor is trusted for so long before it signs, and the older authority at least so long after',
  ),
  heartbeat_key_max_age_ms: number(7_776_000_000, 'keys of heartbeats that are older are replaced'),
  heartbeat_key_overlap_ms: number(300_000, 'heartbeats signed with the key before are taken in for so long'),
  concurrent_rotations: number(10, 'amphorae whose certificates and keys are renewed at the same time'),
  orphan_age_ms: number(300_000, 'an unowned machine or address is swept when older'),
  load_balancer_expiry_ms: number(604_800_000, 'deleted load balancers are purged when older'),
  hard_stop_after_ms: number(1_800_000, 'old HAProxy processes end this long after a reload at the latest'),
  connection_logging: choice(
    'tagged',
    ['tagged', 'on', 'off'],
    'whose traffic is logged: load balancers tagged connection_logging=true, all but those tagged =false, or none',
  ),
  user_log_format: word('', "format of a line of the traffic log, in HAProxy's words; empty: Octavia's"),
  log_chunk_bytes: number(16_777_216, 'an amphora closes a log and ships it when it is larger'),
  log_chunk_age_ms: number(300_000, 'an amphora closes a log and ships it when it is older'),
  usage_interval_ms: number(3_600_000, 'what load balancers carried is told once in so long; 0: never'),
  log_right_ms: number(300_000, 'the right of an amphora to put one archive of logs is valid for so long'),
  objects_driver: choice(
    'noop',
    ['noop', 's3', 'directory'],
    'where archives of logs go; noop: nowhere, so that nothing is logged',
  ),
  log_bucket_name: word('', 'S3 bucket of archives of logs'),
  connections_default: number(50_000, 'connection limit of a listener that sets none'),
  quota_load_balancer: number(-1, 'default quota, -1: none'),
  quota_listener: number(-1, 'default quota, -1: none'),
  quota_pool: number(-1, 'default quota, -1: none'),
  quota_member: number(-1, 'default quota, -1: none'),
  quota_health_monitor: number(-1, 'default quota, -1: none'),
  quota_l7policy: number(-1, 'default quota, -1: none'),
  quota_l7rule: number(-1, 'default quota, -1: none'),
  pagination_max_limit: number(1000, 'rows of a list page at most'),
  allow_tls_terminated_listeners: flag(true, 'whether users may create listeners that end TLS'),
  allow_prometheus_listeners: flag(true, 'whether users may create listeners of protocol PROMETHEUS'),
  allow_vip_network_id: flag(true, 'whether users may name the network of a VIP'),
  allow_vip_subnet_id: flag(true, 'whether users may name the subnet of a VIP'),
  allow_vip_port_id: flag(true, 'whether users may name the port of a VIP'),
  allow_ping_health_monitors: flag(true, 'whether users may create health monitors of type PING'),
  udp_connect_min_interval_health_monitor: number(3, 'least delay of UDP-CONNECT health monitors, seconds; -1: none'),
  tls_cipher_prohibit_list: word('', 'ciphers nobody may use, separated by colons'),
  minimum_tls_version: choice(
    '',
    ['', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'],
    'oldest version of TLS for listeners and pools',
  ),
  api_base_uri: word('', 'scheme, host and path before /v2 in the links of lists; empty: as the client wrote it'),
  healthcheck_enabled: flag(false, 'GET /healthcheck is answered, to anybody'),
  policy_file: word('', "path of a JSON file (or the JSON itself) with policies in the place of Octavia's defaults"),
  token_lifetime_ms: number(3_600_000, 'validity of a token of the built-in identity service'),
  table_name: word('octavia', 'DynamoDB table'),
  work_queue_url: word('', 'SQS FIFO queue of configurations to apply'),
  operations_queue_url: word('', 'SQS FIFO queue of flows to start'),
  heartbeats_queue_url: word('', 'SQS queue amphorae send heartbeats to'),
  archives_queue_url: word('', 'SQS queue of archives of logs that wait for the right to be stored'),
  scans_queue_url: word('', 'SQS queue of looks at the health of amphorae that are due in seconds'),
  event_bus_name: word('octavia', 'EventBridge bus'),
  state_machine_prefix: word('', 'ARN of the state machines up to their name'),
  sealing_key: word('', 'secret text: the key that secrets in the table are sealed with is derived from it'),
  admin_secret_id: word('', "Secrets Manager's secret with the password the first administrator gets"),
  egress: choice(
    'direct',
    ['direct', 'outbox'],
    'how messages and events leave a function: by the services themselves, or by the table where only that can be reached',
  ),
  compute_driver: choice('noop', ['noop', 'ec2'], 'what amphorae run on'),
  deployment_name: word('octavia', 'on AWS: value of the tag octavia-serverless of all that is ours'),
  subnets: word('', 'on AWS: subnets of the VPC, a JSON array of {id, vpc, zone, cidr, vips, amphorae, public, ...}'),
  launch_template_id: word('', 'EC2: what all amphorae have alike'),
  amphora_security_groups: word('', 'EC2: ids of the groups of every amphora, separated by commas'),
  amphora_image: word(
    '',
    'EC2: what amphorae are made of: an AMI, tag:VALUE for the newest with octavia:image-tag=VALUE, or name:OWNER/PATTERN',
  ),
  amphora_kit: word(
    '',
    'EC2: SHA-256 of the kit in the bucket of boot bundles by which machines of a stock Debian image become amphorae',
  ),
  instance_types: word(
    't4g.small,t4g.medium',
    'EC2: types of amphorae whose flavor names none, the best first, separated by commas',
  ),
  spread_groups: number(20, 'EC2: placement groups that pairs are spread over; each takes seven amphorae in a zone'),
  boot_bucket_name: word('', 'S3 bucket of what amphorae fetch at their first boot'),
  boot_right_ms: number(900_000, 'an amphora may fetch what it is born with for so long'),
  objects_endpoint: word('', "scheme, host and port of S3, other than AWS's own"),
  network_driver: choice('noop', ['noop', 'vpc'], 'what holds VIPs'),
  vip_security_groups: word('', 'VPC: ids of the groups that users may name for a VIP, separated by commas'),
  amphora_driver: choice('https', ['https', 'noop'], 'how amphorae are talked to'),
  region: word('us-east-1', 'AWS region'),
} satisfies Record<string, AnySetting>;

export type SettingName = keyof typeof settings;
export type Config = { [K in SettingName]: (typeof settings)[K]['default'] };

/** @throws Error that names the setting and what it may be */
export function parseSetting(name: SettingName, text: string): Config[SettingName] {
  try {
    return settings[name].parse(text);
  } catch (cause) {
    throw new Error(`setting ${name}: ${(cause as Error).message}`, { cause });
  }
}

export const defaultConfig = Object.fromEntries(
  Object.entries(settings).map(([name, setting]) => [name, setting.default]),
) as Config;

/** Settings from variables `OCTAVIA_<NAME>`. */
export function configFromEnvironment(environment: NodeJS.ProcessEnv = process.env): Config {
  const config: Record<string, unknown> = { ...defaultConfig };
  for (const name of Object.keys(settings) as SettingName[]) {
    const text = environment[`OCTAVIA_${name.toUpperCase()}`];
    if (text !== undefined) config[name] = parseSetting(name, text);
  }
  return config as Config;
}
