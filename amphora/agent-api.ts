// The wire contract between the control plane and an amphora: Octavia's amphora agent REST API 1.0 over HTTPS 9443 with
// mutual TLS, plus the generation and digest of the configuration. Types and constants only, no code of either side.

export const agentPort = 9443;

/**
 * Request headers of `PUT /1.0/loadbalancer/{amphora_id}/{load_balancer_id}/haproxy`; the body is the text of haproxy.cfg and, where there
 * are UDP or SCTP listeners, below a line `keepalivedBegins` that of keepalived.conf.
 */
export const configurationHeaders = {
  /** Decimal. A push older than what the agent has is refused with 409 and `{"error":"stale"}`. */
  generation: 'x-octavia-generation',
  /** Lowercase hex SHA-256 of the body. */
  digest: 'x-octavia-digest',
} as const;

/**
 * Divides the text of a push. In keepalived's part the comments `# listener ID PROTOCOL`, `# pool ID [monitored]` and
 * `# member ID ADDRESS PORT [disabled|backup]` say whose the virtual servers are that follow.
 */
export const keepalivedBegins = '# keepalived.conf';

/** 202 of a configuration push: it is in force (or will be, as soon as the VIP is taken). */
export interface ConfigurationApplied {
  generation: number;
  digest: string;
  /** How it came into force: nothing differed, Runtime API only, reload, process started, or kept for when the VIP is taken (with peers, HAProxy runs
   * with it meanwhile, without listeners). */
  method: 'none' | 'runtime' | 'reload' | 'start' | 'kept';
}

/** 400 of a configuration push: nothing changed, the last good configuration stays in force. */
export interface ConfigurationRejected {
  error: 'invalid' | 'address_in_use' | 'address_not_allowed';
  http_code: 400;
  /** One line for an operator. */
  message: string;
  /** Lines of the pushed text, from 1, that were found at fault; may be empty. */
  lines: { line: number; message: string }[];
}

/**
 * A line of the configuration's manifest: in a slot, which is the name of a file under `{{DIRECTORY}}/slots`, lie the contents with
 * this SHA-256. They are uploaded by `PUT /1.0/loadbalancer/{load_balancer_id}/certificates/{sha256}.pem`, and gone when no
 * configuration names them.
 */
export const manifestLine = /^\s*# file ([0-9a-f-]{36}(?:\.[a-z0-9-]+){1,2}) ([0-9a-f]{64})$/;

/**
 * A line of the configuration: the other amphora of the pair, by id and address. The agent asks it `GET /1.0/peer`, which is answered to any
 * amphora of the deployment, and reports when it falls silent.
 */
export const pairLine = /^\s*# amphora ([0-9a-f-]{36}) (\S+)$/;

/** Where agents of a pair ask each other: 204. */
export const peerPath = '/1.0/peer';

/** 409 of a configuration push: nothing changed; to be pushed again once these were uploaded. */
export interface CertificatesMissing {
  error: 'certificates_missing';
  http_code: 409;
  /** SHA-256 of each. */
  missing: string[];
}

/**
 * What the agent was born with is renewed by `PUT /1.0/certificate` (PEM: the server certificate and its key),
 * `PUT /1.0/certificate/authorities` and `PUT /1.0/heartbeat-key`. 202: in use for whatever comes next, connections there are go on;
 * 400: refused, nothing changed; 409: an older one than the agent has.
 */
export interface TrustedAuthorities {
  /** Never lower than one the agent has. */
  version: number;
  /** PEM of every authority that is trusted. */
  certificates: string;
}

export interface HeartbeatKey {
  version: number;
  /** 64 hex characters. */
  heartbeat_key: string;
}

/** Body of `POST /1.0/plug/vip/{ip}`: this amphora holds the VIP from now on. 202; 409 when a higher epoch was seen. */
export interface PlugVip {
  load_balancer_id: string;
  epoch: number;
}

/**
 * 202 of `POST /1.0/leave/vip/{ip}`, with the same body: this amphora has the VIP no more since that epoch. It listens no longer, and its
 * connections go on. 409 when a higher epoch was seen. Again: the same, and how far it is.
 */
export interface VipLeft {
  /** Of HAProxy, that have connections to end. */
  processes: number;
  /** Milliseconds since it left. */
  since_ms: number;
}

/** `GET /1.0/info` */
export interface AgentInfo {
  hostname: string;
  api_version: '1.0';
  haproxy_version: string;
  amphora_id: string;
  /** Of the configuration the agent holds; null when none. */
  generation: number | null;
  digest: string | null;
}

export interface ListenerStatistics {
  /** Bytes to clients / from clients, connections and request errors since this amphora began: the newest report says it all. */
  tx: number;
  rx: number;
  totconns: number;
  ereq: number;
  /** Open connections now. */
  conns: number;
}

/** Bytes from clients, bytes to clients, connections, errors since this amphora began; open connections now. */
export type MemberCounts = [rx: number, tx: number, totconns: number, ereq: number, conns: number];
/** By member id. A page is always sent whole: who is not on it any more is gone. */
export type MemberPage = Record<string, MemberCounts>;

/** A log that is closed and waits for the right to be put into the store of objects. */
export interface LogArchive {
  /** Never used for another one, so that whoever puts it twice puts it once; see `archiveName`. */
  name: string;
  /** A line per request or connection, for the project; or what HAProxy and the agent say, for operators. */
  kind: 'tenant' | 'admin';
  /** Of the gzipped file; the hash in lowercase hex. */
  bytes: number;
  sha256: string;
  /** ISO 8601. */
  from: string;
  to: string;
}

/** Kind, whose it is (load balancer, or amphora for `admin`), when it was begun, and a random part. */
export const archiveName =
  /^(?<kind>tenant|admin)-(?<owner>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(?<begun>\d{8}T\d{6}Z)-[0-9a-f]{8}$/;

/**
 * Body of `PUT /1.0/logs/{archive}`: the right to put this one archive, with this content, for a while. 202: it is on its way;
 * 404: there is no such archive (any more). What does not arrive is asked for again.
 */
export interface ArchiveRight {
  url: string;
  /** To be sent as they are. */
  headers: Record<string, string>;
  /** Milliseconds since the epoch. */
  expires_at: number;
}

/** Octavia's heartbeat (ver 3) and what of ours rides along. */
export interface Heartbeat {
  id: string;
  /** From 0 per agent process. */
  seq: number;
  ver: 3;
  /** Milliseconds since the epoch, the agent's clock; with `boot` it orders heartbeats across restarts. */
  sent_at: number;
  /** Random per agent process. */
  boot: string;
  load_balancer_id: string | null;
  generation: number | null;
  digest: string | null;
  listeners: Record<string, { status: 'OPEN' | 'FULL'; stats: ListenerStatistics }>;
  /** Keys are backend names: `<pool id>:<listener id>`. */
  pools: Record<string, { status: 'UP' | 'DOWN'; members: Record<string, string> }>;
  /** The pools are too many for one message: the others are in so many `HeartbeatPart`s. The digest is of all that is said of statuses. */
  more?: { parts: number; digest: string };
  /** Pages of the statistics of members that have news, by number; left out when there are none. */
  member_pages?: Record<string, MemberPage>;
  /** The other amphora of the pair does not answer this one since (milliseconds since the epoch, the agent's clock). */
  peer?: { amphora_id: string; silent_since: number };
  /** Archives that wait for a right, some of the oldest; and lines lost since the last that told. Absent when there is nothing. */
  logs?: { archives: LogArchive[]; dropped: number };
}

/** Pools of a heartbeat that did not fit into it, in a message of its own. A pool may be in several, each with some of its members. */
export interface HeartbeatPart {
  id: string;
  /** The heartbeat's, by which it is known whose part this is. */
  seq: number;
  sent_at: number;
  /** From 1, of `parts`; the heartbeat itself is before them. */
  part: number;
  parts: number;
  digest: string;
  pools: Heartbeat['pools'];
}

/** What travels: the JSON text and HMAC-SHA256(heartbeat_key, text) in lowercase hex. */
export interface SignedHeartbeat {
  amphora_id: string;
  payload: string;
  hmac: string;
}

export interface LogLimits {
  /** A log is closed, and shipped, when it is larger or older. */
  chunk_bytes: number;
  chunk_age_ms: number;
  /** Of the disk, for each kind: beyond it lines are dropped, and counted. */
  budget_bytes: number;
}

/** The file the agent is started with (`agent --config FILE`); PEM files lie beside it. */
export interface AgentSettings {
  amphora_id: string;
  /** Address and port of the REST API. */
  bind_address: string;
  bind_port: number;
  /** What heartbeats and questions to the other amphora come from, where amphorae share a host; else the host's choice. */
  source_address?: string;
  /** Directory of everything the agent writes. */
  directory: string;
  server_certificate_file: string;
  server_private_key_file: string;
  ca_certificate_file: string;
  /** Common name the control plane's client certificate must carry. */
  client_name: string;
  heartbeat_key: string;
  heartbeat_interval_ms: number;
  /** SQS queue the heartbeats go to. */
  heartbeat_queue_url: string;
  /** Other than AWS's own; null on AWS. */
  sqs_endpoint: string | null;
  region: string;
  haproxy_path: string;
  /** Of UDP and SCTP listeners; unless told `/usr/sbin/keepalived`, `/usr/sbin/ipvsadm` and `/proc`. */
  keepalived_path?: string;
  ipvsadm_path?: string;
  proc_directory?: string;
  /** Where the addresses of VIPs are to be put; undefined where every process may listen on them anyway. */
  vip_interface?: string;
  /** Old processes end after a reload at the latest after this. */
  hard_stop_after_ms: number;
  /** Ceiling of connections of the process, where file descriptors are short; null: as the configuration says. */
  max_connections: number | null;
  /** Undefined: nobody takes logs, and none are kept. */
  logs?: LogLimits;
  /** The agent ends, and its HAProxy with it, when its standard input closes. */
  ends_with_stdin: boolean;
}
