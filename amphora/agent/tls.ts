// Mutual TLS of the REST API: only the control plane's client certificate, by its common name, may talk to the agent.
import { readFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { AgentSettings } from '../agent-api.ts';

export function tlsOptions(settings: AgentSettings): ServerOptions {
  return {
    cert: readFileSync(settings.server_certificate_file),
    key: readFileSync(settings.server_private_key_file),
    ca: readFileSync(settings.ca_certificate_file),
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: true,
  };
}

/** The CA also signs the other amphorae's certificates, so a valid chain alone is not enough. */
export function isControlPlane(socket: TLSSocket, clientName: string): boolean {
  return socket.authorized && socket.getPeerCertificate()?.subject?.CN === clientName;
}
