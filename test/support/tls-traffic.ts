// Both ends of encrypted traffic: clients that say what they were shown and answered, and members that say what reached them.
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Issued } from './issuers.ts';

export interface Place {
  host: string;
  port: number;
}

const handshakeTimeoutMs = 20_000;

/** A handshake that ended well. @throws Error with what the other side said */
export async function shake(place: Place, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ ...place, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...options });
  socket.setTimeout(handshakeTimeoutMs, () => socket.destroy(new Error('no handshake in time')));
  await once(socket, 'secureConnect');
  return socket;
}

export interface Said {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** One request over a connection, which stays open. In TLS 1.3 a client learns only here that its certificate is refused. */
export function ask(socket: TLSSocket, path = '/', headers: Record<string, string> = {}): Promise<Said> {
  const lines = Object.entries({ host: 'lb', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    let text = '';
    const ended = (error?: Error) => reject(error ?? new Error(`the connection was closed after ${text.length} bytes`));
    const closed = () => ended();
    const read = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const said = parsed(text);
      if (said === undefined) return;
      socket.off('data', read).off('close', closed).off('error', ended);
      resolve(said);
    };
    socket.on('data', read).once('close', closed).once('error', ended);
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  });
}

function parsed(text: string): Said | undefined {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  if (rest.length === 0) return undefined;
  const [first = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = rest.join('\r\n\r\n');
  if (body.length < Number(headers['content-length'] ?? 0)) return undefined;
  return { status: Number(first.split(' ')[1]), headers, body };
}

/** Shakes hands, asks once and hangs up. */
export async function askOnce(place: Place, options: ConnectionOptions = {}, headers = {}): Promise<Said> {
  const socket = await shake(place, options);
  try {
    return await ask(socket, '/', headers);
  } finally {
    socket.destroy();
  }
}

/** Common name of the certificate that is shown to whoever asks for a name. */
export async function shownTo(place: Place, servername?: string): Promise<string> {
  const socket = await shake(place, servername === undefined ? {} : { servername });
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

const answer = (request: IncomingMessage, response: ServerResponse, how: object) => {
  const body = JSON.stringify({ headers: request.headers, ...how });
  response.writeHead(200, { 'content-length': Buffer.byteLength(body) }).end(body);
};

export interface TlsMember {
  port: number;
  /** As a pool takes it. */
  attributes: { address: string; protocol_port: number };
  stop(): Promise<void>;
}

async function listening(server: ReturnType<typeof createHttpServer> | ReturnType<typeof createSecureServer>) {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  };
  return { port, attributes: { address: '127.0.0.1', protocol_port: port }, stop };
}

/** Tells which headers reached it. */
export const startPlainMember = (): Promise<TlsMember> => {
  const server = createHttpServer((request, response) => answer(request, response, {}));
  server.keepAliveTimeout = 0;
  return listening(server);
};

/** Tells which headers, name, protocol and client certificate reached it. @param clientAuthority what clients must be signed by */
export function startTlsMember(own: Issued, clientAuthority?: string): Promise<TlsMember> {
  const server = createSecureServer(
    {
      cert: own.certificate,
      key: own.private_key,
      allowHTTP1: true,
      ...(clientAuthority === undefined ? {} : { ca: clientAuthority, requestCert: true, rejectUnauthorized: true }),
    },
    (request, response) => {
      const socket = (request.stream?.session?.socket ?? request.socket) as TLSSocket;
      const seen = {
        servername: socket.servername,
        version: request.httpVersion,
        client: socket.getPeerCertificate?.().subject?.CN,
      };
      answer(request as unknown as IncomingMessage, response as unknown as ServerResponse, seen);
    },
  );
  return listening(server);
}
