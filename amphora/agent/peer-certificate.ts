// The certificate by which HAProxy's peers know this amphora, and the authority by which it knows them: the agent's own.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { AgentSettings } from '../agent-api.ts';

/** Where a configuration's `{{DIRECTORY}}/peer.pem` and `peer-ca.pem` are read. */
export function writePeerCertificate(settings: AgentSettings, directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { server_certificate_file, server_private_key_file, ca_certificate_file } = settings;
  const own = readFileSync(server_certificate_file, 'utf8') + readFileSync(server_private_key_file, 'utf8');
  replaceFile(`${directory}/peer.pem`, own);
  replaceFile(`${directory}/peer-ca.pem`, readFileSync(ca_certificate_file, 'utf8'));
}

/** A worker that starts meanwhile reads the old one or the new one. */
function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
