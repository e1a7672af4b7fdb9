// What the agent is started with: Octavia's amphora-agent.conf, as one JSON file with its PEM files beside it.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { AgentSettings } from '../agent-api.ts';

/** File names are resolved here, once, because the agent changes its working directory later. */
export function readSettings(file: string): AgentSettings {
  const settings = JSON.parse(readFileSync(file, 'utf8')) as AgentSettings;
  const beside = (name: string) => resolve(dirname(file), name);
  return {
    ...settings,
    directory: beside(settings.directory),
    server_certificate_file: beside(settings.server_certificate_file),
    server_private_key_file: beside(settings.server_private_key_file),
    ca_certificate_file: beside(settings.ca_certificate_file),
  };
}
