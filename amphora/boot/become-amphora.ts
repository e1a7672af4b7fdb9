// Writes what the agent is started with. The settings come last: with them everything else is there, and nothing is done again.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../agent/durable.ts';
import { log } from '../agent/log.ts';
import { type AgentSettings, agentPort } from '../agent-api.ts';
import type { BootBundle, BootDocument } from '../boot-document.ts';
import { fetchBundle, type Patience } from './boot-bundle.ts';
import type { InstanceMetadata } from './instance-metadata.ts';

/** User data say nothing of an amphora, or something that is not understood. */
export class BootDocumentInvalid extends Error {
  override readonly name = 'BootDocumentInvalid';
}

export interface BootOptions {
  /** File with the `BootDocument`. */
  document: string;
  /** Of the agent. */
  directory: string;
  metadata: InstanceMetadata;
  patience: Patience;
}

export interface Boot {
  amphora_id: string;
  outcome: 'made' | 'kept';
}

const settingsName = 'settings.json';
const files = {
  server_certificate_file: 'server.pem',
  server_private_key_file: 'server-key.pem',
  ca_certificate_file: 'ca.pem',
} as const;

/** @throws BootDocumentInvalid, BundleUnavailable, MetadataUnavailable */
export async function becomeAmphora({ document: file, directory, metadata, patience }: BootOptions): Promise<Boot> {
  const document = readDocument(file);
  const { amphora_id } = document;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const before = amphoraIn(directory);
  if (before === amphora_id) return { amphora_id, outcome: 'kept' };
  if (before !== undefined) forgetAnother(directory, before);
  const bind_address = await metadata.localAddress();
  const bundle = await fetchBundle(document, patience);
  writeDurably(join(directory, files.server_certificate_file), bundle.server_certificate);
  writeDurably(join(directory, files.server_private_key_file), bundle.server_private_key);
  writeDurably(join(directory, files.ca_certificate_file), bundle.ca_certificate);
  writeDurably(join(directory, settingsName), JSON.stringify(settingsOf(document, bundle, bind_address)));
  return { amphora_id, outcome: 'made' };
}

function readDocument(file: string): BootDocument {
  const document = whole(file);
  if (document.version !== 1) throw new BootDocumentInvalid(`boot document of version ${document.version}, known is 1`);
  const isWhole = typeof document.amphora_id === 'string' && document.bundle?.url && document.settings;
  if (!isWhole) throw new BootDocumentInvalid('the boot document lacks amphora_id, bundle or settings');
  return document;
}

function whole(file: string): Partial<BootDocument> & BootDocument {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new BootDocumentInvalid(`${file} cannot be read as a boot document`, { cause });
  }
}

/** The amphora this machine was made before; undefined when it was none, or not wholly. */
function amphoraIn(directory: string): string | undefined {
  const file = join(directory, settingsName);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as AgentSettings).amphora_id : undefined;
}

/** The disk is a copy of another amphora's: its keys and its load balancer are not for this one. */
function forgetAnother(directory: string, amphora_id: string): void {
  log('the disk is that of another amphora, which is forgotten', { amphora_id });
  // First: with them gone, nothing of what is left is taken for whole.
  rmSync(join(directory, settingsName));
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true });
}

const settingsOf = (document: BootDocument, bundle: BootBundle, bind_address: string): AgentSettings => ({
  ...document.settings,
  ...files,
  amphora_id: document.amphora_id,
  bind_address,
  bind_port: agentPort,
  directory: 'run',
  heartbeat_key: bundle.heartbeat_key,
  haproxy_path: '/usr/sbin/haproxy',
  vip_interface: 'lo',
  ends_with_stdin: false,
});
