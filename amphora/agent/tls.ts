// Mutual TLS of the REST API: only the control plane's client certificate, by its common name, may talk to the agent.
import type { ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Identity } from './identity.ts';

export const tlsOptions = (identity: Identity): ServerOptions => ({
  ...identity.tls,
  requestCert: true,
  rejectUnauthorized: true,
});

/** The CA also signs the other amphorae's certificates, so a valid chain alone is not enough. */
export function isControlPlane(socket: TLSSocket, clientName: string): boolean {
  return socket.authorized && socket.getPeerCertificate()?.subject?.CN === clientName;
}
