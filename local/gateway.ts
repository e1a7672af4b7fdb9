// API Gateway's place on one machine: HTTP on loopback in front of the same handlers, each behind the same authorizer.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import type { HttpEvent, HttpHandler } from '../lambdas/runtime/http/stack.ts';

/** What API Gateway takes at most. */
const maxBytes = 10 * 1024 * 1024;

export interface GatewayOptions {
  /** First path prefix that fits answers; the last one has to fit everything. */
  routes: { prefix: string; handler: HttpHandler }[];
  authorizer: (event: {
    headers: Record<string, string | undefined>;
  }) => Promise<{ context?: Record<string, unknown> }>;
  newId: () => string;
  /** S3's place: what is below its prefix goes to it unread, and past the authorizer, as its URLs carry their permission. */
  objects?: { prefix: string; put(request: IncomingMessage): Promise<{ status: number; message: string }> };
}

export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    request.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= maxBytes) parts.push(part);
    });
    request.on('end', () => {
      if (size > maxBytes) reject(new TooLarge(`${size} bytes`));
      else resolve(size === 0 ? undefined : Buffer.concat(parts).toString('utf8'));
    });
    request.on('error', reject);
  });
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) if (value !== undefined) headers[name] = String(value);
  headers['x-forwarded-proto'] = 'http';
  return headers;
}

function eventOf(request: IncomingMessage, body: string | undefined, requestId: string): HttpEvent {
  const url = request.url ?? '/';
  const at = url.indexOf('?');
  const rawPath = at < 0 ? url : url.slice(0, at);
  const http = {
    method: request.method ?? 'GET',
    path: rawPath,
    protocol: 'HTTP/1.1',
    sourceIp: request.socket.remoteAddress ?? '',
    userAgent: String(request.headers['user-agent'] ?? ''),
  };
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: at < 0 ? '' : url.slice(at + 1),
    headers: headersOf(request),
    isBase64Encoded: false,
    ...(body === undefined ? {} : { body }),
    requestContext: { requestId, http, domainName: 'localhost', stage: '$default', routeKey: '$default' },
  } as unknown as HttpEvent;
}

function respond(response: ServerResponse, result: APIGatewayProxyStructuredResultV2): void {
  const body = result.body === undefined ? undefined : Buffer.from(result.body);
  const headers = { ...(result.headers as Record<string, string>), 'content-length': String(body?.length ?? 0) };
  response.writeHead(result.statusCode ?? 200, headers);
  response.end(body);
}

async function answer(
  { routes, authorizer, newId }: GatewayOptions,
  request: IncomingMessage,
): Promise<APIGatewayProxyStructuredResultV2> {
  const event = eventOf(request, await bodyOf(request), newId());
  const { context } = await authorizer(event);
  (event.requestContext as { authorizer?: unknown }).authorizer = { lambda: context ?? {} };
  const route =
    routes.find(({ prefix }) => event.rawPath === prefix || event.rawPath.startsWith(`${prefix}/`)) ?? routes.at(-1)!;
  return route.handler(event, {} as Context);
}

const failure = (error: unknown): APIGatewayProxyStructuredResultV2 =>
  error instanceof TooLarge
    ? { statusCode: 413, headers: { 'content-type': 'application/json' }, body: '{"message":"Request Too Long"}' }
    : { statusCode: 500, headers: { 'content-type': 'application/json' }, body: '{"message":"Internal Server Error"}' };

async function putObject(
  objects: NonNullable<GatewayOptions['objects']>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, message } = await objects.put(request).catch((error) => ({ status: 500, message: String(error) }));
  // What was refused may not have been read to its end.
  response.writeHead(status, { connection: 'close' }).end(message);
}

/** Listens on 127.0.0.1. @throws the error of `listen`, EADDRINUSE for one */
export async function startGateway(
  port: number,
  options: GatewayOptions,
): Promise<{ server: Server; endpoint: string }> {
  const server = createServer((request, response) => {
    const { objects } = options;
    if (objects && request.url?.startsWith(`${objects.prefix}/`)) return void putObject(objects, request, response);
    answer(options, request)
      .catch(failure)
      .then((result) => respond(response, result));
  });
  // Clients keep connections; what a load balancer in front would do after a minute is done here.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { server, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
