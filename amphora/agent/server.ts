// The HTTPS server in front of the routes: who may speak, how much, and how errors look on the wire.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { CertificatesMissing } from '../agent-api.ts';
import { HaproxyFailed } from './haproxy-process.ts';
import { log, textOf } from './log.ts';
import { FilesMissing, Outdated, UnknownLoadBalancer } from './refused-verbs.ts';
import { type Agent, type AgentResponse, failure, routes } from './routes.ts';
import { IdentityRefused } from './server-certificate.ts';
import { isControlPlane, tlsOptions } from './tls.ts';
import { ConfigurationRefused } from './validation.ts';

const bodyLimitBytes = 8 * 1024 * 1024;
/** A client that is still writing does not read its 413: a little too much is read to its end and thrown away. */
const discardLimitBytes = 4 * bodyLimitBytes;

/** A client that says nothing holds a connection no longer than this, nor one that says it drop by drop. */
const patienceMs = {
  handshakeTimeout: 5_000,
  headersTimeout: 5_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 1_000,
};

class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

export function createAgentServer(agent: Agent): Server {
  const server = createServer({ ...tlsOptions(agent.identity), ...patienceMs }, async (request, response) => {
    const answer = await handle(agent, request).catch(translate);
    send(response, answer);
  });
  agent.identity.onChange(() => server.setSecureContext(agent.identity.tls));
  return server;
}

async function handle(agent: Agent, request: IncomingMessage): Promise<AgentResponse> {
  const socket = request.socket as TLSSocket;
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined || !isControlPlane(socket, agent.settings.client_name)) {
    return failure(403, 'the client certificate is not the control plane’s');
  }
  if ((socket as TLSSocket & { servername?: string }).servername !== agent.settings.amphora_id) {
    return failure(421, 'another amphora was asked for');
  }
  agent.identity.noteRequest(socket);
  const path = (request.url ?? '/').split('?')[0]!;
  for (const [method, pattern, handler] of routes) {
    const match = method === request.method ? pattern.exec(path) : null;
    if (!match) continue;
    const body = await readBody(request);
    return handler(agent, { path: match.slice(1), headers: request.headers, body, peer });
  }
  return failure(404, `${request.method} ${path} not found`);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const tooLarge = new BodyTooLarge('the body is larger than 8 MB');
  // Announced: nobody waits for the rest of what is refused anyway.
  if (Number(request.headers['content-length'] ?? 0) > discardLimitBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= bodyLimitBytes) chunks.push(chunk);
    if (bytes > discardLimitBytes) break;
  }
  if (bytes > bodyLimitBytes) throw tooLarge;
  return Buffer.concat(chunks).toString('utf8');
}

function translate(error: unknown): AgentResponse {
  const text = textOf(error);
  if (error instanceof ConfigurationRefused) return { status: 400, body: error.rejection };
  if (error instanceof Outdated) return failure(409, text);
  if (error instanceof IdentityRefused) return failure(400, text);
  if (error instanceof FilesMissing) {
    const missing = { error: 'certificates_missing', http_code: 409, missing: error.digests } as const;
    return { status: 409, body: missing satisfies CertificatesMissing };
  }
  // What may be left of the body is not read, so the connection cannot be used again.
  if (error instanceof BodyTooLarge) return { ...failure(413, text), headers: { connection: 'close' } };
  if (error instanceof SyntaxError) return failure(400, text);
  if (error instanceof UnknownLoadBalancer) {
    return { status: 404, body: { message: 'Loadbalancer Not Found', details: text } };
  }
  const output = error instanceof HaproxyFailed ? error.output : undefined;
  log('a request failed', { error: text, output });
  return { status: 500, body: { message: text, details: output ?? '', http_code: 500 } };
}

function send(response: ServerResponse, { status, headers, body }: AgentResponse): void {
  const isText = typeof body === 'string';
  response.writeHead(status, { ...(isText ? {} : { 'content-type': 'application/json' }), ...headers });
  response.end(isText ? body : JSON.stringify(body));
}
