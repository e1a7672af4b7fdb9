// Requests as API Gateway hands them to a handler, and answers as a client reads them.
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import type { Caller } from '../../lambdas/runtime/http/request.ts';
import type { HttpEvent, HttpHandler } from '../../lambdas/runtime/http/stack.ts';

export interface HttpWish {
  method?: string;
  /** May carry the query. */
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** A string goes as it is, anything else as JSON. */
  body?: unknown;
  /** What the authorizer found; absent: no token that holds. */
  caller?: Partial<Caller>;
}

export const origin = 'http://octavia.test:9876';

const callerContext = ({ user_id = 'a-user', user_name = 'someone', project_id, roles = [] }: Partial<Caller>) => ({
  lambda: { user_id, user_name, ...(project_id ? { project_id } : {}), roles: roles.join(',') },
});

const lowerCased = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

let requests = 0;

/** An event of an HTTP API, payload 2.0. */
export function httpEvent({ method = 'GET', path, query = {}, headers = {}, body, caller }: HttpWish): HttpEvent {
  const { host, pathname, searchParams, protocol } = new URL(path, origin);
  for (const [name, value] of Object.entries(query)) searchParams.set(name, value);
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const http = { method, path: pathname, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' };
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: pathname,
    rawQueryString: searchParams.toString(),
    headers: { host, 'x-forwarded-proto': protocol.slice(0, -1), ...lowerCased(headers) },
    ...(text === undefined ? {} : { body: text }),
    isBase64Encoded: false,
    requestContext: {
      requestId: `test-${++requests}`,
      domainName: host,
      http,
      ...(caller ? { authorizer: callerContext(caller) } : {}),
    },
  } as unknown as HttpEvent;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** Parsed JSON; undefined when there is none. */
  body: any;
}

export function answerOf({ statusCode, headers, body }: APIGatewayProxyStructuredResultV2): Answer {
  return {
    status: statusCode ?? 200,
    headers: (headers ?? {}) as Record<string, string>,
    body: body === undefined || body === '' ? undefined : JSON.parse(body),
  };
}

export const send = async (handler: HttpHandler, wish: HttpWish): Promise<Answer> =>
  answerOf(await handler(httpEvent(wish), {} as Context));
