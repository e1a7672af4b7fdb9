// What an EC2 amphora finds in its user data at first boot, and where it fetches the rest: Octavia's config drive, in two parts. User data
// can be read by whoever may describe the instance, so nothing in it is secret; keys come from a bundle that is there for minutes.
// Types, constants and one serialiser; the boot side (image, first boot) and the control plane (EC2 compute driver) share this file.
import type { AgentSettings } from './agent-api.ts';

/** Where user data writes the document, mode 0600. It stays there: whoever starts the machine again reads what it became, not this. */
export const bootFile = '/etc/octavia/boot.json';
/** systemd unit that user data starts, without waiting: it fetches the bundle once, writes the agent's settings and PEM files, and runs the agent. */
export const agentUnit = 'octavia-agent.service';
/** EC2 takes no more, before base64. */
export const userDataLimitBytes = 16_384;

/**
 * What the control plane decides of the agent's settings. The rest is the machine's to know: `bind_address` is the primary private IPv4
 * address of the first interface, `bind_port` is `agentPort`, files and programs lie where the image put them, `ends_with_stdin` is false;
 * `amphora_id` is the document's, `heartbeat_key` and the contents of the PEM files are the bundle's.
 */
export type BootSettings = Pick<
  AgentSettings,
  | 'client_name'
  | 'heartbeat_interval_ms'
  /** Its host is where messages go (of AWS's dual-stack endpoint where amphorae have IPv6 alone to reach it). */
  | 'heartbeat_queue_url'
  /** null: AWS itself, with the credentials of the instance's role. */
  | 'sqs_endpoint'
  | 'region'
  | 'hard_stop_after_ms'
  | 'max_connections'
  | 'logs'
>;

export interface BootDocument {
  version: 1;
  amphora_id: string;
  bundle: {
    /**
     * GET of a `BootBundle`, presigned: it works for minutes, and the object goes with the machine, after a day at the latest. So it is
     * fetched once, at first boot, and kept on disk; a reboot does without it. Until it is there, S3 answers 404 or 403: to be tried again.
     */
    url: string;
    /** Of the bytes of the object, lowercase hex: anything else is thrown away. */
    sha256: string;
  };
  settings: BootSettings;
}

/** The object behind the URL, as JSON. PEM texts; the key of heartbeats is 64 hex characters. */
export interface BootBundle {
  version: 1;
  amphora_id: string;
  server_certificate: string;
  server_private_key: string;
  ca_certificate: string;
  heartbeat_key: string;
}

const end = 'OCTAVIA_BOOT_DOCUMENT';

/**
 * User data as cloud-init runs it, once, as root, at first boot.
 * @param install shell lines that make an amphora of a stock Debian image; none where the image is one already
 * @throws RangeError when EC2 would not take it
 */
export function userDataOf(document: BootDocument, install = ''): string {
  const script = [
    '#!/bin/sh',
    'set -eu',
    'umask 077',
    `mkdir -p ${bootFile.slice(0, bootFile.lastIndexOf('/'))}`,
    // JSON has no line break of its own, so nothing in it ends the here-document.
    `cat > ${bootFile} <<'${end}'`,
    JSON.stringify(document),
    end,
    ...(install === '' ? [] : [install.trimEnd()]),
    `systemctl start --no-block ${agentUnit}`,
    '',
  ].join('\n');
  const bytes = new TextEncoder().encode(script).length;
  if (bytes > userDataLimitBytes) throw new RangeError(`user data of ${bytes} bytes, EC2 takes ${userDataLimitBytes}`);
  return script;
}
