// An agent that says what a test tells it to, behind real mutual TLS.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CertificateAuthority } from '../../lambdas/drivers/certificates/certificate-authority.ts';

export interface Heard {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
  /** Common name of the client certificate. */
  client: string;
}

export interface AmphoraDouble {
  port: number;
  heard: Heard[];
  /** What it does; `reset` ends the connection, `reset kept` only one that was used before. */
  answer: { status: number; body: unknown } | 'hang' | 'reset' | 'reset kept';
  /** Given first, one each. */
  answers: { status: number; body: unknown }[];
  connections: number;
  close(): Promise<void>;
}

export async function startAmphoraDouble(authority: CertificateAuthority, amphoraId: string): Promise<AmphoraDouble> {
  const issued = await authority.issueAmphora(amphoraId, Date.now());
  const server = createServer({
    cert: issued.certificate,
    key: issued.private_key,
    ca: await authority.caCertificate(),
    requestCert: true,
    rejectUnauthorized: true,
  });
  const double: AmphoraDouble = {
    port: 0,
    heard: [],
    answer: { status: 200, body: {} },
    answers: [],
    connections: 0,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  const used = new WeakSet<object>();
  server.on('secureConnection', () => {
    double.connections += 1;
  });
  server.on('request', async (incoming, response) => {
    double.heard.push(await hear(incoming));
    const isKept = used.has(incoming.socket);
    used.add(incoming.socket);
    const answer = double.answers.shift() ?? double.answer;
    if (answer === 'reset' || (answer === 'reset kept' && isKept)) incoming.socket.destroy();
    else if (answer === 'reset kept') response.end('{}');
    else if (answer !== 'hang') response.writeHead(answer.status).end(JSON.stringify(answer.body));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  double.port = (server.address() as AddressInfo).port;
  return double;
}

async function hear(incoming: IncomingMessage): Promise<Heard> {
  let body = '';
  for await (const chunk of incoming) body += chunk;
  const client = String((incoming.socket as TLSSocket).getPeerCertificate().subject.CN);
  return { method: incoming.method!, path: incoming.url!, headers: incoming.headers, body, client };
}
